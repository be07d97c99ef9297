"use strict";
// An entry's button opens what else is known of it. It is made when first opened: a page may have thousands.

function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

function factGroups(groups) {
  const room = element("div", undefined, "groups");
  for (const [title, facts] of groups) {
    const group = element("div");
    const list = element("dl");
    for (const [name, value] of facts) {
      const line = element("div");
      line.append(element("dt", name), element("dd", value));
      list.append(line);
    }
    group.append(element("h5", title), list);
    room.append(group);
  }
  return room;
}

function scrolling(content, label) {
  const room = element("div", undefined, "scroll");
  room.tabIndex = 0;
  room.setAttribute("role", "region");
  room.setAttribute("aria-label", label);
  room.append(content);
  return room;
}

function fill(cell, row, entry) {
  cell.append(factGroups(row.facts));
  if (row.seeds) {
    const [columns, seeds] = row.seeds;
    cell.append(element("h5", "Seeds"), scrolling(textTable(columns, seeds), `Seeds of ${entry}`));
  }
  if (row.runs.length) cell.append(element("h5", row.runs.length === 1 ? "Record" : "Records"));
  for (const [command, path, identifier] of row.runs) {
    cell.append(element("pre", command || "(command not recorded)"));
    cell.append(element("p", `cell ${identifier}, ${path}`, "small"));
  }
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button.open");
  if (!button) return;
  const more = document.getElementById(button.getAttribute("aria-controls"));
  const opened = button.getAttribute("aria-expanded") !== "true";
  button.setAttribute("aria-expanded", String(opened));
  more.hidden = !opened;
  const cell = more.cells[0];
  const entry = button.querySelector("bdi").textContent;
  if (opened && !cell.childElementCount) fill(cell, blockData(more).rows[button.closest("tbody").id], entry);
});
