// The page works without this; here are the conveniences: filter, select all, count, no Apply button.

const scene = document.querySelector("#scene");
scene.querySelector(".quiet").hidden = true;
scene.addEventListener("change", () => scene.requestSubmit());

const accounts = document.querySelector("#accounts");
if (accounts) {
  const rows = [...accounts.querySelectorAll(".picks li")].map((row) => ({
    row,
    box: row.querySelector("input"),
    text: row.textContent.toLowerCase(),
  }));
  const filter = accounts.querySelector("#filter");
  const count = accounts.querySelector("#count");
  accounts.querySelector(".tools").hidden = false;

  const tell = () => {
    const chosen = rows.filter(({ box }) => box.checked).length;
    count.textContent = `${chosen.toLocaleString("en")} of ${rows.length.toLocaleString("en")} selected`;
  };
  const tick = (checked) => {
    for (const { row, box } of rows) if (!row.hidden) box.checked = checked;
    tell();
  };

  filter.addEventListener("input", () => {
    const wanted = filter.value.trim().toLowerCase();
    for (const { row, text } of rows) row.hidden = !text.includes(wanted);
  });
  // Enter in a search field would otherwise press Allow.
  filter.addEventListener("keydown", (event) => {
    if (event.key === "Enter") event.preventDefault();
  });
  accounts.querySelector("#all").addEventListener("click", () => tick(true));
  accounts.querySelector("#none").addEventListener("click", () => tick(false));
  accounts.addEventListener("change", tell);
  tell();
}
