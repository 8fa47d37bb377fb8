// Every connection at a glance, live: asked anew every few seconds while somebody is looking.

import { call } from "./api.js";
import { announce, clone, during, fill, keyed, line, part, put, show, tick } from "./dom.js";
import { say } from "./language.js";
import { problemView } from "./problem.js";
import { showPulse } from "./pulse.js";
import { age, createRow, updateRow } from "./rows.js";
import { enter, onTicket, showWaiting, takeTicket } from "./session.js";
import { stateOf } from "./standing.js";

const EVERY = 4_000;
const LONGEST_PAUSE = 60_000;
const TICK = 1_000;
const PAGE = 100;
const LARGEST_PAGE = 1_000;
const MANY = 30;
const FOR_A_PERSON = ["reconnect_required", "advertiser_lost", "choose"];
const URGENCY = [...FOR_A_PERSON, "refresh_failing", "active", "revoked"];

let session;
let view;
let wanted = PAGE;
let pause = EVERY;
let timer;
let nextAt = 0;
// A newer look at the house makes an older one, still on its way, worthless.
let look = 0;

fill(document.body);
begin(takeTicket());
onTicket(begin);
setInterval(beat, TICK);
document.addEventListener("visibilitychange", () => (document.hidden ? stop() : resume()));
addEventListener("online", resume);

async function begin(taken, { tries = 0 } = {}) {
  stop();
  if (tries === 0) showWaiting(fresh(), say("status/page"));
  try {
    session = await enter(taken?.ticket);
    await open();
  } catch (problem) {
    if (["unauthenticated", "forbidden"].includes(problem.code)) return askForKey();
    const again = ({ automatic = false } = {}) => begin(taken, { tries: automatic ? tries + 1 : 0 });
    show(problemView(problem, { again, tries }), { focus: tries === 0 });
  }
}

// Signing in.

function askForKey(words = "") {
  stop();
  view = null;
  const form = clone("key");
  part(form, "sign").append(line("none", { large: true }));
  put(part(form, "wrong"), words);
  part(form, "form").onsubmit = (event) => {
    event.preventDefault();
    during(part(form, "go"), say("working"), () => signIn(form));
  };
  show(form, { page: say("status/page") });
  part(form, "field").focus();
}

/** The key leaves the page the moment it is sent, whatever comes of it. */
async function signIn(form) {
  const field = part(form, "field");
  const key = field.value.trim();
  field.value = "";
  if (!key) return wrong(form, say("status/key_none"));
  try {
    await enter(key);
  } catch (problem) {
    const known = problem.code === "unauthenticated" ? say("status/key_wrong") : problem.message;
    return wrong(form, known || say("problem/unreachable/text"));
  }
  return begin(null);
}

function wrong(form, words) {
  put(part(form, "wrong"), words);
  part(form, "field").setAttribute("aria-invalid", "true");
  part(form, "field").focus();
}

// Looking.

function fresh() {
  view = clone("page");
  part(view, "empty-sign").append(line("none"));
  part(view, "show-more").onclick = more;
  return view;
}

async function open() {
  await glance();
  view.removeAttribute("aria-busy");
  view.querySelector("h1").focus();
  again(EVERY);
}

async function glance() {
  const mine = ++look;
  const [{ connections, next }, pulse] = await Promise.all([listed(), call("GET", "/pulse")]);
  if (mine !== look || !view) return;
  showList(connections, next);
  showVerdict(connections, next);
  const [picture, legend, table] = ["picture", "legend", "table"].map((name) => part(view, name));
  showPulse(pulse, { picture, legend, table });
  tick();
}

/** As many as were asked for by "Show more", in as few requests as the service allows. */
async function listed() {
  const connections = [];
  let next = null;
  do {
    const limit = Math.min(wanted - connections.length, LARGEST_PAGE);
    const after = next ? `&after=${encodeURIComponent(next)}` : "";
    const page = await call("GET", `/connections?limit=${limit}${after}`);
    connections.push(...page.connections);
    next = page.next ?? null;
  } while (next && connections.length < wanted);
  return { connections, next };
}

function showList(connections, next) {
  const rows = part(view, "rows");
  for (const skeleton of rows.querySelectorAll(".skeleton")) skeleton.remove();
  const urgency = (connection) => URGENCY.indexOf(stateOf(connection));
  const sorted = connections.toSorted((one, other) => urgency(one) - urgency(other));
  keyed(rows, sorted, {
    key: ({ id }) => id,
    create: (connection) => createRow(connection, { everybody: session.kind === "server", changed }),
    update: updateRow,
  });
  rows.classList.toggle("many", sorted.length > MANY);
  part(view, "empty").hidden = connections.length > 0;
  part(view, "show-more").hidden = !next;
}

function changed(connection) {
  const row = connection && view?.querySelector(`[data-key="${connection.id}"]`);
  if (row) updateRow(row, { ...row.connection, ...connection });
  again(0);
}

function showVerdict(connections, next) {
  const count = (...states) => connections.filter((one) => states.includes(stateOf(one))).length;
  const person = count(...FOR_A_PERSON);
  const trying = count("refresh_failing");
  const [kind, sign, many] =
    person > 0 ? ["person", "broken", person]
    : trying > 0 ? ["trying", "failing", trying]
    : ["well", "connected", count("active")];
  const verdict = part(view, "verdict");
  verdict.hidden = connections.length === 0;
  if (verdict.dataset.kind !== kind) part(verdict, "sign").replaceChildren(line(sign));
  verdict.dataset.kind = kind;
  const among = next ? ` ${say("status/first", { count: connections.length })}` : "";
  put(part(verdict, "verdict-title"), say(`status/${kind}`, { count: many }));
  put(part(verdict, "verdict-more"), say(`status/${kind}_more`, { count: many }) + among);
}

function more() {
  wanted += PAGE;
  return during(part(view, "show-more"), say("working"), () => poll());
}

// Staying live.

function again(after) {
  clearTimeout(timer);
  nextAt = Date.now() + after;
  timer = setTimeout(poll, after);
}

function stop() {
  clearTimeout(timer);
  timer = null;
}

function resume() {
  if (view && session && !document.hidden) again(0);
}

async function poll() {
  if (!view || document.hidden) return;
  try {
    await glance();
    pause = EVERY;
  } catch (problem) {
    if (problem.code === "unauthenticated") return askForKey(say("status/ended"));
    if (pause === EVERY) announce(say("problem/unreachable/title"));
    pause = Math.min(Math.max(pause * 2, (problem.retryAfter ?? 0) * 1_000), LONGEST_PAUSE);
  }
  again(pause);
}

function beat() {
  if (!view || document.hidden) return;
  for (const row of part(view, "rows").children) if (row.connection) age(row);
  const live = part(view, "live");
  const stale = pause > EVERY;
  live.classList.toggle("stale", stale);
  const seconds = Math.max(0, Math.ceil((nextAt - Date.now()) / 1_000));
  put(live, stale ? say("status/stale", { seconds }) : say("status/live"));
  tick();
}
