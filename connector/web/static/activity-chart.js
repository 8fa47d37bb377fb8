// The chart of the last 24 hours: successful calls above the axis, failed calls below it. The same
// numbers are in a table, and in one sentence for people who cannot see the chart.

import { element, svgElement } from "./dom.js";
import { t, timeOfDay } from "./i18n.js";

const HOURS = 24;
const HOUR_MS = 3_600_000;
const WIDTH = 720;
const HOUR_WIDTH = WIDTH / HOURS;
const BAR_WIDTH = 18;
const UP_HEIGHT = 84;
const DOWN_HEIGHT = 36;
// A bar of at least this height is visible.
const MIN_BAR = 3;
// The full height stands for at least this many calls, so that a single call does not fill the chart.
const MIN_SCALE = 6;
const LABEL_EVERY = 6;

let shownData = "";

export function showActivity({ since, hours: items }, { chart, legend, table }) {
  const hours = sumByHour(items);
  const data = JSON.stringify([since.slice(0, 16), hours]);
  if (data === shownData && chart.firstChild) return;
  shownData = data;
  const start = new Date(since).getTime();
  const totals = legendTexts(total(hours, "ok"), total(hours, "failed"));
  legend.replaceChildren(...totals.map(([kind, text]) => element("span", { class: kind }, text)));
  const sentence = totals.map(([, text]) => text).join(", ");
  chart.replaceChildren(chartView(hours, start, `${t("status/last_24_hours")}: ${sentence}`));
  table.replaceChildren(tableView(hours, start));
}

function sumByHour(items) {
  const hours = Array.from({ length: HOURS }, () => ({ ok: 0, failed: 0 }));
  for (const { hour, result, count } of items) {
    const sums = hours[Math.min(Math.max(hour, 0), HOURS - 1)];
    sums[result === "ok" ? "ok" : "failed"] += count;
  }
  return hours;
}

const total = (hours, kind) => hours.reduce((sum, hour) => sum + hour[kind], 0);

function legendTexts(ok, failed) {
  if (ok + failed === 0) return [["", t("status/no_calls")]];
  return [
    ["ok", t("status/calls_ok", { count: ok })],
    ["failed", t("status/calls_failed", { count: failed })],
  ];
}

function chartView(hours, start, label) {
  const scale = Math.max(MIN_SCALE, ...hours.flatMap(({ ok, failed }) => [ok, failed]));
  const bars = hours.flatMap(({ ok, failed }, hour) => {
    const x = hour * HOUR_WIDTH + (HOUR_WIDTH - BAR_WIDTH) / 2;
    const up = barHeight(ok, scale, UP_HEIGHT);
    const down = barHeight(failed, scale, DOWN_HEIGHT);
    return [
      ok > 0 && bar("ok", { x, y: UP_HEIGHT - up, height: up }),
      failed > 0 && bar("failed", { x, y: UP_HEIGHT + 2, height: down }),
    ];
  });
  const viewBox = `0 0 ${WIDTH} ${UP_HEIGHT + DOWN_HEIGHT + 4}`;
  const svg = svgElement(
    "svg",
    { viewBox, role: "img", "aria-label": label, preserveAspectRatio: "none" },
    svgElement("path", { class: "axis", d: `M0 ${UP_HEIGHT + 1}H${WIDTH}` }),
    ...bars.filter(Boolean),
  );
  return element("div", {}, svg, timeLabels(start));
}

function barHeight(count, scale, maxHeight) {
  return count === 0 ? 0 : Math.max(MIN_BAR, Math.round((count / scale) * maxHeight));
}

const bar = (kind, { x, y, height }) =>
  svgElement("rect", { class: kind, x, y, width: BAR_WIDTH, height, rx: Math.min(3, height / 2) });

function timeLabels(start) {
  const labels = element("div", { class: "time-labels", "aria-hidden": "true" });
  for (let hour = 0; hour < HOURS; hour += LABEL_EVERY) {
    labels.append(element("span", {}, timeOfDay(start + hour * HOUR_MS)));
  }
  labels.append(element("span", {}, t("now")));
  return labels;
}

function tableView(hours, start) {
  const head = ["status/table_hour", "status/table_ok", "status/table_failed"].map((key) =>
    element("th", { scope: "col" }, t(key)),
  );
  const rows = hours.map(({ ok, failed }, hour) =>
    element(
      "tr",
      {},
      element("th", { scope: "row" }, timeOfDay(start + hour * HOUR_MS)),
      element("td", {}, String(ok)),
      element("td", {}, String(failed)),
    ),
  );
  return element(
    "table",
    {},
    element("thead", {}, element("tr", {}, ...head)),
    element("tbody", {}, ...rows),
  );
}
