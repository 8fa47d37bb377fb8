// How the pages show a connection. Of the API's `active` connections, they tell apart those whose ad
// account is lost or was never selected.

import { t } from "./i18n.js";

export function displayState(connection) {
  const { status, has_advertisers: hasAdvertisers, advertiser, advertiser_lost: isLost } = connection;
  if (status !== "active") return status;
  if (isLost) return "advertiser_lost";
  return hasAdvertisers && !advertiser ? "advertiser_not_selected" : status;
}

export const ICON_BY_STATE = {
  active: "connected",
  advertiser_not_selected: "failing",
  refresh_failing: "failing",
  advertiser_lost: "broken",
  reconnect_required: "broken",
  revoked: "none",
};

/** The name of a connection that has neither a selected ad account nor a named profile. */
export const placeholderName = ({ has_advertisers: hasAdvertisers }) =>
  t(hasAdvertisers ? "connect/no_advertiser" : "connect/unnamed");
