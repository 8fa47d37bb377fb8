// The filters and the page of the list on /status. Both are in the address of the page, so that a reload, a
// copied link and the Back button show the same connections.

import { element, partOf } from "./dom.js";
import { t, textOr } from "./i18n.js";

const FILTERS = ["status", "family", "q"];
const PARAMETERS = [...FILTERS, "after"];
const STATUSES = ["reconnect_required", "refresh_failing", "active", "revoked"];
const PAGE_SIZE = 50;
const TYPING_MS = 300;

let typingTimer;

/** The query of GET /connections for the current address. */
export function listQuery() {
  const query = new URLSearchParams({ limit: PAGE_SIZE });
  for (const name of PARAMETERS) if (valueOf(name)) query.set(name, valueOf(name));
  return query;
}

export const isFirstPage = () => !valueOf("after");
/** False if the address shows the first page of all connections. */
export const hasParameters = () => PARAMETERS.some(valueOf);

const valueOf = (name) => (new URLSearchParams(location.search).get(name) ?? "").trim();

/** Changes some parameters of the address. A new filter starts at the first page. */
export function navigate(changes, { replace = false } = {}) {
  const query = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries({ after: "", ...changes })) {
    if (value) query.set(name, value);
    else query.delete(name);
  }
  const search = query.size > 0 ? `?${query}` : "";
  const address = location.pathname + search;
  if (replace) history.replaceState(null, "", address);
  else history.pushState(null, "", address);
}

export const clearFilters = () => navigate({ status: "", family: "", q: "" });

/** `onChange` is called after the address has changed. */
export function connectFilters(form, { families, onChange }) {
  const { status, family, q } = parts(form);
  const familyOptions = families.map(({ name, title }) => [name, textOr(`family/${name}/title`, title)]);
  family.append(...options([["", t("status/all_families")], ...familyOptions]));
  status.append(...options(["", ...STATUSES].map((name) => [name, ""])));
  const change = (changes, settings) => {
    clearTimeout(typingTimer);
    navigate(changes, settings);
    onChange();
  };
  status.onchange = () => change({ status: status.value });
  family.onchange = () => change({ family: family.value });
  // While somebody types, the address changes without new entries in the history.
  const search = () => change({ q: q.value.trim() }, { replace: true });
  q.oninput = () => {
    clearTimeout(typingTimer);
    typingTimer = setTimeout(search, TYPING_MS);
  };
  form.onsubmit = (event) => {
    event.preventDefault();
    search();
  };
  showFilters(form);
}

/** Shows the filters of the address, for example after the Back button. */
export function showFilters(form) {
  const controls = parts(form);
  for (const name of FILTERS) if (controls[name].value.trim() !== valueOf(name)) controls[name].value = valueOf(name);
}

export function showTotals(form, totals) {
  const { status } = parts(form);
  const all = Object.values(totals).reduce((sum, count) => sum + count, 0);
  for (const option of status.options) {
    const count = option.value ? totals[option.value] : all;
    const text = t(option.value ? `status/${option.value}` : "status/all_statuses");
    option.textContent = t("status/option", { text, count });
  }
}

const parts = (form) => Object.fromEntries(FILTERS.map((name) => [name, partOf(form, name)]));
const options = (entries) => entries.map(([value, text]) => element("option", { value }, text));
