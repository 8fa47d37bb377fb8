// Choosing one ad account among any number: search as you type, arrows, and a confirmation.
//
// Only the rows in sight exist in the document, so that five thousand are as quick as five. The
// list is a listbox whose active option is named by aria-activedescendant; focus stays in the
// search field (or on the list, where there are too few to search).

import { announce, during, make, put } from "./dom.js";
import { say } from "./language.js";

const ROW = 64;
const MOST_ROWS_IN_SIGHT = 6.5;
const OVERSCAN = 4;
const SEARCH_FROM = 7;

const plain = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();

/** `choose(advertiser)` saves the choice; what it throws is shown by whoever passed it. */
export function picker({ advertisers, lost, heading = "h1", choose, also }) {
  const everyone = advertisers.map((one) => ({ ...one, sought: plain(`${one.name}\n${one.id}`) }));
  let fitting = everyone;
  let chosen = everyone.find((one) => one.selected) ?? (everyone.length === 1 ? everyone[0] : null);
  let active = Math.max(0, everyone.indexOf(chosen));
  let announcing;

  const search = make("input", {
    type: "search",
    id: "picker-search",
    autocomplete: "off",
    spellcheck: "false",
    role: "combobox",
    "aria-expanded": "true",
    "aria-controls": "picker-list",
    "aria-autocomplete": "list",
    placeholder: say("picker/search"),
    oninput: filter,
    onkeydown: onKey,
  });
  const searching = make(
    "div",
    { class: "search", hidden: everyone.length < SEARCH_FROM },
    make("label", { for: "picker-search", class: "unseen" }, say("picker/search")),
    search,
  );
  const count = make("p", { class: "soft count" });
  const rows = make("div", { class: "rows", role: "presentation" });
  const list = make(
    "div",
    {
      class: "options",
      id: "picker-list",
      role: "listbox",
      tabindex: "0",
      "aria-label": say("picker/list"),
      onscroll: draw,
      onkeydown: onKey,
      onclick: onClick,
    },
    rows,
  );
  const none = make(
    "div",
    { class: "none", hidden: true },
    make("p", {}),
    make("p", { class: "soft" }, say("picker/none_more")),
    make("button", { class: "link", type: "button", onclick: clear }, say("picker/clear")),
  );
  const choice = make("p", { class: "choice" });
  const confirm = make("button", { class: "button", type: "button", onclick: decide }, say("picker/confirm"));
  const view = make(
    "section",
    { class: "picker" },
    make(heading, { tabindex: "-1" }, say("picker/title")),
    make("p", { class: "lede" }, say("picker/lede", { count: everyone.length })),
    lost ? make("p", { class: "note warn" }, say("picker/lost", { name: lost.name || lost.id })) : null,
    searching,
    count,
    make("div", { class: "frame" }, list, none),
    make("div", { class: "decision" }, choice, make("div", { class: "actions" }, also, confirm)),
  );

  list.style.height = `${Math.min(everyone.length, MOST_ROWS_IN_SIGHT) * ROW}px`;
  new ResizeObserver(draw).observe(list);
  refresh();
  requestAnimationFrame(reveal);
  return view;

  // What is shown.

  function filter() {
    const words = plain(search.value).split(/\s+/).filter(Boolean);
    fitting = everyone.filter((one) => words.every((word) => one.sought.includes(word)));
    active = words.length === 0 ? Math.max(0, fitting.indexOf(chosen)) : 0;
    list.scrollTop = 0;
    refresh();
    reveal();
    clearTimeout(announcing);
    announcing = setTimeout(() => announce(count.textContent), 400);
  }

  function clear() {
    search.value = "";
    filter();
    search.focus();
  }

  function refresh() {
    const all = everyone.length;
    const key = fitting.length === all ? "picker/count" : "picker/matches";
    put(count, say(key, { count: fitting.length, all }));
    count.hidden = all < SEARCH_FROM;
    rows.style.height = `${fitting.length * ROW}px`;
    none.hidden = fitting.length > 0;
    put(none.firstElementChild, say("picker/none", { query: search.value.trim() }));
    list.classList.toggle("bare", fitting.length === 0);
    choice.replaceChildren(
      ...(chosen
        ? [make("span", { class: "soft" }, say("picker/choice")), make("b", {}, nameOf(chosen)), make("span", { class: "id" }, chosen.id)]
        : [make("span", { class: "soft" }, say("picker/nothing"))]),
    );
    confirm.disabled = chosen === null;
    draw();
  }

  function draw() {
    const first = Math.max(0, Math.floor(list.scrollTop / ROW) - OVERSCAN);
    const inSight = Math.ceil((list.clientHeight || ROW * MOST_ROWS_IN_SIGHT) / ROW) + 2 * OVERSCAN;
    const shown = fitting.slice(first, first + inSight).map((one, at) => option(one, first + at));
    // The active one has to exist for a screen reader, even when it was scrolled out of sight.
    const activeShown = active >= first && active < first + inSight;
    if (!activeShown && fitting[active]) shown.push(option(fitting[active], active));
    rows.replaceChildren(...shown);
    for (const owner of [search, list]) {
      if (fitting[active]) owner.setAttribute("aria-activedescendant", `option-${active}`);
      else owner.removeAttribute("aria-activedescendant");
    }
  }

  function option(one, at) {
    const row = make(
      "div",
      {
        class: at === active ? "option active" : "option",
        id: `option-${at}`,
        role: "option",
        "aria-selected": String(one === chosen),
        "aria-setsize": fitting.length,
        "aria-posinset": at + 1,
        "data-at": at,
      },
      make(
        "span",
        { class: "words" },
        make("span", {}, make("b", {}, nameOf(one)), one.selected ? make("span", { class: "tag" }, say("picker/current")) : null),
        make("span", { class: "id" }, one.id),
      ),
    );
    row.style.transform = `translateY(${at * ROW}px)`;
    return row;
  }

  function reveal() {
    const top = active * ROW;
    if (top < list.scrollTop) list.scrollTop = top;
    const bottom = top + ROW - list.clientHeight;
    if (bottom > list.scrollTop) list.scrollTop = bottom;
    draw();
  }

  // What a person does.

  function onClick(event) {
    const row = event.target.closest("[data-at]");
    if (row) pick(Number(row.dataset.at));
  }

  function onKey(event) {
    const page = Math.max(1, Math.floor(list.clientHeight / ROW) - 1);
    const last = fitting.length - 1;
    const to = {
      ArrowDown: active + 1,
      ArrowUp: active - 1,
      PageDown: active + page,
      PageUp: active - page,
      Home: 0,
      End: last,
    }[event.key];
    if (event.isComposing || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    if (to !== undefined && last >= 0) {
      event.preventDefault();
      active = Math.min(Math.max(to, 0), last);
      reveal();
    } else if (event.key === "Enter" || (event.key === " " && event.currentTarget === list)) {
      event.preventDefault();
      if (fitting[active]) pick(active, { byKey: true });
    }
  }

  /** From the keyboard the way goes straight on to the button, which says what it will do. */
  function pick(at, { byKey = false } = {}) {
    active = at;
    chosen = fitting[at];
    refresh();
    announce(`${say("picker/choice")}: ${nameOf(chosen)}`);
    if (byKey) confirm.focus();
  }

  function decide() {
    return during(confirm, say("picker/confirming"), () => choose(chosen));
  }
}

const nameOf = (one) => one.name || say("picker/unnamed");
