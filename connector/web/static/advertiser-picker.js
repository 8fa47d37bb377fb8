// Selecting one ad account among any number: search, arrow keys, and a button that confirms.
//
// Only the visible rows exist in the document, so that 5,000 ad accounts are as fast as five. The list
// is a listbox whose active option is named by aria-activedescendant. Focus stays in the search field,
// or on the list where there are too few ad accounts to search.

import { announce, element, setText, whileBusy } from "./dom.js";
import { t } from "./i18n.js";

const ROW_HEIGHT = 64;
const MAX_VISIBLE_ROWS = 6.5;
// Rows drawn above and below the visible ones.
const OVERSCAN = 4;
const SEARCH_FROM = 7;
const ANNOUNCE_AFTER_MS = 400;

const normalize = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
const nameOf = (advertiser) => advertiser.name || t("picker/unnamed");

/** `onConfirm(advertiser)` saves the selection and shows its own errors. */
export const advertiserPicker = (options) => new AdvertiserPicker(options).view;

class AdvertiserPicker {
  constructor({ advertisers, lostAdvertiser, onConfirm, heading = "h1", extraAction }) {
    this.all = advertisers.map((advertiser) => ({
      ...advertiser,
      searchText: normalize(`${advertiser.name}\n${advertiser.id}`),
    }));
    this.matches = this.all;
    const onlyOne = this.all.length === 1 ? this.all[0] : null;
    this.selected = this.all.find(({ selected }) => selected) ?? onlyOne;
    this.active = Math.max(0, this.all.indexOf(this.selected));
    this.onConfirm = onConfirm;
    this.buildControls();
    this.view = this.buildView({ heading, lostAdvertiser, extraAction });
    this.list.style.height = `${Math.min(this.all.length, MAX_VISIBLE_ROWS) * ROW_HEIGHT}px`;
    new ResizeObserver(() => this.drawRows()).observe(this.list);
    this.update();
    requestAnimationFrame(() => this.scrollToActive());
  }

  buildControls() {
    const onkeydown = (event) => this.handleKey(event);
    this.search = element("input", {
      type: "search",
      id: "picker-search",
      autocomplete: "off",
      spellcheck: "false",
      role: "combobox",
      "aria-expanded": "true",
      "aria-controls": "picker-list",
      "aria-autocomplete": "list",
      placeholder: t("picker/search"),
      oninput: () => this.filter(),
      onkeydown,
    });
    this.rows = element("div", { class: "rows", role: "presentation" });
    this.list = element("div", {
      class: "options",
      id: "picker-list",
      role: "listbox",
      tabindex: "0",
      "aria-label": t("picker/list"),
      onscroll: () => this.drawRows(),
      onkeydown,
      onclick: (event) => this.handleClick(event),
    }, this.rows);
    this.count = element("p", { class: "muted" });
    this.noMatchText = element("p");
    this.selection = element("p", { class: "selection" });
    const onclick = () => this.confirmSelection();
    this.confirm = element("button", { class: "button", type: "button", onclick }, t("picker/confirm"));
  }

  buildView({ heading, lostAdvertiser: lost, extraAction }) {
    const lostText = lost && t("picker/lost", { name: lost.name || lost.id });
    const isSearchHidden = this.all.length < SEARCH_FROM;
    const onclick = () => this.clearSearch();
    this.noMatch = element(
      "div",
      { class: "no-match", hidden: true },
      this.noMatchText,
      element("p", { class: "muted" }, t("picker/no_match_help")),
      element("button", { class: "link", type: "button", onclick }, t("picker/clear_search")),
    );
    return element(
      "section",
      { class: "picker" },
      element(heading, { tabindex: "-1" }, t("picker/title")),
      element("p", { class: "lead" }, t("picker/lead", { count: this.all.length })),
      lost ? element("p", { class: "note warn" }, lostText) : null,
      element(
        "div",
        { class: "search", hidden: isSearchHidden },
        element("label", { for: "picker-search", class: "visually-hidden" }, t("picker/search")),
        this.search,
      ),
      this.count,
      element("div", { class: "frame" }, this.list, this.noMatch),
      element(
        "div",
        { class: "confirmation" },
        this.selection,
        element("div", { class: "actions" }, extraAction, this.confirm),
      ),
    );
  }

  // Showing.

  update() {
    const all = this.all.length;
    const count = this.matches.length;
    setText(this.count, t(count === all ? "picker/count" : "picker/matches", { count, all }));
    this.count.hidden = all < SEARCH_FROM;
    this.rows.style.height = `${count * ROW_HEIGHT}px`;
    this.noMatch.hidden = count > 0;
    setText(this.noMatchText, t("picker/no_match", { query: this.search.value.trim() }));
    this.list.classList.toggle("is-empty", count === 0);
    this.selection.replaceChildren(...this.selectionTexts());
    this.confirm.disabled = this.selected === null;
    this.drawRows();
  }

  selectionTexts() {
    if (!this.selected) return [element("span", { class: "muted" }, t("picker/no_selection"))];
    return [
      element("span", { class: "muted" }, t("picker/selection")),
      element("b", {}, nameOf(this.selected)),
      element("span", { class: "id" }, this.selected.id),
    ];
  }

  drawRows() {
    const first = Math.max(0, Math.floor(this.list.scrollTop / ROW_HEIGHT) - OVERSCAN);
    const height = this.list.clientHeight || ROW_HEIGHT * MAX_VISIBLE_ROWS;
    const end = first + Math.ceil(height / ROW_HEIGHT) + 2 * OVERSCAN;
    const drawn = this.matches.slice(first, end).map((_, offset) => this.option(first + offset));
    // A screen reader needs the active option in the document, even if it is scrolled out of view.
    const isActiveDrawn = this.active >= first && this.active < end;
    const hasActive = Boolean(this.matches[this.active]);
    if (!isActiveDrawn && hasActive) drawn.push(this.option(this.active));
    this.rows.replaceChildren(...drawn);
    for (const owner of [this.search, this.list]) {
      if (hasActive) owner.setAttribute("aria-activedescendant", `option-${this.active}`);
      else owner.removeAttribute("aria-activedescendant");
    }
  }

  option(index) {
    const advertiser = this.matches[index];
    const tag = advertiser.selected ? element("span", { class: "tag" }, t("picker/current")) : null;
    const row = element(
      "div",
      {
        class: index === this.active ? "option active" : "option",
        id: `option-${index}`,
        role: "option",
        "aria-selected": String(advertiser === this.selected),
        "aria-setsize": this.matches.length,
        "aria-posinset": index + 1,
        "data-index": index,
      },
      element(
        "span",
        { class: "lines" },
        element("span", {}, element("b", {}, nameOf(advertiser)), tag),
        element("span", { class: "id" }, advertiser.id),
      ),
    );
    row.style.transform = `translateY(${index * ROW_HEIGHT}px)`;
    return row;
  }

  scrollToActive() {
    const top = this.active * ROW_HEIGHT;
    if (top < this.list.scrollTop) this.list.scrollTop = top;
    const minScroll = top + ROW_HEIGHT - this.list.clientHeight;
    if (minScroll > this.list.scrollTop) this.list.scrollTop = minScroll;
    this.drawRows();
  }

  // Searching.

  filter() {
    const words = normalize(this.search.value).split(/\s+/).filter(Boolean);
    this.matches = this.all.filter(({ searchText }) => words.every((word) => searchText.includes(word)));
    this.active = words.length === 0 ? Math.max(0, this.matches.indexOf(this.selected)) : 0;
    this.list.scrollTop = 0;
    this.update();
    this.scrollToActive();
    clearTimeout(this.announceTimer);
    this.announceTimer = setTimeout(() => announce(this.count.textContent), ANNOUNCE_AFTER_MS);
  }

  clearSearch() {
    this.search.value = "";
    this.filter();
    this.search.focus();
  }

  // Selecting.

  handleClick(event) {
    const row = event.target.closest("[data-index]");
    if (row) this.select(Number(row.dataset.index));
  }

  handleKey(event) {
    if (event.isComposing || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
    const target = this.keyTarget(event.key);
    const last = this.matches.length - 1;
    if (target !== undefined && last >= 0) {
      event.preventDefault();
      this.active = Math.min(Math.max(target, 0), last);
      this.scrollToActive();
    } else if (event.key === "Enter" || (event.key === " " && event.currentTarget === this.list)) {
      event.preventDefault();
      if (this.matches[this.active]) this.select(this.active, { byKeyboard: true });
    }
  }

  /** The index that a navigation key leads to; undefined for any other key. */
  keyTarget(key) {
    const page = Math.max(1, Math.floor(this.list.clientHeight / ROW_HEIGHT) - 1);
    return {
      ArrowDown: this.active + 1,
      ArrowUp: this.active - 1,
      PageDown: this.active + page,
      PageUp: this.active - page,
      Home: 0,
      End: this.matches.length - 1,
    }[key];
  }

  /** By keyboard, focus moves on to the button that confirms. */
  select(index, { byKeyboard = false } = {}) {
    this.active = index;
    this.selected = this.matches[index];
    this.update();
    announce(`${t("picker/selection")}: ${nameOf(this.selected)}`);
    if (byKeyboard) this.confirm.focus();
  }

  confirmSelection() {
    return whileBusy(this.confirm, t("picker/confirming"), () => this.onConfirm(this.selected));
  }
}
