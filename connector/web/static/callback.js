// /oauth/callback: TikTok sends people back to this page. It exchanges the code, lets the person select
// an ad account if there are several, and leads back to where they came from.
//
// The code leaves the address bar immediately and is stored in history.state. There it survives a
// reload, as it would in the address, but it does not get into a copied link, a screenshot or a
// bookmark. Posting the same code and state twice is safe, because the service returns the same
// answer, so a reload posts them again. When everything is done, only the result is stored.
//
// If this browser did not start the connection itself, the person is asked before the exchange:
// somebody else may have sent them the link.

import { advertiserPicker } from "./advertiser-picker.js";
import { ApiError, request } from "./api.js";
import { announce, cloneTemplate, element, fillTexts, partOf, setText, showView } from "./dom.js";
import { errorView } from "./error-view.js";
import { t, textOr } from "./i18n.js";
import { showWaiting, signOut } from "./session.js";
import { statusIcon } from "./status-icon.js";

// Longer than the service waits for another POST of the same code.
const EXCHANGE_TIMEOUT_MS = 75_000;
const SLOW_AFTER_MS = 8_000;
const CALLBACK_PARAMS = ["auth_code", "code", "state", "error"];

let automaticRetries = 0;

fillTexts(document.body);
start(loadProgress());

/** Either `params` from the address, or the `result` of an exchange that is done. */
function loadProgress() {
  const query = new URLSearchParams(location.search);
  const params = {};
  for (const name of CALLBACK_PARAMS) if (query.get(name)) params[name] = query.get(name);
  if (Object.keys(params).length > 0) saveProgress({ params });
  return history.state ?? {};
}

function saveProgress(progress) {
  history.replaceState(progress, "", location.pathname);
}

function start({ params, result }) {
  if (result) return showDone(result);
  if (!params) return showError(new ApiError({ code: "no_callback" }));
  if (params.auth_code || params.code) {
    return params.confirmed ? exchange(params) : verify(params);
  }
  if (!params.error) return showNoCode(params);
  if (params.error === "access_denied") return showError(new ApiError({ code: "cancelled" }));
  return showError(new ApiError({ code: "consent_error", facts: { error: params.error } }));
}

/** Exchanges at once if this browser started the connection, and asks the person otherwise. */
async function verify(params, { automatic = false } = {}) {
  beginAttempt(automatic);
  const { state = "" } = params;
  let description;
  try {
    description = await request("POST", "/oauth/state", { body: { state } });
  } catch (error) {
    return showError(error, (options) => verify(params, options), { focus: !automatic });
  }
  if (description.confirmation_required) return showConfirmation(description, params);
  return exchange(params);
}

function showConfirmation({ user_id: userId, family }, params) {
  const view = cloneTemplate("confirm");
  partOf(view, "icon").append(statusIcon("none", { large: true }));
  // <bdi> isolates the id: its characters cannot change the order of the sentence.
  const [before, after] = t("callback/confirm", { user: "\n" }).split("\n");
  const user = element("span", { class: "user-id" }, element("bdi", {}, userId), after);
  partOf(view, "title").append(before, user);
  setText(partOf(view, "access"), textOr(`family/${family}/title`, "TikTok"));
  partOf(view, "confirm").onclick = () => {
    const confirmed = { ...params, confirmed: true };
    saveProgress({ params: confirmed });
    exchange(confirmed);
  };
  partOf(view, "refuse").onclick = () => {
    saveProgress(null);
    showError(new ApiError({ code: "not_confirmed" }));
  };
  showView(view);
}

function beginAttempt(automatic) {
  // During an automatic retry, the error stays on the page.
  automaticRetries = automatic ? automaticRetries + 1 : 0;
  if (!automatic) showConnecting();
}

async function exchange(params, { automatic = false } = {}) {
  beginAttempt(automatic);
  const { error: _, confirmed: __, ...body } = params;
  let response;
  try {
    response = await request("POST", "/oauth/exchange", { body, timeoutMs: EXCHANGE_TIMEOUT_MS });
  } catch (error) {
    return showError(error, (options) => exchange(params, options), { focus: !automatic });
  }
  if (response.selection_required) return showPicker(response, response);
  return complete(response);
}

/** TikTok sends no reason here: the person cancelled, or TikTok did not show its page. */
function showNoCode({ state }) {
  const onOpenAgain = state ? () => openTikTokAgain(state) : null;
  showView(errorView(new ApiError({ code: "no_code" }), { onOpenAgain }));
}

async function openTikTokAgain(state) {
  try {
    const { url } = await request("POST", "/oauth/restart", { body: { state } });
    location.assign(url);
  } catch (error) {
    showError(error, () => openTikTokAgain(state));
  }
}

function showConnecting() {
  const view = cloneTemplate("connecting");
  partOf(view, "icon").append(statusIcon("busy", { large: true }));
  showWaiting(view, t("callback/page"));
  setTimeout(() => {
    setText(partOf(view, "lead"), t("callback/slow"));
    if (view.isConnected) announce(t("callback/slow"));
  }, SLOW_AFTER_MS);
}

function showError(error, retry, { focus = true } = {}) {
  const options = { retry, automaticRetries, onSignOut: abandonAndSignOut };
  showView(errorView(error, options), { focus });
}

/**
 * The signed-in person did not start this and may have been tricked into opening it. The code is
 * deleted first, so that their TikTok account cannot be connected to the person who did.
 */
function abandonAndSignOut() {
  saveProgress(null);
  return signOut("/connect");
}

function complete(response) {
  const { business_id: id, account_id: name, advertisers, ticket } = response;
  const result = resultOf(response, id ? { id, name } : null);
  const canSelectAnother = advertisers.length > 1 && ticket;
  if (!canSelectAnother) saveProgress({ result });
  showDone(result, canSelectAnother ? () => selectAnother(response) : null);
}

const resultOf = ({ family, return_to: returnTo }, advertiser) => ({ family, returnTo, advertiser });

function showDone({ family, returnTo, advertiser }, onSelectAnother) {
  const view = cloneTemplate("done");
  partOf(view, "icon").append(statusIcon("connected", { large: true }));
  const title = textOr(`family/${family}/title`, "TikTok");
  setText(partOf(view, "title"), t("callback/done", { title }));
  if (advertiser) {
    setText(partOf(view, "name"), advertiser.name || t("picker/unnamed"));
    setText(partOf(view, "id"), advertiser.id);
  } else partOf(view, "advertiser").remove();
  const link = continueLink(returnTo);
  partOf(view, "continue").href = link.href;
  setText(partOf(view, "continue"), link.text);
  partOf(view, "select-other").hidden = !onSelectAnother;
  partOf(view, "select-other").onclick = onSelectAnother;
  showView(view);
}

/** The service passes on only an address that it signed. Here we check that it is a web address. */
function continueLink(returnTo) {
  const overview = { href: "/connect", text: t("callback/overview") };
  if (!returnTo) return overview;
  const url = new URL(returnTo, location.origin);
  if (!/^https?:$/.test(url.protocol)) return overview;
  const isOwn = url.origin === location.origin;
  const text = isOwn ? t("callback/continue") : t("callback/continue_to", { host: url.host });
  return { href: url.href, text };
}

// Selecting an ad account.

async function selectAnother(response) {
  try {
    showPicker(response, await loadAdvertisers(response));
  } catch (error) {
    showError(error, () => selectAnother(response));
  }
}

const loadAdvertisers = ({ connection_id: id, ticket: bearer }) =>
  request("GET", `/advertisers?connection_id=${encodeURIComponent(id)}`, { bearer });

function showPicker(response, { advertisers, lost_advertiser: lostAdvertiser }) {
  const onConfirm = (advertiser) => select(response, advertiser);
  const picker = advertiserPicker({ advertisers, lostAdvertiser, onConfirm });
  showView(element("div", { class: "card picker-card" }, picker), { title: t("picker/title") });
}

async function select(response, { id, name }) {
  const body = { advertiser_id: id, connection_id: response.connection_id };
  try {
    await request("POST", "/advertisers/select", { body, bearer: response.ticket });
  } catch (error) {
    return handleSelectError(error, response, { id, name });
  }
  const result = resultOf(response, { id, name });
  saveProgress({ result });
  announce(t("connect/selected", { name: name || id }));
  if (result.returnTo) location.assign(continueLink(result.returnTo).href);
  else showDone(result);
}

async function handleSelectError(error, response, advertiser) {
  if (error.code === "unauthenticated" && history.state?.params) {
    // The selection ticket has expired; posting the code again returns a new one.
    return exchange(history.state.params);
  }
  if (error.code === "unknown_advertiser") {
    announce(t("error/unknown_advertiser/text"));
    return selectAnother(response);
  }
  return showError(error, () => {
    showConnecting();
    return select(response, advertiser);
  });
}
