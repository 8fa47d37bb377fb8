// Who uses the page. The ticket in a link is exchanged for a session cookie that no script can read.

import { request } from "./api.js";
import { showView } from "./dom.js";

/**
 * Removes the ticket from the address bar before anything else happens. While the person is asked about
 * the link, the link is stored in history.state, so that a reload asks again.
 */
export function takeTicketFromUrl() {
  const fragment = new URLSearchParams(location.hash.slice(1));
  if (fragment.has("ticket")) {
    const link = { ticket: fragment.get("ticket"), returnTo: fragment.get("return_to") };
    history.replaceState({ link }, "", location.pathname + location.search);
  }
  return history.state?.link ?? null;
}

export const forgetLink = () => history.replaceState(null, "");

/** A link that is opened in a tab that already shows this page changes only the fragment. */
export function onTicketInUrl(callback) {
  addEventListener("hashchange", () => {
    const link = takeTicketFromUrl();
    if (link) callback(link);
  });
}

export async function openSession(bearer) {
  if (bearer) await request("POST", "/session", { bearer });
  const session = await request("GET", "/session");
  document.getElementById("demo-note").hidden = !session.demo;
  const button = document.getElementById("sign-out");
  button.hidden = false;
  button.onclick = () => signOut();
  return session;
}

export async function signOut(nextUrl = location.pathname) {
  try {
    await request("DELETE", "/session");
  } finally {
    location.assign(nextUrl);
  }
}

/** A view that is shown while the page waits gets no focus: the view that follows does. */
export function showWaiting(view, title) {
  view.setAttribute("aria-busy", "true");
  showView(view, { title, focus: false });
}
