"use strict";
const { question, labels, rows, sample } = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);
const storageKey = "safecot-labels-" + sample;
const names = Object.keys(labels);
let given = {};
let at = 0;

try {
  const stored = JSON.parse(localStorage.getItem(storageKey) || "{}");
  given = stored.given || {};
  byId("annotator").value = stored.annotator || "";
} catch (error) { /* storage may be forbidden for local files: labels then live as long as the page */ }

function store() {
  try {
    localStorage.setItem(storageKey, JSON.stringify({ given, annotator: byId("annotator").value }));
  } catch (error) { /* see above */ }
}

const buttons = names.map((name, index) => {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = (index + 1) + "  " + name + ": " + labels[name];
  button.addEventListener("click", () => choose(name));
  byId("labels").append(button);
  return button;
});

function show() {
  const row = rows[at];
  byId("prompt").textContent = row ? row.prompt : "";
  byId("answer").textContent = row ? row.answer : "";
  conceal(row);
  names.forEach((name, i) => buttons[i].setAttribute("aria-pressed", String(Boolean(row) && given[row.row] === name)));
  const done = rows.filter((r) => given[r.row]).length;
  byId("progress").max = Math.max(rows.length, 1);
  byId("progress").value = done;
  byId("count").textContent = "answer " + (at + 1) + " of " + rows.length + ", " + done + " labelled";
}

// A picture enters the page only when it is asked for, and leaves it with its answer.
function conceal(row) {
  byId("pictures").hidden = !(row && row.images);
  byId("shown").replaceChildren();
  byId("shown").hidden = true;
  byId("reveal").setAttribute("aria-expanded", "false");
}

function reveal() {
  const row = rows[at];
  if (!row || !row.images) return;
  if (!byId("shown").hidden) { conceal(row); return; }
  byId("shown").replaceChildren(...row.images.map((source, number) => {
    const image = document.createElement("img");
    image.src = source;
    image.alt = "Picture " + (number + 1) + " of the request";
    return image;
  }));
  byId("shown").hidden = false;
  byId("reveal").setAttribute("aria-expanded", "true");
}

function move(step) {
  at = Math.min(Math.max(at + step, 0), Math.max(rows.length - 1, 0));
  show();
}

function nextOpen() {
  const later = [...rows.keys()].map((i) => (at + 1 + i) % rows.length);
  const open = later.find((i) => !given[rows[i].row]);
  if (open !== undefined) at = open;
  show();
}

function choose(name) {
  if (!rows.length) return;
  given[rows[at].row] = name;
  store();
  move(1);
}

const cell = (text) => '"' + text.replaceAll('"', '""') + '"';

function download() {
  const lines = [["row", "label"], ...rows.map((r) => [r.row, given[r.row] || ""])];
  const text = lines.map((line) => line.map(cell).join(",")).join("\r\n") + "\r\n";
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  const annotator = byId("annotator").value.replace(/[^A-Za-z0-9_-]+/g, "_") || "annotator";
  link.download = "labels_" + annotator + ".csv";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

byId("question").textContent = question;
byId("back").addEventListener("click", () => move(-1));
byId("forward").addEventListener("click", () => move(1));
byId("open").addEventListener("click", nextOpen);
byId("download").addEventListener("click", download);
byId("reveal").addEventListener("click", reveal);
byId("annotator").addEventListener("input", store);
document.addEventListener("keydown", (event) => {
  if (event.target === byId("annotator") || event.ctrlKey || event.metaKey || event.altKey) return;
  const index = Number(event.key) - 1;
  if (index >= 0 && index < names.length) choose(names[index]);
  else if (event.key === "ArrowLeft") move(-1);
  else if (event.key === "ArrowRight") move(1);
  else if (event.key === "n") nextOpen();
  else if (event.key === "p") reveal();
  else return;
  event.preventDefault();
});
show();
