// Small drawings and tables of the live page, made of elements and text: nothing that it shows is ever markup.
"use strict";

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 240;
const HEIGHT = 40;

function drawing(name, attributes) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

// A line of the last `count` values, the newest at the right end, with a tinted ground. `put` draws it anew; its scale begins
// at 0 and ends at the greatest value.
function sparkline(count) {
  const svg = drawing("svg", { class: "spark", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img" });
  const ground = svg.appendChild(drawing("polygon", {}));
  const line = svg.appendChild(drawing("polyline", {}));
  const put = (values, label) => {
    const top = Math.max(...values, 1e-9);
    const step = WIDTH / (count - 1);
    const first = WIDTH - step * (values.length - 1);
    const points = values.map((value, at) => `${(first + at * step).toFixed(1)},${(HEIGHT - 2 - (value / top) * (HEIGHT - 4)).toFixed(1)}`);
    line.setAttribute("points", points.join(" "));
    ground.setAttribute("points", `${first.toFixed(1)},${HEIGHT} ${points.join(" ")} ${WIDTH},${HEIGHT}`);
    svg.setAttribute("aria-label", label);
  };
  return { svg, put };
}

// What stands in a cell: text, or one of these.
const bar = (share, label, isGood) => ({ share, label, isGood });
const words = (list) => ({ list });

function put(cell, value) {
  if (typeof value === "object" && "share" in value) {
    const progress = cell.querySelector("progress") ?? cell.appendChild(document.createElement("progress"));
    progress.value = Number.isFinite(value.share) ? value.share : 0;
    progress.ariaLabel = value.label;
    progress.className = value.isGood ? "" : "bad";
  } else if (typeof value === "object") {
    const text = value.list.join(" ");
    if (cell.dataset.words === text) return;
    cell.dataset.words = text;
    cell.replaceChildren();
    for (const word of value.list) {
      const chip = cell.appendChild(document.createElement("span"));
      chip.className = word === "public" ? "chip warn" : "chip";
      chip.textContent = word;
      cell.append(" ");
    }
  } else if (cell.textContent !== value) {
    cell.textContent = value;
  }
}

// Makes the rows of a table these. What is the same stays: a reader who has marked a word, or reads it out, goes on.
function fill(id, rows) {
  const body = document.getElementById(id);
  const heads = body.parentElement.tHead.rows[0].cells;
  rows.forEach((values, at) => {
    const row = body.rows[at] ?? body.insertRow();
    values.forEach((value, column) => {
      let cell = row.cells[column];
      if (!cell) {
        cell = row.insertCell();
        cell.className = heads[column].className;
        cell.dataset.label = heads[column].textContent.trim();
      }
      put(cell, value);
    });
  });
  while (body.rows.length > rows.length) body.deleteRow(-1);
}
