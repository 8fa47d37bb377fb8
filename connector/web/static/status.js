// /status: all connections, reloaded every few seconds while the page is visible.

import { showActivity } from "./activity-chart.js";
import { request } from "./api.js";
import { createRow, updateLifetimeBar, updateRow } from "./connection-row.js";
import { displayState } from "./connection-state.js";
import { announce, cloneTemplate, fillTexts, partOf, setText, showView, whileBusy } from "./dom.js";
import { errorView } from "./error-view.js";
import { t } from "./i18n.js";
import { reconcileChildren } from "./list-diff.js";
import { onTicketInUrl, openSession, showWaiting, takeTicketFromUrl } from "./session.js";
import { statusIcon } from "./status-icon.js";
import { refreshTimes } from "./time-element.js";

const POLL_MS = 4_000;
const MAX_POLL_MS = 60_000;
const CLOCK_MS = 1_000;
const PAGE_SIZE = 100;
const MAX_LIMIT = 1_000;
// A longer list is drawn only where it is visible.
const LONG_LIST_ROWS = 30;
const NEEDS_PERSON = ["reconnect_required", "advertiser_lost", "advertiser_not_selected"];
const STATE_ORDER = [...NEEDS_PERSON, "refresh_failing", "active", "revoked"];

let session;
let view;
let rowLimit = PAGE_SIZE;
let pollDelay = POLL_MS;
let timer;
let nextPollAt = 0;
// A newer request makes the response to an older one worthless.
let requestNumber = 0;

fillTexts(document.body);
start(takeTicketFromUrl());
onTicketInUrl(start);
setInterval(updateClocks, CLOCK_MS);
document.addEventListener("visibilitychange", () => (document.hidden ? stop() : resume()));
addEventListener("online", resume);

async function start(link, { automaticRetries = 0 } = {}) {
  stop();
  if (automaticRetries === 0) showWaiting(newPage(), t("status/page"));
  try {
    session = await openSession(link?.ticket);
    await openPage();
  } catch (error) {
    if (["unauthenticated", "forbidden"].includes(error.code)) return showSignIn();
    const retry = ({ automatic = false } = {}) =>
      start(link, { automaticRetries: automatic ? automaticRetries + 1 : 0 });
    showView(errorView(error, { retry, automaticRetries }), { focus: automaticRetries === 0 });
  }
}

// Signing in.

function showSignIn(message = "") {
  stop();
  view = null;
  const form = cloneTemplate("sign-in");
  partOf(form, "icon").append(statusIcon("none", { large: true }));
  setText(partOf(form, "error"), message);
  partOf(form, "form").onsubmit = (event) => {
    event.preventDefault();
    whileBusy(partOf(form, "submit"), t("working"), () => signIn(form));
  };
  showView(form, { title: t("status/page") });
  partOf(form, "api-key").focus();
}

/** The API key leaves the page as soon as it is sent, also if it is rejected. */
async function signIn(form) {
  const field = partOf(form, "api-key");
  const apiKey = field.value.trim();
  field.value = "";
  if (!apiKey) return showFieldError(form, t("status/api_key_missing"));
  try {
    await openSession(apiKey);
  } catch (error) {
    const message = error.code === "unauthenticated" ? t("status/api_key_invalid") : error.message;
    return showFieldError(form, message || t("error/unreachable/text"));
  }
  return start(null);
}

function showFieldError(form, message) {
  setText(partOf(form, "error"), message);
  partOf(form, "api-key").setAttribute("aria-invalid", "true");
  partOf(form, "api-key").focus();
}

// Loading and rendering.

function newPage() {
  view = cloneTemplate("page");
  partOf(view, "empty-icon").append(statusIcon("none"));
  partOf(view, "show-more").onclick = showMore;
  return view;
}

async function openPage() {
  await loadAndRender();
  view.removeAttribute("aria-busy");
  view.querySelector("h1").focus();
  schedule(POLL_MS);
}

async function loadAndRender() {
  const number = ++requestNumber;
  const [{ connections, next }, activity] = await Promise.all([
    loadConnections(),
    request("GET", "/activity"),
  ]);
  if (number !== requestNumber || !view) return;
  showList(connections, next);
  showSummary(connections, next);
  const [chart, legend, table] = ["chart", "legend", "table"].map((name) => partOf(view, name));
  showActivity(activity, { chart, legend, table });
  refreshTimes();
}

/** Loads up to `rowLimit` connections, with as few requests as the service allows. */
async function loadConnections() {
  const connections = [];
  let next = null;
  do {
    const limit = Math.min(rowLimit - connections.length, MAX_LIMIT);
    const after = next ? `&after=${encodeURIComponent(next)}` : "";
    const page = await request("GET", `/connections?limit=${limit}${after}`);
    connections.push(...page.connections);
    next = page.next ?? null;
  } while (next && connections.length < rowLimit);
  return { connections, next };
}

function showList(connections, next) {
  const rows = partOf(view, "rows");
  for (const skeleton of rows.querySelectorAll(".skeleton")) skeleton.remove();
  const order = (connection) => STATE_ORDER.indexOf(displayState(connection));
  const sorted = connections.toSorted((left, right) => order(left) - order(right));
  const showUserId = session.kind === "server";
  reconcileChildren(rows, sorted, {
    key: ({ id }) => id,
    create: (connection) => createRow(connection, { showUserId, onChanged }),
    update: updateRow,
  });
  rows.classList.toggle("long-list", sorted.length > LONG_LIST_ROWS);
  partOf(view, "empty").hidden = connections.length > 0;
  partOf(view, "show-more").hidden = !next;
}

function onChanged(connection) {
  const row = connection && view?.querySelector(`[data-key="${connection.id}"]`);
  if (row) updateRow(row, { ...row.connection, ...connection });
  schedule(0);
}

function showSummary(connections, next) {
  const { kind, icon, count } = summarize(connections);
  const summary = partOf(view, "summary");
  summary.hidden = connections.length === 0;
  if (summary.dataset.kind !== kind) partOf(summary, "icon").replaceChildren(statusIcon(icon));
  summary.dataset.kind = kind;
  const scope = next ? ` ${t("status/summary/only_first", { count: connections.length })}` : "";
  setText(partOf(summary, "summary-title"), t(`status/summary/${kind}/title`, { count }));
  setText(partOf(summary, "summary-text"), t(`status/summary/${kind}/text`, { count }) + scope);
}

function summarize(connections) {
  const states = connections.map(displayState);
  const countOf = (...wanted) => states.filter((state) => wanted.includes(state)).length;
  const needsPerson = countOf(...NEEDS_PERSON);
  if (needsPerson > 0) return { kind: "needs_person", icon: "broken", count: needsPerson };
  const retrying = countOf("refresh_failing");
  if (retrying > 0) return { kind: "retrying", icon: "failing", count: retrying };
  return { kind: "healthy", icon: "connected", count: countOf("active") };
}

function showMore() {
  rowLimit += PAGE_SIZE;
  return whileBusy(partOf(view, "show-more"), t("working"), () => poll());
}

// Polling.

function schedule(delay) {
  clearTimeout(timer);
  nextPollAt = Date.now() + delay;
  timer = setTimeout(poll, delay);
}

function stop() {
  clearTimeout(timer);
  timer = null;
}

function resume() {
  if (view && session && !document.hidden) schedule(0);
}

async function poll() {
  if (!view || document.hidden) return;
  try {
    await loadAndRender();
    pollDelay = POLL_MS;
  } catch (error) {
    if (error.code === "unauthenticated") return showSignIn(t("status/session_ended"));
    if (pollDelay === POLL_MS) announce(t("error/unreachable/title"));
    pollDelay = Math.min(Math.max(pollDelay * 2, (error.retryAfter ?? 0) * 1_000), MAX_POLL_MS);
  }
  schedule(pollDelay);
}

function updateClocks() {
  if (!view || document.hidden) return;
  for (const row of partOf(view, "rows").children) if (row.connection) updateLifetimeBar(row);
  const live = partOf(view, "live");
  const isStale = pollDelay > POLL_MS;
  live.classList.toggle("stale", isStale);
  const seconds = Math.max(0, Math.ceil((nextPollAt - Date.now()) / 1_000));
  setText(live, isStale ? t("status/stale", { seconds }) : t("status/live"));
  refreshTimes();
}
