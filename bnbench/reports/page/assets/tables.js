"use strict";
// A head's button sorts its table. A row is a <tbody>, so that its verdict and details move with it.

function sortKey(body, column) {
  const key = body.rows[0].cells[column].dataset.sort;
  const number = Number(key);
  return key === "" ? null : Number.isNaN(number) ? key : number;
}

function compare(first, second, sign) {
  if (first === null || second === null) return (first === null) - (second === null); // what is not known comes last
  if (typeof first === "number" && typeof second === "number") return sign * (first - second);
  return sign * String(first).localeCompare(String(second));
}

function sortTable(head) {
  const table = head.closest("table");
  const column = head.cellIndex;
  const ascending = head.getAttribute("aria-sort") !== "ascending";
  for (const other of head.parentElement.cells) other.setAttribute("aria-sort", "none");
  head.setAttribute("aria-sort", ascending ? "ascending" : "descending");
  const keyed = [...table.tBodies].map((body) => [sortKey(body, column), body]);
  keyed.sort((first, second) => compare(first[0], second[0], ascending ? 1 : -1));
  table.append(...keyed.map(([, body]) => body));
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button.sort");
  if (button) sortTable(button.closest("th"));
});
