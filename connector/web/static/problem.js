// What went wrong, as a sentence that helps and a way on. One look for it on every page.

import { announce, copy, line, make, put } from "./dom.js";
import { has, say } from "./language.js";

const AUTOMATIC_TRIES = 6;
const FIRST_WAIT = 3;
const LONGEST_WAIT = 30;

const startAgain = () => make("a", { class: "button", href: "/connect" }, say("start_again"));

/** `again` tries the same once more; `tries` counts how often that was done without being asked. */
export function problemView(problem, { again, tries = 0, leave, ways = [] } = {}) {
  const key = has(`problem/${problem.code}`) ? problem.code : "other";
  const actions = make("div", { class: "actions" });
  const view = make(
    "section",
    { class: "state", "data-problem": problem.code },
    line(problem.retryable ? "failing" : "broken", { large: true }),
    make("h1", {}, say(`problem/${key}/title`)),
    make("p", { class: "lede" }, say(`problem/${key}/text`)),
    actions,
  );
  if (again && (problem.retryable || key === "other")) {
    actions.append(make("button", { class: "button", type: "button", onclick: () => again() }, say("again")));
    if (problem.retryable && tries < AUTOMATIC_TRIES) view.append(countdown(problem, again, tries, view));
    else actions.append(quiet(startAgain()));
  } else if (problem.code === "wrong_user" && leave) {
    actions.append(make("button", { class: "button", type: "button", onclick: leave }, say("leave")));
  } else if (ways.length === 0) {
    actions.append(startAgain());
  }
  actions.append(...ways);
  const facts = known(problem.facts);
  if (facts.length > 0) view.append(support(facts));
  return view;
}

function quiet(button) {
  button.classList.add("quiet");
  return button;
}

/** Tries again by itself, for as long as the view is there: at the time given, or back online. */
function countdown(problem, again, tries, view) {
  const wait = problem.retryAfter ?? Math.min(FIRST_WAIT * 2 ** tries, LONGEST_WAIT);
  const until = Date.now() + wait * 1_000;
  const words = make("p", { class: "soft countdown", role: "timer" });
  const timer = setInterval(step, 250);
  addEventListener("online", go);
  let seen = false;
  step();
  return words;

  function step() {
    if (seen && !view.isConnected) return stop();
    seen = view.isConnected;
    if (!navigator.onLine) return put(words, "");
    const left = Math.ceil((until - Date.now()) / 1_000);
    put(words, say("again_in", { seconds: Math.max(left, 0) }));
    if (left <= 0) go();
  }

  function go() {
    stop();
    if (view.isConnected) again({ automatic: true });
  }

  function stop() {
    clearInterval(timer);
    removeEventListener("online", go);
  }
}

const known = (facts = {}) => Object.entries(facts).filter(([, value]) => value !== undefined && value !== null && value !== "");

function support(facts) {
  const list = make("dl", { class: "facts" });
  for (const [name, value] of facts) {
    list.append(make("div", {}, make("dt", {}, name), make("dd", {}, String(value))));
  }
  const text = facts.map(([name, value]) => `${name}: ${value}`).join("\n");
  const button = make("button", { class: "link", type: "button", onclick: copyIt }, say("copy"));
  return make("details", { class: "support" }, make("summary", {}, say("details")), list, button);

  async function copyIt() {
    const words = say((await copy(text)) ? "copied" : "copy_failed");
    put(button, words);
    announce(words);
  }
}
