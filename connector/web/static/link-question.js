// A link signs a browser in as the user for whom it was made. If the browser is signed in as somebody else, the
// person sees both users and decides. Otherwise a TikTok account could be connected to the wrong user.

import { request } from "./api.js";
import { element, sentence, showView } from "./dom.js";
import { t } from "./i18n.js";
import { forgetLink } from "./session.js";
import { statusIcon } from "./status-icon.js";

/** Returns true if the browser may sign in with the link, and false if it stays signed in as before. */
export async function confirmLink({ ticket }, page) {
  const owner = await request("GET", "/session", { bearer: ticket });
  const isConfirmed = !isForAnother(owner) || (await ask(owner, page));
  forgetLink();
  return isConfirmed;
}

const isForAnother = ({ kind, user_id: userId, signed_in_as: current }) =>
  current !== null && (current.kind !== kind || current.user_id !== userId);

function ask(owner, page) {
  const { signed_in_as: current } = owner;
  const isOperator = owner.kind === "server";
  const user = isOperator ? "" : owner.display_name ?? t("link/this_user");
  const items = [namedOwner("link/signed_in_as", current), namedOwner("link/owner", owner)];
  return new Promise((resolve) => {
    const button = (kind, key, answer) =>
      element("button", { class: `button ${kind}`, type: "button", onclick: () => resolve(answer) }, t(key));
    showView(
      element(
        "section",
        { class: "message", "data-link-question": owner.kind },
        statusIcon("none", { large: true }),
        element("h1", {}, ...sentence(`link/${isOperator ? "operator" : page}/title`, user)),
        element("dl", { class: "named-items" }, ...items),
        element("p", { class: "lead" }, t(isOperator ? "link/operator/lead" : "link/lead")),
        element(
          "div",
          { class: "actions" },
          button("", "link/change", true),
          button("secondary", "link/stay", false),
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
