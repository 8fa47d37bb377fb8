// "Connect TikTok": one card for each family that is switched on, and what is connected now.

import { call } from "./api.js";
import { askDisconnect, chooseAdvertiser } from "./dialogs.js";
import { announce, clone, during, fill, line, make, moment, part, put, show, tick } from "./dom.js";
import { has, lines, say } from "./language.js";
import { problemView } from "./problem.js";
import { enter, onTicket, showWaiting, takeTicket } from "./session.js";
import { SIGNS, stateOf } from "./standing.js";

const TROUBLE = {
  reconnect_required: "reconnect",
  advertiser_lost: "lost",
  choose: "choose",
  refresh_failing: "failing",
};
const TICK = 5_000;

let returnTo = "/connect";

fill(document.body);
begin(takeTicket());
onTicket(begin);
setInterval(tick, TICK);
// Back from TikTok by the back button: the page is as it was left, and may be out of date.
addEventListener("pageshow", (event) => event.persisted && begin(null));

async function begin(taken, { tries = 0 } = {}) {
  if (taken?.returnTo) returnTo = taken.returnTo;
  if (tries === 0) showWaiting(page(), say("connect/page"));
  try {
    const session = await enter(taken?.ticket);
    if (session.kind === "user") await overview();
    else show(gate("server", make("a", { class: "button", href: "/status" }, say("gate/server_way"))));
  } catch (problem) {
    if (problem.code === "unauthenticated") return show(gate(taken ? "old" : "none"));
    const again = ({ automatic = false } = {}) => begin(taken, { tries: automatic ? tries + 1 : 0 });
    show(problemView(problem, { again, tries }), { focus: tries === 0 });
  }
}

function page() {
  const view = clone("page");
  part(view, "points").append(...lines("connect/points").map((text) => make("li", {}, text)));
  return view;
}

function gate(why, way) {
  const ownWay = why === "none" ? make("p", { class: "soft" }, say("gate/none_demo")) : null;
  return make(
    "section",
    { class: "state", "data-gate": why },
    line("none", { large: true }),
    make("h1", {}, say(`gate/${why}`)),
    make("p", { class: "lede" }, say(`gate/${why}_more`)),
    ownWay,
    way ? make("div", { class: "actions" }, way) : null,
  );
}

/** Everything anew; `focus` names the family whose card is to be read on from. */
async function overview({ focus } = {}) {
  const [{ families }, { connections }] = await Promise.all([
    call("GET", "/families"),
    call("GET", "/connections"),
  ]);
  const shown = await Promise.all(connections.map(whole));
  const cards = families.map((family) =>
    card(family, shown.filter((connection) => connection.family === family.name)),
  );
  if (cards.length === 0) cards.push(nothingOn());
  const view = page();
  part(view, "cards").replaceChildren(...cards);
  // Whoever is connected has made up their mind; on a phone the cards come sooner without.
  if (shown.some(({ status }) => status !== "revoked")) part(view, "points").remove();
  show(view, { page: say("connect/page"), focus: !focus });
  const heading = focus && view.querySelector(`[data-family="${focus}"] h2`);
  if (heading) {
    heading.tabIndex = -1;
    heading.focus();
  }
}

/** The list is brief: an account's name, and all one could choose from, only the single read tells. */
async function whole(connection) {
  return connection.status === "revoked" ? connection : call("GET", `/connections/${connection.id}`);
}

function nothingOn() {
  return make(
    "article",
    { class: "card" },
    make("h2", {}, say("connect/none_on")),
    make("p", { class: "soft" }, say("connect/none_on_more")),
  );
}

const titleOf = ({ name, title }) => (has(`family/${name}/title`) ? say(`family/${name}/title`) : title);

function card(family, connections) {
  const view = clone("family");
  const alive = connections.filter((connection) => connection.status !== "revoked");
  const words = has(`family/${family.name}/why`) ? family.name : "other";
  view.dataset.family = family.name;
  put(part(view, "title"), titleOf(family));
  put(part(view, "why"), say(`family/${words}/why`));
  if (alive.length > 0) {
    part(view, "offer").remove();
    part(view, "connections").append(...alive.map((connection) => connected(family, connection)));
    return view;
  }
  part(view, "connections").remove();
  const asks = [...lines(`family/${words}/asks`), ...(words === "marketing" ? [] : family.scopes.map(scope))];
  part(view, "asks").append(...asks.map((text) => make("li", {}, text)));
  if (connections.length > 0) {
    const ended = connections.map((connection) => connection.updated_at).sort().at(-1);
    part(view, "past").hidden = false;
    part(view, "past").append(moment(ended, "connect/revoked"));
  }
  const button = part(view, "connect");
  put(button, say("connect/connect", { title: titleOf(family) }));
  button.onclick = () => leaveFor(family.name, button);
  return view;
}

const scope = (name) => (has(`scope/${name}`) ? say(`scope/${name}`) : name);

function connected(family, connection) {
  const view = clone("connection");
  const { advertiser, account } = connection;
  const shown = advertiser ?? account;
  const state = stateOf(connection);
  const trouble = TROUBLE[state];
  view.dataset.connection = connection.id;
  view.dataset.status = state;
  part(view, "sign").append(line(SIGNS[state]));
  put(part(view, "name"), shown ? shown.name || shown.id : unnamed(connection));
  put(part(view, "id"), advertiser?.name ? advertiser.id : "");
  put(part(view, "status"), say(state === "reconnect_required" ? "connect/ended" : `status/${state}`));
  if (trouble) tellTrouble(view, connection, trouble);
  part(view, "facts").append(...facts(connection));
  part(view, "actions").append(...actions(family, connection, trouble));
  return view;
}

const unnamed = ({ family }) =>
  say(family === "marketing" ? "connect/no_advertiser" : "connect/unnamed");

function tellTrouble(view, connection, trouble) {
  const note = part(view, "trouble");
  note.hidden = false;
  note.classList.add(trouble === "reconnect" || trouble === "lost" ? "bad" : "warn");
  const name = connection.advertiser?.name || connection.advertiser?.id || say("connect/advertiser");
  put(part(view, "trouble-title"), say(`connect/trouble/${trouble}`, { name }));
  const again = connection.failure?.again_at ?? connection.next_check_at;
  if (trouble === "failing" && again) {
    part(view, "trouble-text").append(moment(again, "connect/trouble/failing_more"));
  } else {
    put(part(view, "trouble-text"), say(`connect/trouble/${trouble}_more`, { when: say("now") }));
  }
}

function facts(connection) {
  const { verified_at: verified, expires_at: expires, next_check_at: next } = connection;
  const access =
    expires && next ? moment(next, "connect/access_renewed") : say("connect/access_forever");
  return [
    fact("connect/verified", verified ? moment(verified, "") : say("never")),
    connection.status === "reconnect_required" ? null : fact("connect/access", access),
  ].filter(Boolean);
}

const fact = (key, value) => make("div", {}, make("dt", {}, say(key)), make("dd", {}, value));

function actions(family, connection, trouble) {
  const offered = [];
  const add = (kind, text, act) => {
    const button = make("button", { class: `button ${kind}`, type: "button" }, text);
    button.onclick = () => act(button);
    offered.push(button);
  };
  const choosable = connection.family === "marketing" && connection.status !== "reconnect_required";
  const many = (connection.advertisers ?? []).length > 1;
  if (choosable && (many || trouble === "lost" || trouble === "choose")) {
    const urgent = trouble === "lost" || trouble === "choose";
    const text = say(trouble === "choose" ? "connect/choose" : "connect/choose_other");
    add(urgent ? "" : "quiet", text, () => choose(family, connection));
  }
  const ended = trouble === "reconnect";
  const reconnect = say(ended ? "connect/connect_again" : "connect/reconnect");
  add(ended ? "" : "quiet", reconnect, (button) => leaveFor(family.name, button));
  add("quiet remove", say("connect/disconnect"), () => disconnect(family, connection));
  return offered;
}

// What a person does.

async function leaveFor(family, button) {
  await during(button, say("connect/leaving"), async () => {
    const started = await attempted(() =>
      call("POST", "/oauth/start", { body: { family, return_to: returnTo } }),
    );
    if (!started) return;
    location.assign(started.url);
    // The button stays as it is until the browser has gone.
    await new Promise((gone) => addEventListener("pagehide", gone, { once: true }));
  });
}

async function choose(family, connection) {
  const chosen = await attempted(() => chooseAdvertiser(connection));
  if (!chosen) return;
  await refreshed(family);
  announce(say("connect/chosen", { name: chosen.name || chosen.id }));
}

async function disconnect(family, connection) {
  const name = connection.advertiser?.name || connection.account?.name || titleOf(family);
  if (!(await askDisconnect(connection, name))) return;
  await refreshed(family);
  announce(say("connect/ask/done", { title: name }));
}

const refreshed = (family) => attempted(() => overview({ focus: family.name }));

/** What cannot be done here and now takes the page's place, with the way back to it. */
async function attempted(work) {
  try {
    return await work();
  } catch (problem) {
    if (problem.code === "unauthenticated") show(gate("old"));
    else show(problemView({ ...problem, retryable: true }, { again: () => begin(null), tries: Infinity }));
    return null;
  }
}
