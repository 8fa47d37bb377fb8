// One endpoint on /status: its address, its health, and what the operator can do with it.

import { request } from "./api.js";
import { announce, cloneTemplate, element, partOf, setText, shownText, whileBusy } from "./dom.js";
import { confirmDelete, confirmReplay, confirmRotation, showSecret } from "./endpoint-dialogs.js";
import { t } from "./i18n.js";
import { statusIcon } from "./status-icon.js";
import { clearTime, setTime, timeElement } from "./time-element.js";

const ICON_BY_STATE = { working: "connected", waiting: "none", failing: "failing", disabled: "broken" };
export const PROBLEM_STATES = ["failing", "disabled"];
const ACTIONS = { test: sendTest, replay, rotate, switch: switchState, delete: remove };
// The settings of the service change this endpoint, and refuse other changes.
const REFUSED_FROM_SETTINGS = ["rotate", "delete"];

export function displayState({ state, failing_since: failingSince, last_success_at: lastSuccessAt }) {
  if (state === "disabled") return "disabled";
  if (failingSince) return "failing";
  return lastSuccessAt ? "working" : "waiting";
}

/** `onChanged` is called after an action, and resolves when the section is up to date. */
export function createEndpointRow({ from_settings: isFromSettings }, { mayWrite, onChanged }) {
  const row = cloneTemplate("endpoint-row");
  partOf(row, "actions").hidden = !mayWrite;
  for (const [name, action] of Object.entries(ACTIONS)) {
    const button = partOf(row, name);
    button.hidden = isFromSettings && REFUSED_FROM_SETTINGS.includes(name);
    button.onclick = () => action(row, button, onChanged);
  }
  return row;
}

export function updateEndpointRow(row, endpoint) {
  row.endpoint = endpoint;
  const state = displayState(endpoint);
  if (row.dataset.status !== state) {
    row.dataset.status = state;
    partOf(row, "icon").replaceChildren(statusIcon(ICON_BY_STATE[state]));
  }
  row.setAttribute("aria-label", shownText(endpoint.url));
  setText(partOf(row, "url"), endpoint.url);
  setText(partOf(row, "description"), endpoint.description);
  setText(partOf(row, "status"), t(`events/status/${state}`));
  showLastSuccess(partOf(row, "last-success"), endpoint.last_success_at, state);
  showPatterns(partOf(row, "patterns"), endpoint.events);
  setText(partOf(row, "delivered"), t("events/number", { count: endpoint.delivered_24h }));
  setText(partOf(row, "failed"), t("events/number", { count: endpoint.failed_24h }));
  setText(partOf(row, "pending"), t("events/number", { count: endpoint.pending }));
  showProblem(row, state);
  const isEnabled = endpoint.state === "enabled";
  partOf(row, "replay").hidden = !isEnabled;
  const toggle = partOf(row, "switch");
  if (!toggle.disabled) setText(toggle, t(isEnabled ? "events/disable" : "events/enable"));
}

function showLastSuccess(time, lastSuccessAt, state) {
  if (lastSuccessAt) setTime(time, lastSuccessAt, "events/last_success");
  else clearTime(time, state === "waiting" ? "" : t("events/no_success"));
}

function showPatterns(list, patterns) {
  const shown = patterns.join(" ");
  if (list.dataset.patterns === shown) return;
  list.dataset.patterns = shown;
  list.replaceChildren(...patterns.map((pattern) => element("li", {}, pattern)));
}

function showProblem(row, state) {
  const { failing_since: since, failures, disabled_reason: reason } = row.endpoint;
  const note = partOf(row, "problem");
  note.hidden = !PROBLEM_STATES.includes(state);
  if (note.hidden) return;
  const title = partOf(note, "problem-title");
  if (state === "failing") {
    if (title.firstElementChild?.dateTime !== since) {
      title.replaceChildren(timeElement(since, "events/failing_since"));
    }
    setText(partOf(note, "problem-text"), t("events/failures", { count: failures }));
  } else {
    setText(title, reason || t("events/disabled"));
    setText(partOf(note, "problem-text"), t("events/disabled_help"));
  }
}

// Actions.

/** `work` returns the sentence to show, and whether it is bad news. */
async function run(row, button, textWhileBusy, work) {
  partOf(row, "result").hidden = true;
  let result;
  try {
    result = await whileBusy(button, textWhileBusy, work);
  } catch (error) {
    result = { text: error.message || t("error/unreachable/text"), isBad: true };
  }
  showResult(row, result);
}

function showResult(row, { text, isBad = false }) {
  const note = partOf(row, "result");
  note.hidden = false;
  note.classList.toggle("bad", isBad);
  setText(note, text);
  announce(text);
}

const pathOf = ({ endpoint }, action = "") => `/endpoints/${endpoint.id}${action}`;

async function sendTest(row, button) {
  await run(row, button, t("events/testing"), async () => {
    const { delivered, status, error, duration_ms: ms } = await request("POST", pathOf(row, "/test"));
    if (delivered) return { text: t("events/test_delivered", { status: String(status), ms }) };
    return { text: t("events/test_failed", { error, ms }), isBad: true };
  });
}

async function switchState(row, button, onChanged) {
  const state = row.endpoint.state === "enabled" ? "disabled" : "enabled";
  await run(row, button, t("working"), async () => {
    await request("PATCH", pathOf(row), { body: { state } });
    return { text: t(state === "enabled" ? "events/enabled" : "events/disabled_now") };
  });
  await onChanged();
}

async function replay(row, button, onChanged) {
  const result = await confirmReplay(row.endpoint);
  if (!result) return;
  const { count, more } = result;
  const key = more ? "events/replayed_more" : count > 0 ? "events/replayed" : "events/replayed_none";
  showResult(row, { text: t(key, { count }) });
  await onChanged();
}

async function rotate(row, button, onChanged) {
  const rotated = await confirmRotation(row.endpoint);
  if (!rotated) return;
  await showSecret(rotated.secret, "events/secret_dialog/rotated");
  await onChanged();
}

async function remove(row, button, onChanged) {
  if (!(await confirmDelete(row.endpoint))) return;
  await onChanged({ isDeleted: true });
  announce(t("events/deleted"));
}
