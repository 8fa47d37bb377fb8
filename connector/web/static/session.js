// Who is looking at the page: a ticket from the link becomes a cookie that no script can read.

import { call } from "./api.js";
import { show } from "./dom.js";

/** The ticket leaves the address bar before anything else happens, and lives on only in memory. */
export function takeTicket() {
  const given = new URLSearchParams(location.hash.slice(1));
  if (!given.has("ticket")) return null;
  history.replaceState(history.state, "", location.pathname + location.search);
  return { ticket: given.get("ticket"), returnTo: given.get("return_to") };
}

/** A link opened in a tab that already shows this page changes nothing but the fragment. */
export function onTicket(take) {
  addEventListener("hashchange", () => {
    const taken = takeTicket();
    if (taken) take(taken);
  });
}

export async function enter(bearer) {
  if (bearer) await call("POST", "/session", { bearer });
  const session = await call("GET", "/session");
  document.getElementById("demo").hidden = !session.demo;
  const leave = document.getElementById("leave");
  leave.hidden = false;
  leave.onclick = () => signOut();
  return session;
}

export async function signOut(then = location.pathname) {
  try {
    await call("DELETE", "/session");
  } finally {
    location.assign(then);
  }
}

/** What stands there while waiting takes no focus: the answer will. */
export function showWaiting(view, page) {
  view.setAttribute("aria-busy", "true");
  show(view, { page, focus: false });
}
