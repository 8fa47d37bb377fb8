// <time> elements that show how long ago or how soon a time is. refreshTimes() keeps them correct.

import { element, setText } from "./dom.js";
import { fullTime, relativeTime, t } from "./i18n.js";

/** `textKey` names a text with {when} in it; without one, the relative time stands alone. */
export function setTime(node, iso, textKey = "") {
  node.dateTime = iso;
  node.title = fullTime(new Date(iso));
  node.dataset.relativeText = textKey;
  updateTime(node);
}

/** Shows `text` instead of a time. */
export function clearTime(node, text) {
  delete node.dataset.relativeText;
  setText(node, text);
}

export function timeElement(iso, textKey) {
  const node = element("time");
  setTime(node, iso, textKey);
  return node;
}

export function refreshTimes() {
  for (const node of document.querySelectorAll("time[data-relative-text]")) updateTime(node);
}

function updateTime(node) {
  const when = relativeTime(new Date(node.dateTime));
  const textKey = node.dataset.relativeText;
  setText(node, textKey ? t(textKey, { when }) : when);
}
