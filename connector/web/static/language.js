// Says the texts in the person's language: words, plurals, times and numbers.

import { languages } from "./texts.js";

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
  return look(languages[language]) ?? look(languages.en);
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
