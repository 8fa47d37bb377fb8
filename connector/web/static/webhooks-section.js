// The operator's section "Webhooks from TikTok" on /status: the last webhooks, and what to do if none ever came.

import { request } from "./api.js";
import { cloneTemplate, connectCopyButton, element, partOf, setText } from "./dom.js";
import { t } from "./i18n.js";
import { reconcileChildren } from "./list-diff.js";
import { setTime, timeElement } from "./time-element.js";

const OK_BY_OUTCOME = { unreadable: "no" };

/** `load` returns a function that shows what was loaded. */
export function webhooksSection() {
  const view = cloneTemplate("webhooks");
  const address = partOf(view, "address");
  connectCopyButton(partOf(view, "copy"), () => address.textContent);

  async function load() {
    const loaded = await request("GET", "/webhooks");
    return () => show(loaded);
  }

  function show({ webhooks, apps, url }) {
    setText(address, url);
    partOf(view, "setup").hidden = apps.length > 0;
    partOf(view, "received").hidden = apps.length === 0;
    reconcileChildren(partOf(view, "apps"), apps, {
      key: ({ app }) => app,
      create: appFact,
      update: (fact, { last_webhook_at: at }) => setTime(fact.querySelector("time"), at),
    });
    const list = partOf(view, "list");
    list.hidden = webhooks.length === 0;
    partOf(view, "none").hidden = webhooks.length > 0;
    reconcileChildren(list, withKeys(webhooks), {
      key: ({ key }) => key,
      create: ({ webhook }) => webhookItem(webhook),
      update: () => {}, // A stored webhook never changes.
    });
  }

  return { view, load };
}

const appFact = ({ app, last_webhook_at: at }) =>
  element(
    "div",
    {},
    element("dt", {}, t("webhooks/last", { app })),
    element("dd", {}, timeElement(at)),
  );

/** Two webhooks may arrive at the same time, so the key also counts equal ones. */
function withKeys(webhooks) {
  const counts = new Map();
  return webhooks.map((webhook) => {
    const name = JSON.stringify(webhook);
    counts.set(name, (counts.get(name) ?? 0) + 1);
    return { key: `${name} ${counts.get(name)}`, webhook };
  });
}

function webhookItem({ event, app, tiktok_user_id: userId, outcome, received_at: receivedAt }) {
  const item = cloneTemplate("log-item");
  item.dataset.ok = OK_BY_OUTCOME[outcome] ?? "yes";
  setText(partOf(item, "title"), event || t("webhooks/unnamed"));
  setText(partOf(item, "result"), t(`webhooks/outcome/${outcome}`));
  setTime(partOf(item, "at"), receivedAt);
  const details = [t("webhooks/app", { app }), userId ? t("webhooks/user", { user: userId }) : null];
  setText(partOf(item, "details"), details.filter(Boolean).join(" · "));
  return item;
}
