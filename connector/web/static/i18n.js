// Texts, plurals, times and numbers in the language of the browser.

import { en } from "./texts/en.js";

const LANGUAGES = { en };

const language =
  navigator.languages.map((tag) => tag.slice(0, 2)).find((tag) => tag in LANGUAGES) ?? "en";
document.documentElement.lang = language;

// The formats of the person's own country, if its language is the language of the texts.
const locale = navigator.languages.find((tag) => tag.startsWith(language)) ?? language;
const pluralRules = new Intl.PluralRules(language);
const numberFormat = new Intl.NumberFormat(locale);
const relativeFormat = new Intl.RelativeTimeFormat(locale, { numeric: "auto" });
const timeOfDayFormat = new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit" });
const fullTimeFormat = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "medium" });

const UNITS = [
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
  ["second", 1],
];

function lookUp(key) {
  const find = (texts) => key.split("/").reduce((node, step) => node?.[step], texts);
  return find(LANGUAGES[language]) ?? find(LANGUAGES.en);
}

/** The text at `key`. Its steps are separated by "/" because TikTok's scopes contain dots. */
export function t(key, values = {}) {
  let text = lookUp(key);
  if (text === undefined) {
    console.error(`missing text ${key}`);
    return key;
  }
  if (typeof text === "object") text = text[pluralRules.select(values.count)] ?? text.other;
  return text.replace(/\{(\w+)\}/g, (_, name) => {
    const value = values[name];
    return typeof value === "number" ? numberFormat.format(value) : String(value);
  });
}

export const hasText = (key) => lookUp(key) !== undefined;
export const textOr = (key, fallback) => (hasText(key) ? t(key) : fallback);
export const textList = (key) => lookUp(key) ?? [];

/** "in 5 minutes", "2 hours ago". */
export function relativeTime(time, now = Date.now()) {
  const seconds = Math.round((time - now) / 1_000);
  if (Math.abs(seconds) < 5) return t(seconds > 0 ? "now" : "just_now");
  const [unit, size] = UNITS.find(([, size]) => Math.abs(seconds) >= size);
  return relativeFormat.format(Math.trunc(seconds / size), unit);
}

/** "1 hr 20 min", with no more than the two largest units. */
export function duration(milliseconds) {
  let rest = Math.max(0, Math.round(milliseconds / 1_000));
  const parts = [];
  for (const [unit, size] of UNITS) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count > 0 || (unit === "second" && parts.length === 0)) parts.push([unit, count]);
    else if (parts.length > 0) break;
    if (parts.length === 2) break;
  }
  return parts
    .map(([unit, count]) =>
      new Intl.NumberFormat(locale, { style: "unit", unit, unitDisplay: "short" }).format(count),
    )
    .join(" ");
}

export const timeOfDay = (time) => timeOfDayFormat.format(time);
export const fullTime = (time) => fullTimeFormat.format(time);
