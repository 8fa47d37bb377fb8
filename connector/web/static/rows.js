// One connection on /status: who, how it is, and how long its access still lasts.

import { call } from "./api.js";
import { openAttempts } from "./attempts.js";
import { announce, clone, during, line, part, put, setTime } from "./dom.js";
import { duration, fullTime, has, say } from "./language.js";
import { SIGNS, stateOf } from "./standing.js";

const OVER = { revoked: say("status/gone"), reconnect_required: say("status/ended_there") };

/** `changed` is told the connection's new self after "Refresh now". */
export function createRow(connection, { everybody, changed }) {
  const row = clone("row");
  const attempts = part(row, "attempts");
  attempts.ontoggle = () => attempts.open && openAttempts(part(row, "attempts-place"), connection.id);
  const button = part(row, "refresh");
  button.onclick = () => during(button, say("status/refreshing"), () => refresh(row, changed));
  row.dataset.everybody = everybody ? "yes" : "";
  if (connection.family !== "marketing") naming.observe(row);
  return row;
}

export function updateRow(row, connection) {
  const { status, advertiser, family } = connection;
  row.connection = { ...connection, account: connection.account ?? row.connection?.account };
  const state = stateOf(connection);
  if (row.dataset.status !== state) {
    row.dataset.status = state;
    part(row, "sign").replaceChildren(line(SIGNS[state]));
  }
  put(part(row, "name"), nameOf(row.connection));
  put(part(row, "id"), row.dataset.everybody ? connection.user_id : (advertiser?.id ?? ""));
  put(part(row, "status"), say(`status/${state}`));
  const title = has(`family/${family}/title`) ? say(`family/${family}/title`) : connection.title;
  put(part(row, "family"), title);
  part(row, "refresh").hidden = !["active", "refresh_failing"].includes(status);
  tellFailure(row, connection.failure);
  tellNext(row, connection);
  age(row);
  const attempts = part(row, "attempts");
  if (attempts.open) openAttempts(part(row, "attempts-place"), connection.id);
}

function nameOf({ advertiser, account, family }) {
  if (advertiser) return advertiser.name || advertiser.id;
  return account?.name || say(family === "marketing" ? "connect/no_advertiser" : "connect/unnamed");
}

/** The list is brief: an account's name only the single read tells, so it waits until it is seen. */
const naming = new IntersectionObserver(named, { rootMargin: "400px" });

function named(entries) {
  for (const { isIntersecting, target: row } of entries) {
    if (!isIntersecting) continue;
    naming.unobserve(row);
    name(row);
  }
}

async function name(row) {
  try {
    const whole = await call("GET", `/connections/${row.connection.id}`);
    updateRow(row, { ...row.connection, account: whole.account });
  } catch {
    // It goes by no name until the page is opened again.
  }
}

function tellFailure(row, failure) {
  const note = part(row, "failure");
  note.hidden = !failure;
  if (!failure) return;
  put(part(row, "failure-message"), failure.message);
  const since = part(row, "failure-since");
  const when = fullTime(new Date(failure.since));
  since.dateTime = failure.since;
  put(since, say("status/failing", { count: failure.times, when }));
}

function tellNext(row, { next_check_at: next, status }) {
  const time = part(row, "next");
  if (next && status !== "revoked" && status !== "reconnect_required") setTime(time, next, "status/next");
  else {
    delete time.dataset.ticking;
    put(time, say("status/next_none"));
  }
}

/** The bar shrinks with the access token's life; the notch is where it will be renewed. */
export function age(row) {
  const { expires_at, verified_at, connected_at, next_check_at, status } = row.connection;
  const bar = part(row, "bar");
  const over = status in OVER;
  const end = new Date(expires_at).getTime();
  const start = Math.min(new Date(verified_at ?? connected_at).getTime(), end - 1);
  const now = Date.now();
  const left = over ? 0 : expires_at ? share(end - now, end - start) : 1;
  bar.classList.toggle("forever", !expires_at && !over);
  bar.classList.toggle("short", expires_at !== null && left < 0.15);
  part(row, "left").style.width = `${(left * 100).toFixed(2)}%`;
  const due = part(row, "due");
  due.hidden = over || !expires_at || !next_check_at;
  if (!due.hidden) due.style.left = `${(share(end - new Date(next_check_at), end - start) * 100).toFixed(2)}%`;
  const words = OVER[status] ?? (expires_at ? lasting(end - now, end) : say("status/forever"));
  put(part(row, "life"), words);
  bar.setAttribute("aria-valuenow", String(Math.round(left * 100)));
  bar.setAttribute("aria-valuetext", words);
}

function lasting(rest, end) {
  if (rest > 0) return say("status/left", { time: duration(rest) });
  return say("status/over", { when: fullTime(new Date(end)) });
}

const share = (part, whole) => Math.min(Math.max(part / whole, 0), 1);

async function refresh(row, changed) {
  const told = part(row, "told");
  told.hidden = true;
  try {
    const connection = await call("POST", `/connections/${row.connection.id}/refresh`);
    announce(say("status/refreshed", { name: nameOf(connection) }));
    changed(connection);
  } catch (problem) {
    told.hidden = false;
    told.classList.toggle("bad", !problem.retryable);
    put(told, problem.message || say(`problem/${problem.code}/text`));
    changed(null);
  }
}
