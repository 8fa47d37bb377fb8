// Where TikTok sends people back to. The code is exchanged, an ad account chosen, and on they go.
//
// The code leaves the address bar at once and waits in history.state: there it survives a reload, as
// the address would, but not into a link that is copied, a screenshot or a bookmark. Posting it twice
// does no harm, because the same code and state get the same answer; so a reload simply asks again.
// Once everything is settled it is put away for the bare result.

import { call, Problem } from "./api.js";
import { announce, clone, fill, line, make, part, put, show } from "./dom.js";
import { has, say } from "./language.js";
import { picker } from "./picker.js";
import { problemView } from "./problem.js";
import { showWaiting, signOut } from "./session.js";

// Longer than the service itself waits for another POST of the same code.
const PATIENCE = 75_000;
const SLOW_AFTER = 8_000;
const GIVEN = ["auth_code", "code", "state", "error"];

let tries = 0;

fill(document.body);
start(remembered());

function remembered() {
  const query = new URLSearchParams(location.search);
  const asked = {};
  for (const name of GIVEN) if (query.get(name)) asked[name] = query.get(name);
  if (Object.keys(asked).length > 0) remember({ asked });
  return history.state ?? {};
}

function remember(what) {
  history.replaceState(what, "", location.pathname);
}

function start({ asked, settled }) {
  if (settled) return showDone(settled);
  if (!asked) return showProblem(new Problem({ code: "nothing" }));
  if (asked.auth_code || asked.code) return exchange(asked);
  const cancelled = !asked.error || asked.error === "access_denied";
  const facts = cancelled ? {} : { error: asked.error };
  return showProblem(new Problem({ code: cancelled ? "cancelled" : "refused_there", facts }));
}

async function exchange(asked, { automatic = false } = {}) {
  // What was said stays in sight while it is tried again by itself.
  tries = automatic ? tries + 1 : 0;
  if (!automatic) showConnecting();
  const { error, ...body } = asked;
  let answer;
  try {
    answer = await call("POST", "/oauth/exchange", { body, patience: PATIENCE });
  } catch (problem) {
    return showProblem(problem, (how) => exchange(asked, how), automatic);
  }
  return answer.selection_required ? showPicker(answer, answer.advertisers) : finish(answer);
}

function showConnecting() {
  const view = clone("waiting");
  part(view, "sign").append(line("busy", { large: true }));
  showWaiting(view, say("callback/page"));
  setTimeout(() => {
    put(part(view, "lede"), say("callback/slow"));
    if (view.isConnected) announce(say("callback/slow"));
  }, SLOW_AFTER);
}

/** `again` may be pressed, and is called by itself as long as waiting may help. */
function showProblem(problem, again, automatic = false) {
  const view = problemView(problem, { again, tries, leave });
  show(view, { focus: !automatic });
}

/**
 * Whoever is signed in is not who set out, and may have been lured here: what they agreed to must not
 * end up with the other, so the code is forgotten before anything else.
 */
function leave() {
  remember(null);
  return signOut("/connect");
}

function finish(answer) {
  const settled = {
    family: answer.family,
    returnTo: answer.return_to,
    advertiser: answer.business_id ? { id: answer.business_id, name: answer.account_id } : null,
  };
  const others = answer.advertisers.length > 1 && answer.ticket;
  if (!others) remember({ settled });
  showDone(settled, others ? () => chooseAnother(answer) : null);
}

function showDone({ family, returnTo, advertiser }, another) {
  const view = clone("done");
  part(view, "sign").append(line("connected", { large: true }));
  const title = has(`family/${family}/title`) ? say(`family/${family}/title`) : "TikTok";
  put(part(view, "title"), say("callback/done", { title }));
  if (advertiser) {
    put(part(view, "name"), advertiser.name || say("picker/unnamed"));
    put(part(view, "id"), advertiser.id);
  } else part(view, "chosen").remove();
  const way = wayOn(returnTo);
  part(view, "go").href = way.href;
  put(part(view, "go"), way.text);
  part(view, "other").hidden = !another;
  part(view, "other").onclick = another;
  show(view);
}

/** The service only passes on an address it has signed; that it is one of the web is seen to here. */
function wayOn(returnTo) {
  const overview = { href: "/connect", text: say("callback/overview") };
  if (!returnTo) return overview;
  const url = new URL(returnTo, location.origin);
  if (!/^https?:$/.test(url.protocol)) return overview;
  const ours = url.origin === location.origin;
  return { href: url.href, text: ours ? say("callback/go") : say("callback/go_to", { host: url.host }) };
}

async function chooseAnother(answer) {
  try {
    const { advertisers, selected_lost: lost } = await listed(answer);
    showPicker(answer, advertisers, { lost });
  } catch (problem) {
    showProblem(problem, () => chooseAnother(answer));
  }
}

const listed = ({ connection_id: id, ticket: bearer }) =>
  call("GET", `/advertisers?connection_id=${encodeURIComponent(id)}`, { bearer });

function showPicker(answer, advertisers, { lost } = {}) {
  const choose = (advertiser) => select(answer, advertiser);
  const view = make("div", { class: "card choose" }, picker({ advertisers, lost, choose }));
  show(view, { page: say("picker/title") });
}

async function select(answer, advertiser) {
  const body = { advertiser_id: advertiser.id, connection_id: answer.connection_id };
  try {
    await call("POST", "/advertisers/select", { body, bearer: answer.ticket });
  } catch (problem) {
    return cannotSelect(problem, answer, advertiser);
  }
  const settled = { family: answer.family, returnTo: answer.return_to, advertiser };
  remember({ settled: { ...settled, advertiser: { id: advertiser.id, name: advertiser.name } } });
  announce(say("connect/chosen", { name: advertiser.name || advertiser.id }));
  if (settled.returnTo) location.assign(wayOn(settled.returnTo).href);
  else showDone(settled);
}

async function cannotSelect(problem, answer, advertiser) {
  if (problem.code === "unauthenticated" && history.state?.asked) {
    // The picker's own ticket ran out; posting the code again gets a new one.
    return exchange(history.state.asked);
  }
  if (problem.code === "unknown_advertiser") {
    announce(say("problem/unknown_advertiser/text"));
    return chooseAnother(answer);
  }
  return showProblem(problem, () => {
    showConnecting();
    return select(answer, advertiser);
  });
}
