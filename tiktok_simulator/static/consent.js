// The page works without this script. The script adds the filter, "Select all", "Select none" and
// the number of selected accounts, and applies the controls without the Apply button.

const controls = document.querySelector("#controls");
controls.querySelector(".secondary").hidden = true;
controls.addEventListener("change", () => controls.requestSubmit());

const advertisers = document.querySelector("#advertisers");
if (advertisers) {
  const items = [...advertisers.querySelectorAll("li")].map((element) => ({
    element,
    checkbox: element.querySelector("input"),
    text: element.textContent.toLowerCase(),
  }));
  const filter = advertisers.querySelector("#filter");
  const selectedCount = advertisers.querySelector("#selected-count");
  advertisers.querySelector(".tools").hidden = false;

  const updateCount = () => {
    const selected = items.filter(({ checkbox }) => checkbox.checked).length;
    const total = items.length.toLocaleString("en");
    selectedCount.textContent = `${selected.toLocaleString("en")} of ${total} selected`;
  };
  const checkVisible = (checked) => {
    for (const { element, checkbox } of items) if (!element.hidden) checkbox.checked = checked;
    updateCount();
  };

  filter.addEventListener("input", () => {
    const searchText = filter.value.trim().toLowerCase();
    for (const { element, text } of items) element.hidden = !text.includes(searchText);
  });
  // Enter in a search field would submit the form with Allow.
  filter.addEventListener("keydown", (event) => {
    if (event.key === "Enter") event.preventDefault();
  });
  advertisers.querySelector("#select-all").addEventListener("click", () => checkVisible(true));
  advertisers.querySelector("#select-none").addEventListener("click", () => checkVisible(false));
  advertisers.addEventListener("change", updateCount);
  updateCount();
}
