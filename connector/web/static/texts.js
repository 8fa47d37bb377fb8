// Every word a person reads, in one place. To add a language, translate `en` and enter it below:
// the browser's languages decide, and what a translation lacks is said in English.
//
// {name} is filled in by say(); {one, other} are plural forms chosen by `count`.

const en = {
  demo: "Demo: a simulated TikTok, nothing is real",
  leave: "Sign out",
  promise: "What TikTok grants is sealed on the server. This page neither shows nor keeps it.",
  working: "One moment…",
  details: "Details for support",
  copy: "Copy",
  copied: "Copied",
  copy_failed: "Your browser does not allow copying here",
  again: "Try again",
  again_now: "Try again now",
  again_in: "Trying again by itself in {seconds} s",
  start_again: "Start again",
  close: "Close",
  keep: "Keep it",
  never: "Never",
  now: "now",
  just_now: "just now",

  family: {
    marketing: {
      title: "TikTok Ads",
      why: "Brings your campaigns and their results together, so that they can be read and looked after in one place.",
      asks: [
        "See the ad accounts you tick, and their names",
        "Read campaigns, ads and their figures",
        "What else your company's app needs; TikTok lists it before you agree",
      ],
    },
    accounts: {
      title: "TikTok business account",
      why: "Shows how your business account is doing: its profile, its videos and who watches them.",
    },
    login_kit: {
      title: "TikTok profile",
      why: "Links your own TikTok profile, so that your videos can be shown and counted.",
    },
    other: { why: "Connects this part of TikTok to your company's tools." },
  },

  scope: {
    "user.info.basic": "See your name and picture",
    "user.info.profile": "See your profile: its text, its link, whether it is verified",
    "user.info.stats": "See how many followers, likes and videos you have",
    "user.info.username": "See your user name",
    "user.account.type": "See whether yours is a business account",
    "user.insights": "See figures about your account and its audience",
    "video.list": "See your public videos and their figures",
    "video.insights": "See detailed figures about your videos",
    "video.publish": "Publish videos to your account",
    "video.upload": "Put drafts into your inbox, for you to publish",
    "comment.list": "Read the comments under your videos",
    "comment.list.manage": "Answer and hide comments under your videos",
  },

  connect: {
    page: "Connect TikTok",
    title: "Connect TikTok",
    lede: "Give access once. From then on it is kept alive for you, and you only hear from us if TikTok really needs you again.",
    points: [
      "You sign in at TikTok; your password stays there.",
      "You choose what to share, and TikTok shows it to you first.",
      "You can take it back here at any time.",
    ],
    loading: "Looking up your connections…",
    asks: "You will be asked to let us",
    connect: "Connect {title}",
    leaving: "Taking you to TikTok…",
    reconnect: "Reconnect",
    connect_again: "Connect again",
    disconnect: "Disconnect",
    choose: "Choose the ad account",
    choose_other: "Choose another ad account",
    advertiser: "Ad account",
    account: "TikTok account",
    no_advertiser: "None chosen yet",
    unnamed: "Connected account",
    verified: "Last verified",
    access: "Access",
    access_forever: "Until you take it back",
    access_renewed: "Renewed by itself, next {when}",
    since: "Connected {when}",
    revoked: "You disconnected this {when}.",
    none_on: "Nothing can be connected here yet",
    none_on_more: "No TikTok app is set up on this service. Whoever runs it can add one: see “connector check”.",
    ask: {
      title: "Disconnect {name}?",
      does: "We give the permission back to TikTok and forget it here, at once. Your company's tools can no longer read or change anything in this account.",
      keeps: "Nothing at TikTok is deleted: your ads, videos and settings stay as they are. You can connect again whenever you like.",
      yes: "Disconnect",
      doing: "Disconnecting…",
      done: "{title} is disconnected.",
    },
    chosen: "{name} is the ad account now.",
    trouble: {
      choose: "One step is left",
      choose_more: "TikTok gave access to several ad accounts. Choose the one to work with.",
      lost: "{name} is out of reach",
      lost_more: "TikTok no longer lists this ad account among yours. Choose another one, or reconnect and tick it there.",
      failing: "TikTok is not answering as it should",
      failing_more: "We keep trying, next {when}. You need not do anything.",
      reconnect: "TikTok has ended this access",
      reconnect_more: "It was taken back or has run out. Connect again, and everything goes on where it stopped.",
    },
  },

  gate: {
    none: "You need a link to come in",
    none_more: "This page is opened with a personal link. Ask the company that wants to connect your TikTok to send you one, or start from their app.",
    none_demo: "Running this yourself? “connector demo” prints a link when it starts, and “connector ticket --user …” makes another.",
    old: "This link has run out",
    old_more: "Links are good for half an hour, for your safety. Ask for a new one, or start again from the app that sent you here.",
    server: "You are signed in as the operator",
    server_more: "A connection belongs to one person, so this page needs that person's link. “connector ticket --user …” makes one.",
    server_way: "See all connections",
  },

  callback: {
    page: "Connecting TikTok",
    title: "Connecting TikTok…",
    lede: "This takes a second or two. Please leave this page open.",
    slow: "TikTok is taking its time. It is still going on.",
    done: "{title} is connected",
    done_lede: "It will stay connected by itself. We only come back to you if TikTok asks for you.",
    advertiser: "Ad account",
    go: "Continue",
    go_to: "Continue to {host}",
    overview: "See your connections",
    back: "Taking you back…",
  },

  picker: {
    title: "Choose the ad account",
    lede: {
      one: "TikTok gave access to {count} ad account. Confirm that it is the right one.",
      other: "TikTok gave access to {count} ad accounts. Choose the one to work with; you can change it later.",
    },
    search: "Search by name or id",
    list: "Ad accounts",
    count: { one: "{count} ad account", other: "{count} ad accounts" },
    matches: { one: "{count} of {all} fits", other: "{count} of {all} fit" },
    none: "No ad account fits “{query}”",
    none_more: "Look for part of a name, or for the digits of an id. If one is missing altogether, connect again and tick it at TikTok.",
    clear: "Clear the search",
    current: "Current",
    unnamed: "Without a name",
    nothing: "Nothing chosen yet",
    choice: "Your choice",
    confirm: "Use this ad account",
    confirming: "Saving your choice…",
    lost: "{name}, chosen before, is no longer among them.",
  },

  status: {
    page: "Status",
    title: "Connections",
    key_title: "How is everything?",
    key_lede: "Sign in with one of the service's server keys to see every connection. With a personal link you see your own.",
    key: "Server key",
    key_help: "One of CONNECTOR_API_KEYS. It is exchanged for a cookie of eight hours and kept nowhere on this page.",
    key_go: "Show the connections",
    key_wrong: "This key is not known here.",
    key_none: "Enter a key first.",
    ended: "Your session has ended. Please sign in again.",
    loading: "Looking up the connections…",
    well: "All is well",
    well_more: { one: "{count} connection, alive and looked after.", other: "{count} connections, alive and looked after." },
    person: { one: "{count} connection needs a person", other: "{count} connections need a person" },
    person_more: "Send a new link to whoever connected it; everything then goes on where it stopped.",
    trying: { one: "{count} connection is being retried", other: "{count} connections are being retried" },
    trying_more: "TikTok is not answering as it should. No one has to do anything yet.",
    empty: "Nothing is connected yet",
    empty_more: "As soon as somebody connects TikTok, it appears here by itself.",
    first: "Among the first {count}.",
    live: "Live",
    stale: "Cannot reach the service; next try in {seconds} s",
    paused: "Paused",
    day: "The last 24 hours",
    day_well: { one: "{count} call went well", other: "{count} calls went well" },
    day_failed: { one: "{count} failed", other: "{count} failed" },
    day_none: "Nothing was asked of TikTok yet.",
    day_table: "As a table",
    hour: "Hour from",
    went_well: "Went well",
    failed: "Failed",
    list: "All connections",
    more: "Show more",
    user: "User",
    subject: "TikTok user",
    lifetime: "Access token",
    forever: "Until taken back",
    left: "{time} left",
    over: "Ran out {when}",
    gone: "Given back",
    ended_there: "Ended by TikTok",
    next: "Next check {when}",
    next_none: "No further checks",
    verified: "Verified {when}",
    failing: { one: "Failed once, {when}", other: "Failed {count} times, since {when}" },
    refresh: "Refresh now",
    refreshing: "Refreshing…",
    refreshed: "{name} was checked with TikTok just now.",
    attempts: "Attempts",
    attempts_none: "Nothing was tried yet.",
    attempts_loading: "Looking up what was tried…",
    verdict: "Show",
    verdict_all: "All attempts",
    verdict_failed: "Failures only",
    verdict_one: "Only {verdict}",
    attempts_fit: { one: "{count} attempt", other: "{count} attempts" },
    copy_json: "Copy as JSON",
    took: "{ms} ms",
    by: "by {who}",
    request: "Request {id}",
    ok: "Went well",
    active: "Connected",
    refresh_failing: "Being retried",
    reconnect_required: "Needs a person",
    revoked: "Disconnected",
    advertiser_lost: "Ad account lost",
    choose: "Choice open",
    what: {
      exchange: "Connected",
      refresh: "Renewed",
      read: "Read",
      probe: "Checked",
      revoke: "Given back",
    },
  },

  // By the API's error code. `way` says which way on is offered: start, again, leave or none.
  problem: {
    cancelled: {
      title: "You stopped at TikTok",
      text: "Nothing was connected and nothing was shared. If that was not what you meant, just start again.",
    },
    refused_there: {
      title: "TikTok did not let this through",
      text: "It sent you back without a permission. Start again; if it happens once more, tell whoever runs this service.",
    },
    nothing: {
      title: "There is nothing to finish here",
      text: "TikTok sends people to this page after they agreed. Start from the beginning to connect.",
    },
    state_expired: {
      title: "That took a little too long",
      text: "For your safety an attempt to connect is only good for a while. Start again; it takes a minute.",
    },
    invalid_state: {
      title: "This link has been changed on its way",
      text: "We cannot tell whose connection it would be, so nothing was connected. Please start again from the beginning.",
    },
    invalid_request: {
      title: "Something is missing in this link",
      text: "It does not hold everything TikTok sends along. Please start again from the beginning.",
    },
    code_spent: {
      title: "This permission was used already",
      text: "TikTok's permission works only once, and only for an hour. Start again to get a fresh one.",
    },
    wrong_user: {
      title: "Somebody else started this",
      text: "In this browser another person is signed in than the one who set out to connect. We left it at that. If it was meant to be you, sign out here and start again from your own link.",
    },
    no_advertisers: {
      title: "No ad account was shared",
      text: "You agreed, but TikTok lists no ad account for you. Start again and tick one at TikTok. If there is none to tick, ask an admin of your TikTok Business Center to give you access to the ad account.",
    },
    unknown_advertiser: {
      title: "That ad account is gone from the list",
      text: "TikTok's list has changed in the meantime. Here it is anew.",
    },
    tiktok_refused: {
      title: "TikTok said no",
      text: "TikTok refused the connection without asking you for anything more. Start again; if it happens once more, pass on the details below.",
    },
    tiktok_unreachable: {
      title: "TikTok is not answering right now",
      text: "You have done your part; nothing is lost. We keep trying, and you can leave this page open.",
    },
    slow_down: {
      title: "TikTok asks us to wait a moment",
      text: "Many are connecting at once. You have done your part; nothing is lost.",
    },
    store_unreachable: {
      title: "Our memory is away for a moment",
      text: "We would not be able to keep what TikTok gives us, so we wait with it. Nothing is lost.",
    },
    journal_unwritable: {
      title: "We cannot take this down right now",
      text: "We would not be able to keep what TikTok gives us, so we wait with it. Nothing is lost.",
    },
    busy: {
      title: "This is being finished already",
      text: "Another window or server is at it. In a moment the answer will be here too.",
    },
    configuration: {
      title: "This service is not set up rightly",
      text: "It is not your fault, and trying again will not help. Tell whoever runs it, with the details below: TikTok does not accept its app.",
    },
    reconnect_required: {
      title: "TikTok has ended this access",
      text: "It was taken back or has run out. Connect again, and everything goes on where it stopped.",
    },
    unauthenticated: {
      title: "Your link has run out",
      text: "Links are good for half an hour, for your safety. Ask for a new one, or start again from the app that sent you here.",
    },
    not_found: {
      title: "This connection is not there",
      text: "It may have been removed. Start again to see what is connected.",
    },
    forbidden: {
      title: "This is not yours to do",
      text: "The link you came with does not allow it. Start again from the beginning.",
    },
    offline: {
      title: "You are offline",
      text: "As soon as you are back on the internet, this goes on by itself. Nothing is lost.",
    },
    unreachable: {
      title: "We cannot be reached right now",
      text: "Your connection or our server has a hiccup. Nothing is lost; please try again.",
    },
    other: {
      title: "Something went wrong on our side",
      text: "Please try again. If it happens once more, pass on the details below.",
    },
  },
};

const languages = { en };

const language = navigator.languages.map((tag) => tag.slice(0, 2)).find((tag) => tag in languages) ?? "en";
document.documentElement.lang = language;

// The words' language, with the habits of the person's own country where it is the same.
const locale = navigator.languages.find((tag) => tag.startsWith(language)) ?? language;
const plural = new Intl.PluralRules(language);
const number = new Intl.NumberFormat(locale);
const relative = new Intl.RelativeTimeFormat(locale, { numeric: "auto" });
const clock = new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit" });
const full = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "medium" });

const UNITS = [
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
  ["second", 1],
];

function found(key) {
  const look = (words) => key.split("/").reduce((at, step) => at?.[step], words);
  return look(languages[language]) ?? look(en);
}

/** The text at `key`, whose steps are parted by "/" because scopes have dots in them. */
export function say(key, values = {}) {
  let text = found(key);
  if (text === undefined) {
    console.error(`there is no text ${key}`);
    return key;
  }
  if (typeof text === "object") text = text[plural.select(values.count)] ?? text.other;
  return text.replace(/\{(\w+)\}/g, (_, name) => {
    const value = values[name];
    return typeof value === "number" ? number.format(value) : String(value);
  });
}

export const has = (key) => found(key) !== undefined;
export const lines = (key) => found(key) ?? [];

/** "in 5 minutes", "2 hours ago". */
export function relativeTime(at, now = Date.now()) {
  const seconds = Math.round((at - now) / 1_000);
  if (Math.abs(seconds) < 5) return say(seconds > 0 ? "now" : "just_now");
  const [unit, size] = UNITS.find(([, size]) => Math.abs(seconds) >= size);
  return relative.format(Math.trunc(seconds / size), unit);
}

/** "1 hr 20 min", with no more than the two largest units. */
export function duration(milliseconds) {
  let rest = Math.max(0, Math.round(milliseconds / 1_000));
  const parts = [];
  for (const [unit, size] of UNITS) {
    const times = Math.floor(rest / size);
    rest -= times * size;
    if (times > 0 || (unit === "second" && parts.length === 0)) parts.push([unit, times]);
    else if (parts.length > 0) break;
    if (parts.length === 2) break;
  }
  return parts
    .map(([unit, times]) =>
      new Intl.NumberFormat(locale, { style: "unit", unit, unitDisplay: "short" }).format(times),
    )
    .join(" ");
}

export const timeOfDay = (at) => clock.format(at);
export const fullTime = (at) => full.format(at);
