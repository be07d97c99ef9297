"use strict";
// A chart is drawn when it comes near the screen, by numbers that its block holds as JSON, and redrawn in dark or light.

const darkColors = JSON.parse(document.getElementById("dark-colors").textContent);
const blocks = new Map();
const drawn = new Set();
const MOST_PRINTED = 80;
const PRINTED_WIDTH = 328; // two side by side on A4 or Letter: before it is printed, the page still has its screen's width

function blockData(element) {
  const { id } = element.closest(".block");
  if (!blocks.has(id)) blocks.set(id, JSON.parse(document.getElementById(`${id}-data`).textContent));
  return blocks.get(id);
}

function chartData(figure) {
  return blockData(figure).charts[figure.dataset.chart];
}

// The figure with each colour of the light replaced by its counterpart.
function inTheDark(value) {
  if (typeof value === "string") return darkColors[value] ?? value;
  if (Array.isArray(value)) return typeof value[0] === "number" ? value : value.map(inTheDark);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, inTheDark(inner)]));
}

function draw(figure) {
  if (typeof Plotly === "undefined") return;
  drawn.add(figure);
  const source = structuredClone(chartData(figure).figure); // the library writes into what it is given
  const { data, layout } = isDark() ? inTheDark(source) : source;
  const dark = isDark();
  layout.hoverlabel = { ...layout.hoverlabel, bgcolor: dark ? "#232a36" : "#ffffff", font: { color: dark ? "#e6eaf0" : "#1c2430" } };
  if (printing) layout.width = PRINTED_WIDTH;
  if (matchMedia("(pointer: coarse)").matches) layout.dragmode = false; // a finger on a chart scrolls the page
  Plotly.react(figure.querySelector(".plot"), data, layout, {
    responsive: true,
    displaylogo: false,
    modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d", "zoomIn2d", "zoomOut2d"],
  });
}

function textTable(columns, rows) {
  const table = document.createElement("table");
  table.className = "plain-table";
  const head = table.createTHead().insertRow();
  for (const column of columns) {
    const cell = document.createElement("th");
    cell.scope = "col";
    cell.textContent = column;
    head.append(cell);
  }
  const body = table.createTBody();
  for (const row of rows) {
    const line = body.insertRow();
    row.forEach((text, index) => {
      const cell = document.createElement(index === 0 ? "th" : "td");
      if (index === 0) cell.scope = "row";
      cell.textContent = text; // never as HTML: names come from records
      line.append(cell);
    });
  }
  return table;
}

const near = new IntersectionObserver(
  (seen) => {
    for (const { isIntersecting, target } of seen) {
      if (!isIntersecting) continue;
      near.unobserve(target);
      draw(target);
    }
  },
  { rootMargin: "300px" },
);
for (const figure of document.querySelectorAll(".chart")) near.observe(figure);

document.addEventListener(
  "toggle",
  (event) => {
    if (!event.target.matches?.("details.numbers[open]")) return;
    const room = event.target.querySelector(".scroll");
    if (room.childElementCount) return;
    const { columns, rows } = chartData(event.target.closest(".chart"));
    room.append(textTable(columns, rows));
  },
  true, // `toggle` does not bubble
);

document.addEventListener("themechange", () => drawn.forEach(draw));

// Paper shows every chart, up to a number that a printer can bear, on white.
addEventListener("beforeprint", () => {
  printing = true;
  const shown = [...document.querySelectorAll(".chart")].filter((figure) => !figure.closest("[hidden]"));
  new Set([...drawn, ...shown.slice(0, MOST_PRINTED)]).forEach(draw);
});
addEventListener("afterprint", () => {
  printing = false;
  drawn.forEach(draw);
});
