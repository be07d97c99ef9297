"use strict";
// What is chosen above the boards hides what does not fit, everywhere on the page, and says how much is left.

const chosen = {
  workload: document.getElementById("filter-workload"),
  level: document.getElementById("filter-level"),
  track: document.getElementById("filter-track"),
};
const entryText = document.getElementById("filter-entry");

function fits(part) {
  return Object.entries(chosen).every(([name, select]) => {
    const own = part.dataset[name];
    return select.value === "" || own === undefined || own === select.value;
  });
}

function filterPage() {
  for (const part of document.querySelectorAll("[data-track]")) part.hidden = !fits(part);
  const wanted = entryText.value.trim().toLowerCase();
  const rows = document.querySelectorAll("tbody.entry");
  for (const row of rows) row.hidden = !row.dataset.entry.includes(wanted);
  let shown = 0;
  const onBoards = document.querySelectorAll("#boards tbody.entry");
  for (const block of document.querySelectorAll("#boards .block")) {
    const left = block.querySelectorAll("tbody.entry:not([hidden])").length;
    if (left === 0) block.hidden = true;
    if (!block.hidden) shown += left;
  }
  for (const section of document.querySelectorAll("section.workload")) {
    section.hidden = section.querySelector(".block:not([hidden])") === null;
  }
  const count = document.getElementById("filter-count");
  count.textContent = `${shown.toLocaleString("en")} of ${onBoards.length.toLocaleString("en")} rows shown`;
}

if (entryText) {
  let waiting = 0;
  entryText.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(filterPage, 120); // thousands of rows are not searched at every letter
  });
  for (const select of Object.values(chosen)) select.addEventListener("change", filterPage);
  document.getElementById("filter-reset").addEventListener("click", () => {
    for (const select of Object.values(chosen)) select.value = "";
    entryText.value = "";
    filterPage();
  });
  filterPage(); // a browser that goes back keeps what was chosen
}
