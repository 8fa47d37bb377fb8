// The English texts for errors, by the error code of the API. The codes cancelled, no_code, consent_error,
// no_callback, not_confirmed, offline, unreachable and other exist only on the pages.

export const errors = {
  cancelled: {
    title: "You cancelled at TikTok",
    text: "Nothing was connected and nothing was shared. If you did not want to cancel, start again.",
  },
  no_code: {
    title: "TikTok gave no permission",
    text: "TikTok sent you back without a permission, so nothing was connected. Either you cancelled, or TikTok did not show its page because you agreed before. Open TikTok again and agree there.",
  },
  consent_error: {
    title: "TikTok did not give permission",
    text: "TikTok sent you back without a permission. Start again. If it happens again, tell the operator of this service.",
  },
  no_callback: {
    title: "No connection to complete",
    text: "TikTok sends people to this page after they agree. Start from the beginning to connect.",
  },
  not_confirmed: {
    title: "Nothing was connected",
    text: "You did not confirm, so this user cannot use your TikTok account. You can close this page.",
  },
  state_expired: {
    title: "Connecting took too long",
    text: "For your security, the time to connect is limited. Start again. It takes about a minute.",
  },
  invalid_state: {
    title: "This link is not valid",
    text: "We cannot verify that you started this connection in this browser. The link may have been opened in another browser, used before, or changed. Nothing was connected. Please start again in this browser.",
  },
  invalid_request: {
    title: "This link is incomplete",
    text: "Some of the information that TikTok sends is missing. Please start again from the beginning.",
  },
  code_spent: {
    title: "This permission is no longer valid",
    text: "A permission from TikTok works only once, and only for a short time. Start again to get a new one.",
  },
  wrong_user: {
    title: "Another person started this connection",
    text: "You are signed in as a different person than the person who started this connection. Nothing was connected. If you started the connection, sign out here and start again from your own link.",
  },
  superseded: {
    title: "A newer decision replaced this permission",
    text: "You have connected TikTok again or disconnected it since you gave this permission, so it is not used. Start again if TikTok is not connected now.",
  },
  unusable_user_id: {
    title: "This account cannot be connected",
    text: "The service that sent you here uses user ids that we cannot store. It is not your fault, and trying again does not help. Send the details below to the operator of this service.",
  },
  user_changed: {
    title: "Another user is signed in now",
    text: "Another tab of this browser has changed the user. Nothing was connected. Try again to see for which user you connect now.",
  },
  no_advertisers: {
    title: "No ad account was shared",
    text: "You agreed, but TikTok lists no ad account for you. Start again and select one at TikTok. If TikTok shows none, ask an admin of your TikTok Business Center for access to the ad account.",
  },
  unknown_advertiser: {
    title: "This ad account is no longer available",
    text: "TikTok's list has changed. This is the new list.",
  },
  tiktok_refused: {
    title: "TikTok refused the connection",
    text: "Start again. If it happens again, send the details below to the operator of this service.",
  },
  tiktok_unreachable: {
    title: "TikTok is not reachable right now",
    text: "You do not need to do anything, and nothing is lost. We keep trying. Please keep this page open.",
  },
  slow_down: {
    title: "Please wait a moment",
    text: "There were too many requests in a short time. Nothing is lost.",
  },
  store_unreachable: {
    title: "Our database is not reachable right now",
    text: "We ask TikTok for access only when we can store the result. Nothing is lost.",
  },
  journal_unwritable: {
    title: "Our server cannot store data right now",
    text: "We ask TikTok for access only when we can store the result. Nothing is lost.",
  },
  busy: {
    title: "Another request is still running",
    text: "Another window or server is working on this connection. The result appears here in a moment.",
  },
  configuration: {
    title: "This service is not set up correctly",
    text: "A setting of this service is wrong. It is not your fault, and trying again does not help. Send the details below to the operator of this service.",
  },
  reconnect_required: {
    title: "TikTok has ended this access",
    text: "The access was withdrawn or has expired. Connect again to continue.",
  },
  unauthenticated: {
    title: "Your link has expired",
    text: "For your security, a link works only for a short time. Ask for a new one, or start again in the app that sent you here.",
  },
  not_found: {
    title: "This connection does not exist",
    text: "It may have been removed. Start again to see your connections.",
  },
  forbidden: {
    title: "You are not allowed to do this",
    text: "Your link does not allow it. Start again from the beginning.",
  },
  offline: {
    title: "You are offline",
    text: "This page continues automatically when you are online again. Nothing is lost.",
  },
  unreachable: {
    title: "We are not reachable right now",
    text: "Your internet connection or our server has a problem. Nothing is lost. Please try again.",
  },
  other: {
    title: "Something went wrong on our side",
    text: "Please try again. If it happens again, send the details below to the operator of this service.",
  },
};
