// What /connect asks in front of itself: whether to disconnect, and which ad account to take.

import { call } from "./api.js";
import { clone, during, make, part, put } from "./dom.js";
import { say } from "./language.js";
import { picker } from "./picker.js";

/** True once it is disconnected; a failure is told inside the dialog, which stays. */
export function askDisconnect(connection, name) {
  const dialog = clone("ask");
  const yes = part(dialog, "yes");
  put(part(dialog, "title"), say("connect/ask/title", { name }));
  part(dialog, "keep").onclick = () => dialog.close();
  return opened(dialog, (done) => {
    yes.onclick = () =>
      during(yes, say("connect/ask/doing"), async () => {
        try {
          await call("DELETE", `/connections/${connection.id}`);
          done(true);
        } catch (problem) {
          tell(part(dialog, "failure"), problem);
        }
      });
  });
}

/** The advertiser that was chosen and saved, or nothing. */
export async function chooseAdvertiser(connection) {
  const at = `/advertisers?connection_id=${connection.id}`;
  const { advertisers, selected_lost: lost } = await call("GET", at);
  const dialog = clone("choosing");
  return opened(dialog, (done) => {
    const failure = make("p", { class: "note bad", role: "alert", hidden: true });
    const close = make("button", { class: "button quiet", type: "button" }, say("close"));
    close.onclick = () => dialog.close();
    const choose = async (advertiser) => {
      const body = { advertiser_id: advertiser.id, connection_id: connection.id };
      try {
        await call("POST", "/advertisers/select", { body });
        done(advertiser);
      } catch (problem) {
        tell(failure, problem);
      }
    };
    const view = picker({ advertisers, lost, choose, heading: "h2", also: close });
    part(dialog, "place").append(failure, view);
  });
}

function opened(dialog, prepare) {
  const { promise, resolve } = withResolvers();
  let outcome = null;
  prepare((what) => {
    outcome = what;
    dialog.close();
  });
  dialog.addEventListener("close", () => {
    dialog.remove();
    resolve(outcome);
  });
  // A press on the backdrop, which counts as the dialog itself, closes it.
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  document.body.append(dialog);
  dialog.showModal();
  return promise;
}

function withResolvers() {
  let resolve;
  const promise = new Promise((settle) => (resolve = settle));
  return { promise, resolve };
}

function tell(note, problem) {
  note.hidden = false;
  put(note, problem.message || say("problem/unreachable/text"));
}
