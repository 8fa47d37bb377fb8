// The newest deliveries of events on /status, filtered by endpoint and state.

import { request } from "./api.js";
import { announce, cloneTemplate, element, partOf, setText } from "./dom.js";
import { t } from "./i18n.js";
import { reconcileChildren } from "./list-diff.js";
import { clearTime, setTime } from "./time-element.js";

const STATES = ["pending", "delivered", "exhausted", "dropped"];
const MAX_SHOWN = 50;
const OK_BY_STATE = { delivered: "yes", waiting: "wait", retrying: "retry", exhausted: "no", dropped: "no" };

/** `load` returns a function that shows the deliveries, and needs the endpoints for their addresses. */
export function deliveryList(view) {
  const endpointFilter = partOf(view, "endpoint");
  const stateFilter = partOf(view, "state");
  let shownEndpoints = [];
  // A newer request makes the response to an older one worthless.
  let requestNumber = 0;
  setOptions(stateFilter, [["", t("events/all")], ...STATES.map((state) => [state, t(`events/filter/${state}`)])]);
  endpointFilter.onchange = stateFilter.onchange = applyFilters;

  async function load() {
    const number = ++requestNumber;
    const isFiltered = Boolean(endpointFilter.value || stateFilter.value);
    const { deliveries } = await loadDeliveries(endpointFilter.value, stateFilter.value);
    return (endpoints) => number === requestNumber && show(deliveries, { endpoints, isFiltered });
  }

  async function applyFilters() {
    try {
      (await load())(shownEndpoints);
      announce(partOf(view, "count").textContent);
    } catch {
      // The next poll loads the list again.
    }
  }

  function show(deliveries, { endpoints, isFiltered }) {
    shownEndpoints = endpoints;
    const urls = new Map(endpoints.map(({ id, url }) => [id, url]));
    setOptions(endpointFilter, [["", t("events/all")], ...urls]);
    view.hidden = endpoints.length === 0;
    const count = deliveries.length;
    const list = partOf(view, "list");
    list.hidden = count === 0;
    partOf(view, "none").hidden = count > 0;
    setText(partOf(view, "none"), t(isFiltered ? "events/no_match" : "events/none"));
    setText(partOf(view, "count"), t(count < MAX_SHOWN ? "events/count" : "events/newest", { count }));
    reconcileChildren(list, deliveries, {
      key: ({ id }) => String(id),
      create: () => cloneTemplate("log-item"),
      update: (item, delivery) => updateItem(item, delivery, urls),
    });
  }

  return { load };
}

/** The endpoint of the filter may have been deleted meanwhile. */
async function loadDeliveries(endpointId, state) {
  const query = new URLSearchParams({ limit: MAX_SHOWN });
  if (state) query.set("state", state);
  try {
    return await request("GET", endpointId ? `/endpoints/${endpointId}/deliveries?${query}` : `/deliveries?${query}`);
  } catch (error) {
    if (!endpointId || error.code !== "not_found") throw error;
    return { deliveries: [] };
  }
}

/** Keeps the selected value, if it is still among the options. */
function setOptions(select, options) {
  const serialized = JSON.stringify(options);
  if (select.dataset.options === serialized) return;
  const selected = select.value;
  select.dataset.options = serialized;
  select.replaceChildren(...options.map(([value, text]) => element("option", { value }, text)));
  select.value = options.some(([value]) => value === selected) ? selected : "";
}

function displayState({ state, attempts }) {
  if (state !== "pending") return state;
  return attempts > 0 ? "retrying" : "waiting";
}

function updateItem(item, delivery, urls) {
  const state = displayState(delivery);
  item.dataset.ok = OK_BY_STATE[state];
  setText(partOf(item, "title"), delivery.type);
  setText(partOf(item, "result"), t(`events/delivery/${state}`));
  const at = delivery.delivered_at ?? delivery.last_at;
  if (at) setTime(partOf(item, "at"), at);
  else clearTime(partOf(item, "at"), t("events/not_sent"));
  const { attempts, last_status: status, last_ms: ms } = delivery;
  const details = [
    urls.get(delivery.endpoint_id) ?? delivery.endpoint_id,
    attempts > 0 ? t("events/attempts", { count: attempts }) : null,
    status ? t("events/http_status", { status: String(status) }) : null,
    ms === null ? null : t("status/duration", { ms }),
  ];
  setText(partOf(item, "details"), details.filter(Boolean).join(" · "));
  showNextAttempt(partOf(item, "next"), state, delivery.due_at);
  const message = state === "dropped" ? t("events/dropped_help") : delivery.last_error;
  setText(partOf(item, "message"), state === "delivered" ? "" : message ?? "");
}

function showNextAttempt(time, state, dueAt) {
  time.hidden = state !== "retrying" || !dueAt;
  if (time.hidden || new Date(dueAt) <= Date.now()) clearTime(time, time.hidden ? "" : t("events/attempt_due"));
  else setTime(time, dueAt, "events/next_attempt");
}
