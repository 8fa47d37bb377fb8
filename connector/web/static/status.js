// /status: one page of the list of connections, and for an operator the events and webhooks. The page is reloaded
// every few seconds while it is visible.

import { showActivity } from "./activity-chart.js";
import { request } from "./api.js";
import * as listFilters from "./connection-filters.js";
import { createRow, updateLifetimeBar, updateRow } from "./connection-row.js";
import { displayState } from "./connection-state.js";
import { announce, cloneTemplate, fillTexts, partOf, setText, showView, whileBusy } from "./dom.js";
import { errorView } from "./error-view.js";
import { eventsSection } from "./events-section.js";
import { t } from "./i18n.js";
import { confirmLink } from "./link-question.js";
import { reconcileChildren } from "./list-diff.js";
import { onTicketInUrl, openSession, showWaiting, takeTicketFromUrl } from "./session.js";
import { statusIcon } from "./status-icon.js";
import { refreshTimes } from "./time-element.js";
import { webhooksSection } from "./webhooks-section.js";

const POLL_MS = 4_000;
const MAX_POLL_MS = 60_000;
const CLOCK_MS = 1_000;
// A longer list is drawn only where it is visible.
const LONG_LIST_ROWS = 30;
const WITHOUT_ADVERTISER = ["advertiser_lost", "advertiser_not_selected"];

let session;
let view;
// The sections below the connections, which only an operator sees.
let sections = [];
let nextCursor = null;
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
addEventListener("popstate", reload);

async function start(link, { automaticRetries = 0 } = {}) {
  stop();
  requestNumber += 1;
  session = null;
  if (automaticRetries === 0) showWaiting(newPage(), t("status/page"));
  try {
    const ticket = link && (await confirmLink(link, "status")) ? link.ticket : null;
    if (link) showWaiting(newPage(), t("status/page"));
    session = await openSession(ticket);
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
  sections = [];
  partOf(view, "empty-icon").append(statusIcon("none"));
  partOf(view, "next-page").onclick = () => goTo({ after: nextCursor });
  partOf(view, "first-page").onclick = () => goTo({ after: "" });
  partOf(view, "clear").onclick = () => {
    listFilters.clearFilters();
    return reload();
  };
  return view;
}

async function openPage() {
  const filters = partOf(view, "filters");
  filters.hidden = session.kind !== "server";
  const { families } = await request("GET", "/families");
  listFilters.connectFilters(filters, { families, onChange: reload });
  if (session.kind === "server") showOperatorSections();
  await loadAndRender();
  view.removeAttribute("aria-busy");
  view.querySelector("h1").focus();
  schedule(POLL_MS);
}

/** Every person may change their own connections. An API key may lack the scope. */
const mayWrite = () => session.scopes === null || session.scopes.includes("write");

function showOperatorSections() {
  const problem = partOf(view, "events-problem");
  sections = [eventsSection({ mayWrite: mayWrite(), problem }), webhooksSection()];
  partOf(view, "sections").replaceChildren(...sections.map((section) => section.view));
}

async function loadAndRender() {
  const number = ++requestNumber;
  const [{ connections, next, totals }, activity, ...showSections] = await Promise.all([
    loadConnections(),
    request("GET", "/activity"),
    ...sections.map((section) => section.load()),
  ]);
  if (number !== requestNumber || !view) return;
  nextCursor = next;
  showList(connections, totals);
  showSummary(connections, totals);
  listFilters.showTotals(partOf(view, "filters"), totals);
  const [chart, legend, table] = ["chart", "legend", "table"].map((name) => partOf(view, name));
  showActivity(activity, { chart, legend, table });
  for (const show of showSections) show();
  refreshTimes();
}

/** An address that somebody has changed by hand may have a value that the service refuses. */
async function loadConnections() {
  try {
    return await request("GET", `/connections?${listFilters.listQuery()}`);
  } catch (error) {
    if (error.code !== "invalid_request" || !listFilters.hasParameters()) throw error;
    listFilters.clearFilters();
    listFilters.showFilters(partOf(view, "filters"));
    return request("GET", `/connections?${listFilters.listQuery()}`);
  }
}

function showList(connections, totals) {
  const rows = partOf(view, "rows");
  for (const skeleton of rows.querySelectorAll(".skeleton")) skeleton.remove();
  const showUserId = session.kind === "server";
  const mayRefresh = mayWrite();
  reconcileChildren(rows, connections, {
    key: ({ id }) => id,
    create: (connection) => createRow(connection, { showUserId, mayRefresh, onChanged }),
    update: updateRow,
  });
  rows.classList.toggle("long-list", connections.length > LONG_LIST_ROWS);
  const isEmpty = connections.length === 0;
  const isFiltered = listFilters.hasParameters();
  partOf(view, "empty").hidden = !isEmpty || isFiltered;
  partOf(view, "no-match").hidden = !isEmpty || !isFiltered;
  partOf(view, "first-page").hidden = listFilters.isFirstPage();
  partOf(view, "next-page").hidden = !nextCursor;
  partOf(view, "summary").hidden = Object.values(totals).every((count) => count === 0);
}

function onChanged(connection) {
  const row = connection && view?.querySelector(`[data-key="${connection.id}"]`);
  if (row) updateRow(row, { ...row.connection, ...connection });
  schedule(0);
}

function showSummary(connections, totals) {
  const { kind, icon, count } = summarize(connections, totals);
  const summary = partOf(view, "summary");
  if (summary.dataset.kind !== kind) partOf(summary, "icon").replaceChildren(statusIcon(icon));
  summary.dataset.kind = kind;
  setText(partOf(summary, "summary-title"), t(`status/summary/${kind}/title`, { count }));
  setText(partOf(summary, "summary-text"), t(`status/summary/${kind}/text`, { count }));
}

/** The totals count all pages. Only the rows of this page show which connections lack an ad account. */
function summarize(connections, totals) {
  if (totals.reconnect_required > 0) {
    return { kind: "needs_person", icon: "broken", count: totals.reconnect_required };
  }
  const states = connections.map(displayState);
  const withoutAdvertiser = states.filter((state) => WITHOUT_ADVERTISER.includes(state)).length;
  if (withoutAdvertiser > 0) return { kind: "needs_advertiser", icon: "broken", count: withoutAdvertiser };
  if (totals.refresh_failing > 0) {
    return { kind: "retrying", icon: "failing", count: totals.refresh_failing };
  }
  return { kind: "healthy", icon: "connected", count: totals.active };
}

/** Shows another page of the list. The reader continues at its start. */
async function goTo(changes) {
  listFilters.navigate(changes);
  await reload();
  partOf(view, "list-title").focus();
  partOf(view, "filters").scrollIntoView();
}

/** Loads what the address asks for, without waiting for the next poll. */
async function reload() {
  if (!view || !session) return;
  listFilters.showFilters(partOf(view, "filters"));
  clearTimeout(timer);
  await poll();
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
  if (!view || !session || document.hidden) return;
  const polled = session;
  try {
    await loadAndRender();
    pollDelay = POLL_MS;
  } catch (error) {
    if (session !== polled) return;
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
