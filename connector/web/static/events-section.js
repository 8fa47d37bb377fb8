// The operator's section "Events" on /status: the endpoints and the newest deliveries.

import { request } from "./api.js";
import { deliveryList } from "./delivery-list.js";
import { cloneTemplate, partOf, setText } from "./dom.js";
import { addEndpoint, showSecret } from "./endpoint-dialogs.js";
import { PROBLEM_STATES, createEndpointRow, displayState, updateEndpointRow } from "./endpoint-row.js";
import { t } from "./i18n.js";
import { reconcileChildren } from "./list-diff.js";

/**
 * `load` returns a function that shows what was loaded. Without `mayWrite` nothing can be changed. `problem` is the
 * note at the top of the page about endpoints that get no events.
 */
export function eventsSection({ mayWrite, problem }) {
  const view = cloneTemplate("events");
  const title = partOf(view, "title");
  const deliveries = deliveryList(partOf(view, "deliveries"));
  // A newer request makes the response to an older one worthless.
  let requestNumber = 0;

  const add = partOf(view, "add");
  add.hidden = !mayWrite;
  add.onclick = async () => {
    const created = await addEndpoint();
    if (!created) return;
    await showSecret(created.secret, "events/secret_dialog/created");
    await reload();
  };

  async function load() {
    const number = ++requestNumber;
    const [{ endpoints }, showDeliveries] = await Promise.all([
      request("GET", "/endpoints"),
      deliveries.load(),
    ]);
    return () => {
      if (number !== requestNumber) return;
      showEndpoints(endpoints);
      showDeliveries(endpoints);
    };
  }

  function showEndpoints(endpoints) {
    reconcileChildren(partOf(view, "endpoints"), endpoints, {
      key: ({ id }) => id,
      create: (endpoint) => createEndpointRow(endpoint, { mayWrite, onChanged }),
      update: updateEndpointRow,
    });
    partOf(view, "no-endpoints").hidden = endpoints.length > 0;
    const count = endpoints.filter((endpoint) => PROBLEM_STATES.includes(displayState(endpoint))).length;
    problem.hidden = count === 0;
    setText(problem.querySelector("a"), t("events/problem", { count }));
  }

  /** The next poll reloads the section, if this fails. */
  const reload = async () => {
    try {
      (await load())();
    } catch {
      requestNumber += 1;
    }
  };

  async function onChanged({ isDeleted = false } = {}) {
    await reload();
    if (isDeleted) title.focus();
  }

  return { view, load };
}
