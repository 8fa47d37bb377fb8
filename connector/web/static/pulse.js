// The last 24 hours as a picture: what went well stands above the line, what failed hangs below it.
// The same is there as a table, and in one sentence for whoever cannot see it.

import { draw, make } from "./dom.js";
import { say, timeOfDay } from "./language.js";

const HOURS = 24;
const WIDTH = 720;
const STEP = WIDTH / HOURS;
const BAR = 18;
const UP = 84;
const DOWN = 36;
const LEAST = 3;
// With fewer than this in an hour the bars stay low: a single call is no tower.
const QUIET = 6;
const LABEL_EVERY = 6;

let drawn = "";

export function showPulse({ since, hours }, { picture, legend, table }) {
  const days = sums(hours);
  const now = JSON.stringify([since.slice(0, 16), days]);
  if (now === drawn && picture.firstChild) return;
  drawn = now;
  const well = total(days, "well");
  const failed = total(days, "failed");
  const spoken =
    well + failed === 0
      ? [say("status/day_none")]
      : [say("status/day_well", { count: well }), say("status/day_failed", { count: failed })];
  legend.replaceChildren(
    ...spoken.map((text, at) =>
      make("span", { class: well + failed === 0 ? "" : ["went-well", "failed"][at] }, text),
    ),
  );
  const start = new Date(since).getTime();
  picture.replaceChildren(chart(days, start, `${say("status/day")}: ${spoken.join(", ")}`));
  table.replaceChildren(asTable(days, start));
}

function sums(hours) {
  const days = Array.from({ length: HOURS }, () => ({ well: 0, failed: 0 }));
  for (const { hour, verdict, times } of hours) {
    const day = days[Math.min(Math.max(hour, 0), HOURS - 1)];
    day[verdict === "ok" ? "well" : "failed"] += times;
  }
  return days;
}

const total = (days, which) => days.reduce((sum, day) => sum + day[which], 0);

function chart(days, start, spoken) {
  const highest = Math.max(QUIET, ...days.flatMap((day) => [day.well, day.failed]));
  const bars = days.flatMap((day, hour) => {
    const x = hour * STEP + (STEP - BAR) / 2;
    const up = height(day.well, highest, UP);
    const down = height(day.failed, highest, DOWN);
    return [
      day.well > 0 && bar("went-well", x, UP - up, up),
      day.failed > 0 && bar("failed", x, UP + 2, down),
    ];
  });
  const axis = draw("path", { class: "axis", d: `M0 ${UP + 1}H${WIDTH}` });
  const svg = draw(
    "svg",
    { viewBox: `0 0 ${WIDTH} ${UP + DOWN + 4}`, role: "img", "aria-label": spoken, preserveAspectRatio: "none" },
    axis,
    ...bars.filter(Boolean),
  );
  return make("div", {}, svg, labels(start));
}

/** Something that happened is never too small to be seen. */
function height(times, highest, room) {
  return times === 0 ? 0 : Math.max(LEAST, Math.round((times / highest) * room));
}

const bar = (kind, x, y, height) =>
  draw("rect", { class: kind, x, y, width: BAR, height, rx: Math.min(3, height / 2) });

function labels(start) {
  const scale = make("div", { class: "scale", "aria-hidden": "true" });
  for (let hour = 0; hour < HOURS; hour += LABEL_EVERY) {
    scale.append(make("span", {}, timeOfDay(start + hour * 3_600_000)));
  }
  scale.append(make("span", {}, say("now")));
  return scale;
}

function asTable(days, start) {
  const head = ["status/hour", "status/went_well", "status/failed"].map((key) =>
    make("th", { scope: "col" }, say(key)),
  );
  const rows = days.map((day, hour) =>
    make(
      "tr",
      {},
      make("th", { scope: "row" }, timeOfDay(start + hour * 3_600_000)),
      make("td", {}, String(day.well)),
      make("td", {}, String(day.failed)),
    ),
  );
  return make("table", {}, make("thead", {}, make("tr", {}, ...head)), make("tbody", {}, ...rows));
}
