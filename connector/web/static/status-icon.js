// The icon for the state of a connection: you on the left, TikTok on the right, a line between them.

import { svgElement } from "./dom.js";

/** `state` is one of connected, failing, broken, none and busy; css/status-icon.css draws each. */
export function statusIcon(state, { large = false } = {}) {
  return svgElement(
    "svg",
    {
      class: large ? "status-icon large" : "status-icon",
      viewBox: "0 0 64 20",
      "data-state": state,
      "aria-hidden": "true",
      focusable: "false",
    },
    svgElement("path", { class: "link-line", d: "M14 10H50" }),
    svgElement("circle", { class: "you", cx: "8", cy: "10", r: "6" }),
    svgElement("circle", { class: "tiktok", cx: "56", cy: "10", r: "5" }),
  );
}
