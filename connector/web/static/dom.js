// What the pages do with the document. Text from anywhere goes in as text, never as markup.

import { fullTime, relativeTime, say } from "./language.js";

const SVG = "http://www.w3.org/2000/svg";

/** An element of HTML: attributes by name, on… as listeners, children as nodes or text. */
export function make(tag, attributes = {}, ...children) {
  return furnish(document.createElement(tag), attributes, children);
}

export function draw(tag, attributes = {}, ...children) {
  return furnish(document.createElementNS(SVG, tag), attributes, children);
}

function furnish(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** A copy of a <template>, its data-text filled in. */
export function clone(id) {
  const root = document.getElementById(id).content.firstElementChild.cloneNode(true);
  fill(root);
  return root;
}

export function fill(root) {
  const each = (name, put) => {
    for (const element of [root, ...root.querySelectorAll(`[data-${name}]`)]) {
      if (element.dataset?.[name]) put(element, say(element.dataset[name]));
    }
  };
  each("text", (element, text) => (element.textContent = text));
  each("label", (element, text) => element.setAttribute("aria-label", text));
}

export const part = (root, name) => root.querySelector(`[data-part="${name}"]`);

/** Only touches the document when something changed, so that nothing flickers. */
export function put(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Puts one view in the place of another; a screen reader goes on from the new heading. */
export function show(view, { page, focus = true } = {}) {
  document.getElementById("main").replaceChildren(view);
  const heading = view.querySelector("h1");
  document.title = `${page ?? heading.textContent} · Connector`;
  if (!heading) return;
  heading.tabIndex = -1;
  if (focus) heading.focus();
}

/** Said aloud by a screen reader, seen by nobody. */
export function announce(text) {
  const announcer = document.getElementById("announcer");
  announcer.textContent = "";
  requestAnimationFrame(() => (announcer.textContent = text));
}

/** While `work` runs the button says so and cannot be pressed again. */
export async function during(button, text, work) {
  const before = button.textContent;
  button.disabled = true;
  button.textContent = text;
  try {
    return await work();
  } finally {
    button.disabled = false;
    button.textContent = before;
  }
}

/** Brings `list` in line with `items`, moving what is there rather than making it anew. */
export function keyed(list, items, { key, create, update }) {
  const there = new Map([...list.children].map((child) => [child.dataset.key, child]));
  let at = list.firstElementChild;
  for (const item of items) {
    let child = there.get(key(item));
    if (child) there.delete(key(item));
    else {
      child = create(item);
      child.dataset.key = key(item);
    }
    update(child, item);
    if (child === at) at = at.nextElementSibling;
    else list.insertBefore(child, at);
  }
  for (const gone of there.values()) gone.remove();
}

/** A <time> that says how long ago or how soon; tick() keeps it true. */
export function setTime(element, iso, text) {
  element.dateTime = iso;
  element.title = fullTime(new Date(iso));
  element.dataset.ticking = text;
  tell(element);
}

export const moment = (iso, text) => {
  const element = make("time");
  setTime(element, iso, text);
  return element;
};

export function tick() {
  for (const element of document.querySelectorAll("time[data-ticking]")) tell(element);
}

function tell(element) {
  const when = relativeTime(new Date(element.dateTime));
  put(element, element.dataset.ticking ? say(element.dataset.ticking, { when }) : when);
}

/** The house's sign: you on the left, TikTok on the right, and the line between. */
export function line(state, { large = false } = {}) {
  return draw(
    "svg",
    {
      class: large ? "line large" : "line",
      viewBox: "0 0 64 20",
      "data-state": state,
      "aria-hidden": "true",
      focusable: "false",
    },
    draw("path", { class: "wire", d: "M14 10H50" }),
    draw("circle", { class: "near", cx: "8", cy: "10", r: "6" }),
    draw("circle", { class: "far", cx: "56", cy: "10", r: "5" }),
  );
}

export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}
