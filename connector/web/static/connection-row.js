// One connection on /status: its name, its state, and how long its access token still lives.

import { request } from "./api.js";
import { showAttempts } from "./attempts.js";
import { ICON_BY_STATE, displayState, placeholderName } from "./connection-state.js";
import { announce, cloneTemplate, partOf, setText, whileBusy } from "./dom.js";
import { duration, fullTime, t, textOr } from "./i18n.js";
import { statusIcon } from "./status-icon.js";
import { clearTime, setTime } from "./time-element.js";

const ENDED_TEXT = { revoked: t("status/disconnected"), reconnect_required: t("status/ended_by_tiktok") };
// The bar changes its colour when less than this part of the token's lifetime is left.
const EXPIRING_BELOW = 0.15;

/** `onChanged` is called after "Refresh now", with the updated connection or with null. */
export function createRow(connection, { showUserId, mayRefresh, onChanged }) {
  const row = cloneTemplate("connection-row");
  const attempts = partOf(row, "attempts");
  attempts.ontoggle = () => attempts.open && updateAttempts(row, connection.id);
  const button = partOf(row, "refresh");
  button.onclick = () => whileBusy(button, t("status/refreshing"), () => refresh(row, onChanged));
  row.dataset.showUserId = showUserId ? "yes" : "";
  row.dataset.mayRefresh = mayRefresh ? "yes" : "";
  return row;
}

export function updateRow(row, connection) {
  const { advertiser, family } = connection;
  row.connection = connection;
  const state = displayState(connection);
  if (row.dataset.status !== state) {
    row.dataset.status = state;
    partOf(row, "icon").replaceChildren(statusIcon(ICON_BY_STATE[state]));
  }
  setText(partOf(row, "name"), nameOf(row.connection));
  setText(partOf(row, "id"), row.dataset.showUserId ? connection.user_id : (advertiser?.id ?? ""));
  setText(partOf(row, "status"), t(`status/${state}`));
  setText(partOf(row, "family"), textOr(`family/${family}/title`, connection.family_title));
  partOf(row, "refresh").hidden = !connection.is_active || !row.dataset.mayRefresh;
  showFailure(row, connection.failure);
  showNextCheck(row, connection);
  updateLifetimeBar(row);
  if (partOf(row, "attempts").open) updateAttempts(row, connection.id);
}

const updateAttempts = (row, connectionId) =>
  showAttempts(partOf(row, "attempts-container"), connectionId);

function nameOf(connection) {
  const { advertiser, account } = connection;
  if (advertiser) return advertiser.name || advertiser.id;
  return account?.name || placeholderName(connection);
}

function showFailure(row, failure) {
  const note = partOf(row, "failure");
  note.hidden = !failure;
  if (!failure) return;
  setText(partOf(row, "failure-message"), failure.message);
  const since = partOf(row, "failure-since");
  const when = fullTime(new Date(failure.since));
  since.dateTime = failure.since;
  setText(since, t("status/failed_since", { count: failure.count, when }));
}

function showNextCheck(row, { next_check_at: next, is_ended: isEnded }) {
  const time = partOf(row, "next-check");
  if (next && !isEnded) setTime(time, next, "status/next_check");
  else clearTime(time, t("status/no_next_check"));
}

/** The bar shrinks with the remaining lifetime of the access token. The mark is the next refresh. */
export function updateLifetimeBar(row) {
  const {
    expires_at: expiresAt, verified_at: verifiedAt, connected_at: connectedAt,
    next_check_at: nextCheckAt, is_ended: isEnded, status,
  } = row.connection;
  const bar = partOf(row, "bar");
  const end = new Date(expiresAt).getTime();
  const start = Math.min(new Date(verifiedAt ?? connectedAt).getTime(), end - 1);
  const now = Date.now();
  const remaining = isEnded ? 0 : expiresAt ? clampRatio(end - now, end - start) : 1;
  bar.classList.toggle("no-expiry", !expiresAt && !isEnded);
  bar.classList.toggle("expiring", expiresAt !== null && remaining < EXPIRING_BELOW);
  partOf(row, "remaining").style.width = percent(remaining);
  const mark = partOf(row, "next-refresh");
  mark.hidden = isEnded || !expiresAt || !nextCheckAt;
  if (!mark.hidden) mark.style.left = percent(clampRatio(end - new Date(nextCheckAt), end - start));
  const unendedText = expiresAt ? remainingText(end - now, end) : t("status/no_expiry");
  const text = isEnded ? ENDED_TEXT[status] : unendedText;
  setText(partOf(row, "lifetime"), text);
  bar.setAttribute("aria-valuenow", String(Math.round(remaining * 100)));
  bar.setAttribute("aria-valuetext", text);
}

function remainingText(milliseconds, end) {
  if (milliseconds > 0) return t("status/remaining", { time: duration(milliseconds) });
  return t("status/expired", { when: fullTime(new Date(end)) });
}

const clampRatio = (part, whole) => Math.min(Math.max(part / whole, 0), 1);
const percent = (ratio) => `${(ratio * 100).toFixed(2)}%`;

async function refresh(row, onChanged) {
  const notice = partOf(row, "notice");
  notice.hidden = true;
  try {
    const connection = await request("POST", `/connections/${row.connection.id}/refresh`);
    announce(t("status/refreshed", { name: nameOf(connection) }));
    onChanged(connection);
  } catch (error) {
    notice.hidden = false;
    notice.classList.toggle("bad", !error.retryable);
    setText(notice, error.message || t(`error/${error.code}/text`));
    onChanged(null);
  }
}
