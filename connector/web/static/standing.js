// How a connection stands, in one word: told apart finer than by the API's status alone.

export function stateOf({ status, advertiser_lost: lost, advertiser, family }) {
  if (status !== "active") return status;
  if (lost) return "advertiser_lost";
  return family === "marketing" && !advertiser ? "choose" : status;
}

/** The line that is drawn for each. */
export const SIGNS = {
  active: "connected",
  choose: "failing",
  refresh_failing: "failing",
  advertiser_lost: "broken",
  reconnect_required: "broken",
  revoked: "none",
};
