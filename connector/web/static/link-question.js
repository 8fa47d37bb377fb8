// A link signs a browser in as the user for whom it was made. Somebody else's link would connect a person's
// TikTok account to that other user. So the person first sees for whom the link is, and presses a button.

import { ApiError, request } from "./api.js";
import { element, sentence, showView } from "./dom.js";
import { t } from "./i18n.js";
import { forgetLink } from "./session.js";
import { statusIcon } from "./status-icon.js";

/**
 * Returns true if the browser may sign in with the link, and false if it stays signed in as before.
 * If the person refuses and nobody is signed in, the error `not_confirmed` is thrown.
 */
export async function confirmLink({ ticket }, page) {
  const owner = await request("GET", "/session", { bearer: ticket });
  const isConfirmed = !mustAsk(owner) || (await ask(owner, page));
  forgetLink();
  if (!isConfirmed && !owner.signed_in_as) throw new ApiError({ code: "not_confirmed" });
  return isConfirmed;
}

/** An operator's session connects no account without a question of its own (on the callback page). */
function mustAsk({ kind, user_id: userId, signed_in_as: current }) {
  if (current && current.kind === kind && current.user_id === userId) return false;
  return kind === "user" || (kind === "server" && current !== null);
}

function ask(owner, page) {
  const { signed_in_as: current } = owner;
  const isOperator = owner.kind === "server";
  const user = isOperator ? "" : owner.display_name ?? t("link/this_user");
  const lead = isOperator ? "link/operator/lead" : current ? "link/lead_other" : "link/lead";
  const items = [namedOwner("link/owner", owner)];
  if (current) items.unshift(namedOwner("link/signed_in_as", current));
  return new Promise((resolve) => {
    const button = (kind, key, answer) =>
      element("button", { class: `button ${kind}`, type: "button", onclick: () => resolve(answer) }, t(key));
    showView(
      element(
        "section",
        { class: "message", "data-link-question": current ? "other" : "first" },
        statusIcon("none", { large: true }),
        element("h1", {}, ...sentence(`link/${isOperator ? "operator" : page}/title`, user)),
        element("dl", { class: "named-items" }, ...items),
        element("p", { class: "lead" }, t(lead)),
        element(
          "div",
          { class: "actions" },
          button("", current ? "link/change" : "link/continue", true),
          button("secondary", current ? "link/stay" : "link/refuse", false),
        ),
      ),
    );
  });
}

const namedOwner = (key, owner) => element("div", {}, element("dt", {}, t(key)), ownerName(owner));

/** The name of the user as our pages show it. The id is always shown, because two users can have one name. */
export function ownerName({ kind, user_id: userId, display_name: name }) {
  const text = kind === "server" ? t("link/operator/name") : name ?? userId;
  const id = name ? element("bdi", { class: "id" }, userId) : null;
  return element("dd", {}, element("b", {}, element("bdi", {}, text)), id);
}
