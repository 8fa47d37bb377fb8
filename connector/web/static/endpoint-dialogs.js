// The dialogs for an endpoint on /status. The request is sent while the dialog is open: a failure is shown in it.

import { request } from "./api.js";
import { openDialog, showError } from "./dialog.js";
import { cloneTemplate, connectCopyButton, element, partOf, setText, whileBusy } from "./dom.js";
import { t } from "./i18n.js";

const PREFIXES = ["connection", "endpoint", "tiktok"];
const DEFAULT_PREFIX = "connection";
const GRACE_HOURS = [0, 1, 24, 168];
const DEFAULT_GRACE_HOURS = 24;
const REPLAY_HOURS = [24, 168, 720];
const HOUR_MS = 3_600_000;
// The service refuses a time before 30 days ago, and its clock may be ahead of the browser's.
const MAX_REPLAY_MS = 720 * HOUR_MS - 600_000;

/** Resolves to the endpoint with its secret, or to null. */
export function addEndpoint() {
  const dialog = cloneTemplate("add-endpoint");
  partOf(dialog, "prefixes").append(...PREFIXES.map(prefixChoice));
  partOf(dialog, "cancel").onclick = () => dialog.close();
  const submit = async (finish) => {
    const url = partOf(dialog, "url");
    const body = formBody(dialog);
    url.removeAttribute("aria-invalid");
    partOf(dialog, "failure").hidden = true;
    if (!body.url) return refuseUrl(dialog, t("events/add_dialog/url_missing"));
    if (body.events.length === 0) return fail(dialog, { message: t("events/add_dialog/events_missing") });
    try {
      finish(await request("POST", "/endpoints", { body }));
    } catch (error) {
      if (error.code === "endpoint_refused") refuseUrl(dialog, error.message);
      else fail(dialog, error);
    }
  };
  const prepare = (finish) => {
    partOf(dialog, "form").onsubmit = async (event) => {
      event.preventDefault();
      await whileBusy(partOf(dialog, "confirm"), t("events/add_dialog/working"), () => submit(finish));
    };
  };
  return openDialog(dialog, prepare, { closedBy: "closerequest" });
}

function prefixChoice(name) {
  const checked = name === DEFAULT_PREFIX;
  const pattern = `${name}.*`;
  const box = element("input", { type: "checkbox", value: pattern, checked });
  const text = element("span", {}, t(`events/add_dialog/prefix/${name}`), element("code", {}, pattern));
  return element("label", { class: "choice" }, box, text);
}

function formBody(dialog) {
  const prefixes = [...partOf(dialog, "prefixes").querySelectorAll(":checked")].map(({ value }) => value);
  const types = partOf(dialog, "types").value.split(/[\s,]+/).filter(Boolean);
  return {
    url: partOf(dialog, "url").value.trim(),
    events: [...new Set([...prefixes, ...types])],
    description: partOf(dialog, "description").value.trim(),
  };
}

const fail = (dialog, error) => showError(partOf(dialog, "failure"), error);

function refuseUrl(dialog, message) {
  const url = partOf(dialog, "url");
  fail(dialog, { message });
  url.setAttribute("aria-invalid", "true");
  url.focus();
}

/** Shows a secret for the only time. Resolves when the reader has closed the dialog with its button. */
export function showSecret(secret, titleKey) {
  const dialog = cloneTemplate("endpoint-secret");
  setText(partOf(dialog, "title"), t(titleKey));
  partOf(dialog, "secret").value = secret;
  connectCopyButton(partOf(dialog, "copy"), () => secret);
  partOf(dialog, "done").onclick = () => dialog.close();
  return openDialog(dialog, () => {}, { closedBy: "none" });
}

/** Resolves to the endpoint with its new secret, or to null. */
export const confirmRotation = (endpoint) =>
  confirmAction("rotate_dialog", endpoint, {
    choices: GRACE_HOURS,
    defaultChoice: DEFAULT_GRACE_HOURS,
    send: (hours) => request("POST", `/endpoints/${endpoint.id}/secret`, { body: { grace_hours: hours } }),
  });

/** Resolves to the number of events that are queued, or to null. */
export const confirmReplay = (endpoint) =>
  confirmAction("replay_dialog", endpoint, {
    choices: REPLAY_HOURS,
    send: (hours) => {
      const since = new Date(Date.now() - Math.min(hours * HOUR_MS, MAX_REPLAY_MS)).toISOString();
      return request("POST", `/endpoints/${endpoint.id}/replay`, { body: { since } });
    },
  });

/** Resolves to a value if the endpoint is deleted, or to null. */
export const confirmDelete = (endpoint) =>
  confirmAction("delete_dialog", endpoint, {
    isDangerous: true,
    send: () => request("DELETE", `/endpoints/${endpoint.id}`),
  });

/** Resolves to the response, or to null. `send` gets the selected one of `choices`, each a number of hours. */
function confirmAction(name, endpoint, { choices = [], defaultChoice, isDangerous = false, send }) {
  const dialog = cloneTemplate("endpoint-action");
  const confirm = partOf(dialog, "confirm");
  for (const part of ["title", "effect", "confirm"]) setText(partOf(dialog, part), t(`events/${name}/${part}`));
  setText(partOf(dialog, "endpoint"), endpoint.url);
  confirm.classList.toggle("danger", isDangerous);
  partOf(dialog, "cancel").onclick = () => dialog.close();
  const options = partOf(dialog, "options");
  if (choices.length > 0) {
    partOf(dialog, "choice").hidden = false;
    setText(partOf(dialog, "choice-label"), t(`events/${name}/choice`));
    for (const value of choices) {
      const selected = value === defaultChoice;
      options.append(element("option", { value, selected }, t(`events/${name}/options/${value}`)));
    }
  }
  return openDialog(dialog, (finish) => {
    confirm.onclick = () =>
      whileBusy(confirm, t("working"), async () => {
        try {
          finish(await send(Number(options.value)));
        } catch (error) {
          fail(dialog, error);
        }
      });
  });
}
