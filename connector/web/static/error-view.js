// An error as a sentence that helps and the next step. All pages use this view.

import { connectCopyButton, element, setText } from "./dom.js";
import { hasText, t } from "./i18n.js";
import { statusIcon } from "./status-icon.js";

const MAX_AUTOMATIC_RETRIES = 6;
const MIN_RETRY_SECONDS = 3;
const MAX_RETRY_SECONDS = 30;
const COUNTDOWN_MS = 250;

/**
 * `retry` repeats what failed. `automaticRetries` counts the retries that nobody asked for.
 * `onSignOut` is offered if another person started what failed. `onOpenAgain` opens TikTok's consent page.
 */
export function errorView(error, { retry, automaticRetries = 0, onSignOut, onOpenAgain } = {}) {
  const key = hasText(`error/${error.code}`) ? error.code : "other";
  const actions = element("div", { class: "actions" });
  const view = element(
    "section",
    { class: "message", "data-error": error.code },
    statusIcon(error.retryable ? "failing" : "broken", { large: true }),
    element("h1", {}, t(`error/${key}/title`)),
    element("p", { class: "lead" }, t(`error/${key}/text`)),
    actions,
  );
  if (retry && (error.retryable || key === "other")) {
    actions.append(button(t("retry"), () => retry()));
    const retriesItself = error.retryable && automaticRetries < MAX_AUTOMATIC_RETRIES;
    if (retriesItself) view.append(retryCountdown(error, { retry, automaticRetries, view }));
    else actions.append(startAgainLink("button secondary"));
  } else if (error.code === "wrong_user" && onSignOut) {
    actions.append(button(t("sign_out"), onSignOut));
  } else if (onOpenAgain) {
    actions.append(button(t("open_tiktok_again"), onOpenAgain));
  } else {
    actions.append(startAgainLink("button"));
  }
  const facts = presentFacts(error.facts);
  if (facts.length > 0) view.append(detailsForSupport(facts));
  return view;
}

const button = (text, onclick) => element("button", { class: "button", type: "button", onclick }, text);

const startAgainLink = (className) =>
  element("a", { class: className, href: "/connect" }, t("start_again"));

/** Retries after a wait, or as soon as the browser is online again, while the view is shown. */
function retryCountdown(error, { retry, automaticRetries, view }) {
  const wait = error.retryAfter ?? Math.min(MIN_RETRY_SECONDS * 2 ** automaticRetries, MAX_RETRY_SECONDS);
  const retryAt = Date.now() + wait * 1_000;
  const note = element("p", { class: "muted countdown", role: "timer" });
  const timer = setInterval(update, COUNTDOWN_MS);
  addEventListener("online", retryNow);
  let wasShown = false;
  update();
  return note;

  function update() {
    if (wasShown && !view.isConnected) return stop();
    wasShown = view.isConnected;
    if (!navigator.onLine) return setText(note, "");
    const seconds = Math.ceil((retryAt - Date.now()) / 1_000);
    setText(note, t("retry_in", { seconds: Math.max(seconds, 0) }));
    if (seconds <= 0) retryNow();
  }

  function retryNow() {
    stop();
    if (view.isConnected) retry({ automatic: true });
  }

  function stop() {
    clearInterval(timer);
    removeEventListener("online", retryNow);
  }
}

const presentFacts = (facts = {}) =>
  Object.entries(facts).filter(([, value]) => value !== undefined && value !== null && value !== "");

function detailsForSupport(facts) {
  const list = element("dl", { class: "facts" });
  for (const [name, value] of facts) {
    list.append(element("div", {}, element("dt", {}, name), element("dd", {}, String(value))));
  }
  const text = facts.map(([name, value]) => `${name}: ${value}`).join("\n");
  const copyButton = element("button", { class: "link", type: "button" }, t("copy"));
  connectCopyButton(copyButton, () => text);
  return element("details", { class: "support" }, element("summary", {}, t("details")), list, copyButton);
}
