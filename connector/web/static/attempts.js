// The last attempts with TikTok for one connection: newest first, filtered by result.

import { request } from "./api.js";
import { cloneTemplate, connectCopyButton, element, partOf, setText } from "./dom.js";
import { t } from "./i18n.js";
import { reconcileChildren } from "./list-diff.js";
import { setTime } from "./time-element.js";

const FILTER_ALL = "";
const FILTER_FAILED = "failed";
// The value of an option that shows one result is this and the result.
const FILTER_ONE = "=";

/** Fills `container` on the first call and updates it on later ones. */
export async function showAttempts(container, connectionId) {
  if (!container.firstChild) {
    container.append(element("p", { class: "muted" }, t("status/attempts_loading")));
  }
  let attempts;
  try {
    ({ attempts } = await request("GET", `/connections/${connectionId}/attempts`));
  } catch (error) {
    if (!container.attempts) setText(container.firstChild, error.message || t("error/unreachable/text"));
    return;
  }
  if (!container.attempts) container.replaceChildren(panel(container));
  container.attempts = attempts;
  update(container);
}

function panel(container) {
  const view = cloneTemplate("attempts");
  partOf(view, "filter").onchange = () => update(container);
  connectCopyButton(partOf(view, "copy"), () => JSON.stringify(filtered(container), null, 2));
  return view;
}

function filtered(container) {
  const filter = partOf(container, "filter").value;
  if (filter === FILTER_ALL) return container.attempts;
  if (filter === FILTER_FAILED) return container.attempts.filter(({ result }) => result !== "ok");
  return container.attempts.filter(({ result }) => FILTER_ONE + result === filter);
}

function update(container) {
  updateFilter(partOf(container, "filter"), container.attempts);
  const attempts = filtered(container);
  setText(partOf(container, "count"), t("status/attempts_count", { count: attempts.length }));
  partOf(container, "no-attempts").hidden = attempts.length > 0;
  reconcileChildren(partOf(container, "list"), withKeys(attempts), {
    key: ({ key }) => key,
    create: ({ attempt }) => attemptItem(attempt),
    update: () => {}, // A stored attempt never changes.
  });
}

/** Two attempts may have the same time, so the key also counts equal ones. */
function withKeys(attempts) {
  const counts = new Map();
  return attempts.map((attempt) => {
    const name = `${attempt.at} ${attempt.operation} ${attempt.result}`;
    counts.set(name, (counts.get(name) ?? 0) + 1);
    return { key: `${name} ${counts.get(name)}`, attempt };
  });
}

function updateFilter(select, attempts) {
  const results = [...new Set(attempts.map(({ result }) => result))].sort();
  const options = [
    [FILTER_ALL, t("status/filter_all")],
    [FILTER_FAILED, t("status/filter_failed")],
    ...results.map((result) => [FILTER_ONE + result, t("status/filter_one", { result })]),
  ];
  const serialized = JSON.stringify(options);
  if (select.dataset.options === serialized) return;
  const selected = select.value;
  select.dataset.options = serialized;
  select.replaceChildren(...options.map(([value, text]) => element("option", { value }, text)));
  select.value = options.some(([value]) => value === selected) ? selected : FILTER_ALL;
}

function attemptItem(attempt) {
  const item = cloneTemplate("log-item");
  const isOk = attempt.result === "ok";
  item.dataset.ok = isOk ? "yes" : "no";
  setText(partOf(item, "title"), t(`status/operation/${attempt.operation}`));
  setText(partOf(item, "result"), isOk ? t("status/ok") : attempt.result);
  setTime(partOf(item, "at"), attempt.at);
  const { tiktok_code: tiktokCode } = attempt;
  const details = [
    t("status/duration", { ms: attempt.duration_ms }),
    t("status/actor", { actor: attempt.actor }),
    tiktokCode && tiktokCode !== attempt.result ? tiktokCode : null,
    attempt.request_id ? t("status/request", { id: attempt.request_id }) : null,
  ];
  setText(partOf(item, "details"), details.filter(Boolean).join(" · "));
  setText(partOf(item, "message"), attempt.message ?? "");
  return item;
}
