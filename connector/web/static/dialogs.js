// The dialogs of /connect: to confirm a disconnect, and to select an ad account.

import { advertiserPicker } from "./advertiser-picker.js";
import { request } from "./api.js";
import { openDialog, showError } from "./dialog.js";
import { cloneTemplate, element, partOf, setText, whileBusy } from "./dom.js";
import { t } from "./i18n.js";

/** Resolves to true once the connection is disconnected. A failure is shown in the open dialog. */
export function confirmDisconnect(connection, name) {
  const dialog = cloneTemplate("disconnect-dialog");
  const confirm = partOf(dialog, "confirm");
  setText(partOf(dialog, "title"), t("connect/disconnect_dialog/title", { name }));
  partOf(dialog, "cancel").onclick = () => dialog.close();
  return openDialog(dialog, (finish) => {
    confirm.onclick = () =>
      whileBusy(confirm, t("connect/disconnect_dialog/working"), async () => {
        try {
          await request("DELETE", `/connections/${connection.id}`);
          finish(true);
        } catch (error) {
          showError(partOf(dialog, "failure"), error);
        }
      });
  });
}

/** Resolves to the advertiser that was selected and saved, or to null. */
export async function selectAdvertiser(connection) {
  const path = `/advertisers?connection_id=${connection.id}`;
  const { advertisers, lost_advertiser: lostAdvertiser } = await request("GET", path);
  const dialog = cloneTemplate("picker-dialog");
  return openDialog(dialog, (finish) => {
    const failure = element("p", { class: "note bad", role: "alert", hidden: true });
    const close = element("button", { class: "button secondary", type: "button" }, t("close"));
    close.onclick = () => dialog.close();
    const onConfirm = async (advertiser) => {
      const body = { advertiser_id: advertiser.id, connection_id: connection.id };
      try {
        await request("POST", "/advertisers/select", { body });
        finish(advertiser);
      } catch (error) {
        showError(failure, error);
      }
    };
    const heading = "h2";
    const picker = advertiserPicker({ advertisers, lostAdvertiser, onConfirm, heading, extraAction: close });
    partOf(dialog, "container").append(failure, picker);
  });
}
