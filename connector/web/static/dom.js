// Building and changing the document. Text is always inserted as text, never as markup.

import { t } from "./i18n.js";

const SVG = "http://www.w3.org/2000/svg";
const COPIED_MS = 2_000;

// Names come from TikTok. These characters turn the text around them, or hide a part of a name.
const LINE_BREAKS = /[\t-\r\u0085\u2028\u2029]+/g;
const INVISIBLE = /[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g;

/** The text as a page may show it. The API returns every name unchanged. */
export const shownText = (text) => String(text).replace(LINE_BREAKS, " ").replace(INVISIBLE, "");

/** An HTML element: attributes by name, `on…` as event listeners, children as nodes or text. */
export function element(tag, attributes = {}, ...children) {
  return applyAttributes(document.createElement(tag), attributes, children);
}

export function svgElement(tag, attributes = {}, ...children) {
  return applyAttributes(document.createElementNS(SVG, tag), attributes, children);
}

function applyAttributes(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  for (const child of children) {
    if (child !== null && child !== undefined) node.append(child instanceof Node ? child : shownText(child));
  }
  return node;
}

/** A copy of a <template> with its texts filled in. */
export function cloneTemplate(id) {
  const root = document.getElementById(id).content.firstElementChild.cloneNode(true);
  fillTexts(root);
  return root;
}

/** `data-text` names the text of an element, `data-label` its accessible name. */
export function fillTexts(root) {
  const fill = (name, apply) => {
    for (const node of [root, ...root.querySelectorAll(`[data-${name}]`)]) {
      if (node.dataset?.[name]) apply(node, t(node.dataset[name]));
    }
  };
  fill("text", (node, text) => (node.textContent = text));
  fill("label", (node, text) => node.setAttribute("aria-label", text));
}

/** The text at `key` as nodes. <bdi> isolates the user: its characters cannot change the order of the sentence. */
export function sentence(key, user) {
  const [before, after = ""] = t(key, { user: "\n" }).split("\n");
  return [before, element("bdi", {}, user), after];
}

export const partOf = (root, name) => root.querySelector(`[data-part="${name}"]`);

/** Changes the document only if the text differs, so that nothing flickers. */
export function setText(node, text) {
  const shown = shownText(text);
  if (node.textContent !== shown) node.textContent = shown;
}

/** Replaces the current view. Focus moves to the new heading, so that a screen reader continues there. */
export function showView(view, { title, focus = true } = {}) {
  document.getElementById("main").replaceChildren(view);
  const heading = view.querySelector("h1");
  document.title = shownText(`${title ?? heading.textContent} · Connector`);
  if (!heading) return;
  heading.tabIndex = -1;
  if (focus) heading.focus();
}

/** Read aloud by a screen reader, invisible otherwise. */
export function announce(text) {
  const announcer = document.getElementById("announcer");
  announcer.textContent = "";
  requestAnimationFrame(() => (announcer.textContent = shownText(text)));
}

/** While `work` runs, the button shows `text` and is disabled. A disabled button loses the focus, and gets it back. */
export async function whileBusy(button, text, work) {
  const before = button.textContent;
  const hadFocus = document.activeElement === button;
  button.disabled = true;
  button.textContent = text;
  try {
    return await work();
  } finally {
    button.disabled = false;
    button.textContent = before;
    if (hadFocus && document.activeElement === document.body) button.focus();
  }
}

/** A click copies what `text` returns. The button shows the result for a moment. */
export function connectCopyButton(button, text) {
  const before = button.textContent;
  button.onclick = async () => {
    const result = t((await copyText(text())) ? "copied" : "copy_failed");
    setText(button, result);
    announce(result);
    setTimeout(() => setText(button, before), COPIED_MS);
  };
}

/** Returns whether the browser allowed it. */
async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}
