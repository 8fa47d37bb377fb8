// Opening a <dialog>. The browser traps the focus in the dialog, and returns the focus when the dialog closes.

import { setText } from "./dom.js";
import { t } from "./i18n.js";

/**
 * Resolves when the dialog closes: to what `prepare` passed to `finish`, or to null. `closedBy` is "any" (Escape or
 * a click beside the dialog), "closerequest" (Escape), or "none" (only a button of the dialog), as in HTML.
 */
export function openDialog(dialog, prepare, { closedBy = "any" } = {}) {
  const { promise, resolve } = deferred();
  let result = null;
  prepare((value) => {
    result = value;
    dialog.close();
  });
  dialog.addEventListener("close", () => {
    dialog.remove();
    resolve(result);
  });
  dialog.addEventListener("cancel", (event) => closedBy === "none" && event.preventDefault());
  // A click on the backdrop has the dialog itself as its target.
  dialog.addEventListener("click", (event) => closedBy === "any" && event.target === dialog && dialog.close());
  document.body.append(dialog);
  dialog.showModal();
  return promise;
}

function deferred() {
  let resolve;
  const promise = new Promise((settle) => (resolve = settle));
  return { promise, resolve };
}

export function showError(note, error) {
  note.hidden = false;
  setText(note, error.message || t("error/unreachable/text"));
}
