// /connect: one card for each API family of the service, with the connections that this person has.

import { request } from "./api.js";
import { ICON_BY_STATE, displayState, placeholderName } from "./connection-state.js";
import { confirmDisconnect, selectAdvertiser } from "./dialogs.js";
import { announce, cloneTemplate, element, fillTexts, partOf, setText, showView, whileBusy } from "./dom.js";
import { errorView } from "./error-view.js";
import { hasText, t, textList, textOr } from "./i18n.js";
import { confirmLink, ownerName } from "./link-question.js";
import { onTicketInUrl, openSession, showWaiting, takeTicketFromUrl } from "./session.js";
import { statusIcon } from "./status-icon.js";
import { refreshTimes, timeElement } from "./time-element.js";

const CLOCK_MS = 5_000;
const SEVERE_STATES = ["reconnect_required", "advertiser_lost"];

let returnTo = "/connect";
let session;

fillTexts(document.body);
start(takeTicketFromUrl());
onTicketInUrl(start);
setInterval(refreshTimes, CLOCK_MS);
// The browser's back button shows the page as it was left, so its content may be outdated.
addEventListener("pageshow", (event) => event.persisted && start(takeTicketFromUrl()));

async function start(link, { automaticRetries = 0 } = {}) {
  if (automaticRetries === 0) showWaiting(emptyPage(), t("connect/page"));
  try {
    const confirmed = link && (await confirmLink(link, "connect")) ? link : null;
    if (link) showWaiting(emptyPage(), t("connect/page"));
    if (confirmed?.returnTo) returnTo = confirmed.returnTo;
    await showSession(confirmed?.ticket);
  } catch (error) {
    if (error.code === "unauthenticated") {
      return showView(link ? noAccessView("link_expired") : noLinkView());
    }
    const retry = ({ automatic = false } = {}) =>
      start(link, { automaticRetries: automatic ? automaticRetries + 1 : 0 });
    showView(errorView(error, { retry, automaticRetries }), { focus: automaticRetries === 0 });
  }
}

async function showSession(ticket, options) {
  session = await openSession(ticket);
  if (session.kind === "user") await renderOverview(options);
  else showView(operatorView());
}

function emptyPage() {
  const view = cloneTemplate("page");
  const benefits = textList("connect/benefits").map((text) => element("li", {}, text));
  partOf(view, "benefits").append(...benefits);
  return view;
}

// Views for a person who may not use the page.

const noLinkView = () =>
  noAccessView("no_link", element("p", { class: "muted" }, t("no_access/no_link/operator_hint")));

function operatorView() {
  const link = element("a", { class: "button", href: "/status" }, t("no_access/operator/action"));
  return noAccessView("operator", element("div", { class: "actions" }, link));
}

function noAccessView(reason, extra = null) {
  return element(
    "section",
    { class: "message", "data-no-access": reason },
    statusIcon("none", { large: true }),
    element("h1", {}, t(`no_access/${reason}/title`)),
    element("p", { class: "lead" }, t(`no_access/${reason}/text`)),
    extra,
  );
}

// The overview.

/** Loads and shows everything again. Focus moves to the card of `focusedFamily`, if there is one. */
async function renderOverview({ focusedFamily } = {}) {
  const [{ families }, { connections }] = await Promise.all([
    request("GET", "/families"),
    request("GET", "/connections?limit=200"),
  ]);
  const details = await Promise.all(connections.map(loadDetail));
  const cards = families.map((family) =>
    familyCard(family, details.filter((connection) => connection.family === family.name)),
  );
  if (cards.length === 0) cards.push(noFamiliesCard());
  const view = emptyPage();
  partOf(view, "user").replaceWith(ownerName(session));
  partOf(view, "cards").replaceChildren(...cards);
  // A connected person no longer needs the benefits; without them the cards come first on a phone.
  if (details.some(isNotDisconnected)) partOf(view, "benefits").remove();
  showView(view, { title: t("connect/page"), focus: !focusedFamily });
  const heading = focusedFamily && view.querySelector(`[data-family="${focusedFamily}"] h2`);
  if (heading) {
    heading.tabIndex = -1;
    heading.focus();
  }
}

const isNotDisconnected = ({ status }) => status !== "revoked";

/** The list of connections has no ad accounts; the single connection has them. */
const loadDetail = async (connection) =>
  isNotDisconnected(connection) ? request("GET", `/connections/${connection.id}`) : connection;

function noFamiliesCard() {
  return element(
    "article",
    { class: "card" },
    element("h2", {}, t("connect/no_families")),
    element("p", { class: "muted" }, t("connect/no_families_help")),
  );
}

const titleOf = ({ name, title }) => textOr(`family/${name}/title`, title);

function familyCard(family, connections) {
  const view = cloneTemplate("family");
  const current = connections.filter(isNotDisconnected);
  const key = hasText(`family/${family.name}/purpose`) ? family.name : "other";
  view.dataset.family = family.name;
  setText(partOf(view, "title"), titleOf(family));
  setText(partOf(view, "purpose"), t(`family/${key}/purpose`));
  if (current.length > 0) {
    partOf(view, "offer").remove();
    partOf(view, "connections").append(...current.map((connection) => connectionView(family, connection)));
    return view;
  }
  partOf(view, "connections").remove();
  const scopes = family.has_advertisers ? [] : family.scopes.map((name) => textOr(`scope/${name}`, name));
  const permissions = [...textList(`family/${key}/permissions`), ...scopes];
  partOf(view, "permissions").append(...permissions.map((text) => element("li", {}, text)));
  if (connections.length > 0) showDisconnectedAt(partOf(view, "history"), connections);
  const button = partOf(view, "connect");
  setText(button, t("connect/connect", { title: titleOf(family) }));
  button.onclick = () => goToConsent(family, button);
  return view;
}

function showDisconnectedAt(history, connections) {
  const latest = connections.map((connection) => connection.updated_at).sort().at(-1);
  history.hidden = false;
  history.append(timeElement(latest, "connect/disconnected"));
}

function connectionView(family, connection) {
  const view = cloneTemplate("connection");
  const { advertiser, account } = connection;
  const named = advertiser ?? account;
  const state = displayState(connection);
  view.dataset.connection = connection.id;
  view.dataset.status = state;
  partOf(view, "icon").append(statusIcon(ICON_BY_STATE[state]));
  setText(partOf(view, "name"), named ? named.name || named.id : placeholderName(connection));
  setText(partOf(view, "id"), advertiser?.name ? advertiser.id : "");
  setText(partOf(view, "status"), textOr(`connect/status/${state}`, t(`status/${state}`)));
  if (hasText(`connect/warning/${state}`)) showWarning(partOf(view, "warning"), connection, state);
  partOf(view, "facts").append(...facts(connection));
  partOf(view, "actions").append(...actions(family, connection, state));
  return view;
}

function showWarning(note, connection, state) {
  note.hidden = false;
  note.classList.add(SEVERE_STATES.includes(state) ? "bad" : "warn");
  const { advertiser, failure, next_check_at: nextCheck } = connection;
  const name = advertiser?.name || advertiser?.id || t("connect/advertiser");
  setText(partOf(note, "warning-title"), t(`connect/warning/${state}/title`, { name }));
  const textKey = `connect/warning/${state}/text`;
  const text = partOf(note, "warning-text");
  const retryAt = failure?.retry_at ?? nextCheck;
  if (state === "refresh_failing" && retryAt) text.append(timeElement(retryAt, textKey));
  else setText(text, t(textKey, { when: t("now") }));
}

function facts(connection) {
  const { verified_at: verified, expires_at: expires, next_check_at: nextCheck } = connection;
  const access =
    expires && nextCheck ? timeElement(nextCheck, "connect/access_renewed") : t("connect/access_no_expiry");
  return [
    fact("connect/verified", verified ? timeElement(verified) : t("never")),
    connection.status === "reconnect_required" ? null : fact("connect/access", access),
  ].filter(Boolean);
}

const fact = (key, value) => element("div", {}, element("dt", {}, t(key)), element("dd", {}, value));

function actions(family, connection, state) {
  const { has_advertisers: hasAdvertisers, is_ended: isEnded, advertisers = [] } = connection;
  const buttons = [];
  const add = (kind, text, onClick) => {
    const button = element("button", { class: `button ${kind}`, type: "button" }, text);
    button.onclick = () => onClick(button);
    buttons.push(button);
  };
  const mustSelect = ["advertiser_lost", "advertiser_not_selected"].includes(state);
  if (hasAdvertisers && !isEnded && (advertisers.length > 1 || mustSelect)) {
    const key = state === "advertiser_not_selected" ? "connect/select" : "connect/select_other";
    add(mustSelect ? "" : "secondary", t(key), () => openSelection(family, connection));
  }
  const reconnect = t(isEnded ? "connect/connect_again" : "connect/reconnect");
  add(isEnded ? "" : "secondary", reconnect, (button) => goToConsent(family, button));
  add("secondary remove", t("connect/disconnect"), () => openDisconnect(family, connection));
  return buttons;
}

// Actions of the person.

async function goToConsent(family, button) {
  await whileBusy(button, t("connect/opening_tiktok"), async () => {
    const response = await withErrorView(() => startConsent(family));
    if (!response) return;
    location.assign(response.url);
    // The button stays busy until the browser has left the page.
    await new Promise((resolve) => addEventListener("pagehide", resolve, { once: true }));
  });
}

/** Names the user whom the page shows: another tab may have signed this browser in as another user. */
async function startConsent(family) {
  const body = { family: family.name, return_to: returnTo, user_id: session.user_id };
  try {
    return await request("POST", "/oauth/start", { body });
  } catch (error) {
    if (error.code === "forbidden") error.code = "user_changed";
    throw error;
  }
}

async function openSelection(family, connection) {
  const advertiser = await withErrorView(() => selectAdvertiser(connection));
  if (!advertiser) return;
  await reload(family);
  announce(t("connect/selected", { name: advertiser.name || advertiser.id }));
}

async function openDisconnect(family, connection) {
  const name = connection.advertiser?.name || connection.account?.name || titleOf(family);
  if (!(await confirmDisconnect(connection, name))) return;
  await reload(family);
  announce(t("connect/disconnect_dialog/done", { name }));
}

const reload = (family) => withErrorView(() => showSession(null, { focusedFamily: family.name }));

/** Returns the result of `work`. If it fails, an error view replaces the page and null is returned. */
async function withErrorView(work) {
  try {
    return await work();
  } catch (error) {
    if (error.code === "unauthenticated") showView(noAccessView("link_expired"));
    else {
      const retry = () => start(null);
      showView(errorView({ ...error, retryable: true }, { retry, automaticRetries: Infinity }));
    }
    return null;
  }
}
