// What was tried with TikTok for one connection: newest first, filtered by how it ended.

import { call } from "./api.js";
import { announce, clone, copy, keyed, make, part, put, setTime } from "./dom.js";
import { say } from "./language.js";

const ALL = "";
const FAILED = "failed";
const ONE = "=";

/** Fills `place` the first time, and brings it up to date every other time. */
export async function openAttempts(place, id) {
  if (!place.firstChild) place.append(make("p", { class: "soft" }, say("status/attempts_loading")));
  let attempts;
  try {
    ({ attempts } = await call("GET", `/connections/${id}/attempts`));
  } catch (problem) {
    if (!place.attempts) place.firstChild.textContent = problem.message || say("problem/unreachable/text");
    return;
  }
  if (!place.attempts) place.replaceChildren(panel(place));
  place.attempts = attempts;
  update(place);
}

function panel(place) {
  const view = clone("attempts");
  part(view, "filter").onchange = () => update(place);
  part(view, "copy").onclick = async () => {
    const words = say((await copy(JSON.stringify(shown(place), null, 2))) ? "copied" : "copy_failed");
    const button = part(view, "copy");
    put(button, words);
    announce(words);
    setTimeout(() => put(button, say("status/copy_json")), 2_000);
  };
  return view;
}

function shown(place) {
  const chosen = part(place, "filter").value;
  if (chosen === ALL) return place.attempts;
  if (chosen === FAILED) return place.attempts.filter(({ verdict }) => verdict !== "ok");
  return place.attempts.filter(({ verdict }) => ONE + verdict === chosen);
}

function update(place) {
  offer(part(place, "filter"), place.attempts);
  const attempts = shown(place);
  put(part(place, "count"), say("status/attempts_fit", { count: attempts.length }));
  part(place, "none").hidden = attempts.length > 0;
  keyed(part(place, "list"), numbered(attempts), {
    key: ({ key }) => key,
    create: ({ attempt }) => entry(attempt),
    update: () => {},
  });
}

/** Two attempts may bear the same time; an attempt once written down never changes. */
function numbered(attempts) {
  const seen = new Map();
  return attempts.map((attempt) => {
    const same = `${attempt.at} ${attempt.what} ${attempt.verdict}`;
    seen.set(same, (seen.get(same) ?? 0) + 1);
    return { key: `${same} ${seen.get(same)}`, attempt };
  });
}

function offer(select, attempts) {
  const verdicts = [...new Set(attempts.map(({ verdict }) => verdict))].sort();
  const options = [
    [ALL, say("status/verdict_all")],
    [FAILED, say("status/verdict_failed")],
    ...verdicts.map((verdict) => [ONE + verdict, say("status/verdict_one", { verdict })]),
  ];
  const wanted = JSON.stringify(options);
  if (select.dataset.offered === wanted) return;
  const chosen = select.value;
  select.dataset.offered = wanted;
  select.replaceChildren(...options.map(([value, text]) => make("option", { value }, text)));
  select.value = options.some(([value]) => value === chosen) ? chosen : ALL;
}

function entry(attempt) {
  const item = clone("attempt");
  const well = attempt.verdict === "ok";
  item.dataset.well = well ? "yes" : "no";
  put(part(item, "what"), say(`status/what/${attempt.what}`));
  put(part(item, "verdict"), well ? say("status/ok") : attempt.verdict);
  setTime(part(item, "at"), attempt.at, "");
  const more = [
    say("status/took", { ms: attempt.took_ms }),
    say("status/by", { who: attempt.who }),
    attempt.code && attempt.code !== attempt.verdict ? attempt.code : null,
    attempt.request_id ? say("status/request", { id: attempt.request_id }) : null,
  ];
  put(part(item, "more"), more.filter(Boolean).join(" · "));
  put(part(item, "message"), attempt.message ?? "");
  return item;
}
