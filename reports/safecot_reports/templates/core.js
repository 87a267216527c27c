// Small helpers: elements (text only through textContent), numbers, state in the URL.
const SVG = "http://www.w3.org/2000/svg";
const HIDDEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;
const visible = (text) =>
  String(text).replace(
    HIDDEN,
    (c) => `\u27e8U+${c.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}\u27e9`,
  );
function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined)
      node.setAttribute(name, visible(value));
  }
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    node.append(child instanceof Node ? child : document.createTextNode(visible(child)));
  }
  return node;
}
const h = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
const s = (tag, attributes, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);
const percent = (x, digits = 1) => (x === null || x === undefined ? "\u2014" : (100 * x).toFixed(digits));
const signed = (x) =>
  x === null ? "\u2014" : (x > 0 ? "+" : x < 0 ? "\u2212" : "") + Math.abs(100 * x).toFixed(1);
// Two decimals without a negative zero.
const hundredths = (x) => x.toFixed(2).replace(/^-(0\.00)$/, "$1");
const pValue = (p) => (p < 0.001 ? "<\u00a00.001" : p.toFixed(3));
const howMany = (n, word) => `${n} ${word}${n === 1 ? "" : "s"}`;
// What an abbreviation stands for, before the abbreviation.
const IN_WORDS = { crr: "Refuses harmful", car: "Answers harmless", asr: "Attacks succeed" };
function titleInWords(metric) {
  const { title } = data.metrics[metric];
  const [base] = metric.split("_corrected");
  return IN_WORDS[base] ? `${IN_WORDS[base]}${base === metric ? "" : ", corrected"} (${base.toUpperCase()})` : title;
}
const arrow = (metric) => ({ up: "\u2191", down: "\u2193" })[metric.better] || "";
// SafeCoT's variants, as they stand in names of models.
const VARIANTS = { v0: "on refusals alone", v1: "on reasoning from templates", v2: "on reasoning that a model wrote about the image" };
function variantsHere() {
  const found = new Set(data.models.map((m) => m.training?.variant));
  for (const name of data.chains.flat()) found.add(/v\d+$/i.exec(name)?.[0].toLowerCase());
  return Object.keys(VARIANTS).filter((v) => found.has(v));
}
const isShadow = (cell) => cell.evaluator.startsWith("shadow ");
function evaluatorName(id) {
  if (!id) return "";
  if (id.startsWith("shadow ")) id = id.slice(7);
  if (id.startsWith("template:")) return `phrase list ${id.slice(9).split("@")[0]}`;
  const cut = id.lastIndexOf("/");
  const who = id.slice(0, cut);
  if (who.startsWith("human:")) return `people (${who.slice(6)})`;
  return who.startsWith("recorded:") ? `judge ${who.slice(9)} (recorded)` : `judge ${who}`;
}
const rubricName = (id) =>
  id.includes("/") ? ` \u00b7 ${id.slice(id.lastIndexOf("/") + 1).split("@")[0]}` : "";
// Put the focus on a heading, from which Tab goes on.
function headed(node) {
  node?.setAttribute("tabindex", "-1");
  node?.focus();
}
const say = (text) => {
  document.getElementById("live").textContent = text;
};
const state = {
  all: new URLSearchParams(location.hash.slice(1)),
  get(name, otherwise = "") {
    return this.all.get(name) ?? otherwise;
  },
  set(name, value) {
    if (value === "" || value === null) this.all.delete(name);
    else this.all.set(name, value);
    history.replaceState(null, "", `#${this.all}`);
  },
  // Names that may hold any character: the parameter stands once for each.
  flip(name, value) {
    const others = this.all.getAll(name).filter((v) => v !== value);
    if (others.length === this.all.getAll(name).length) others.push(value);
    this.all.delete(name);
    for (const v of others) this.all.append(name, v);
    history.replaceState(null, "", `#${this.all}`);
  },
};
function choice(label, name, options, otherwise, redraw) {
  const known = options.map((o) => o[0]);
  const current = known.includes(state.get(name))
    ? state.get(name)
    : known.includes(otherwise)
      ? otherwise
      : known[0];
  const box = h("select", {
    "data-state": name,
    onchange: () => {
      state.set(name, box.value);
      redraw(name);
    },
  });
  for (const [value, text] of options) box.append(h("option", { value, selected: value === current }, text));
  return { value: current, node: h("label", null, label, box) };
}
function toggle(label, name, redraw) {
  const box = h("input", {
    type: "checkbox",
    checked: state.get(name) === "1",
    "data-state": name,
    onchange: () => {
      state.set(name, box.checked ? "1" : "");
      redraw(name);
    },
  });
  return { value: state.get(name) === "1", node: h("label", { class: "check" }, box, label) };
}
function scrollTable(label, table) {
  return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": label }, table);
}
function plainTable(caption, heads, rows) {
  const isNumber = (cell) => typeof cell !== "string" || /^[+\u2212\u2014<\d]/.test(cell) || cell === "";
  const side = heads.map((_, i) =>
    i === 0 ? "first left" : rows.length && rows.every((cells) => isNumber(cells[i])) ? null : "left",
  );
  return scrollTable(
    caption,
    h(
      "table",
      null,
      h("caption", null, caption),
      h(
        "thead",
        null,
        h(
          "tr",
          null,
          heads.map((text, i) => (text ? h("th", { scope: "col", class: side[i] }, text) : h("td"))),
        ),
      ),
      h(
        "tbody",
        null,
        rows.map((cells) =>
          h(
            "tr",
            null,
            cells.map((cell, i) =>
              i === 0
                ? h("th", { scope: "row" }, cell)
                : h("td", { class: side[i] && cell.length > 24 ? "wrap" : side[i] }, cell),
            ),
          ),
        ),
      ),
    ),
  );
}
const taskTitle = (task) =>
  task === "pooled"
    ? "All benchmarks, pooled"
    : (data.tasks.find((t) => t.task === task) || { title: task }).title;
const taskOptions = (cells) => [...new Set(cells.map((c) => c.task))].sort().map((t) => [t, taskTitle(t)]);
// What every view opens on: all benchmarks together if most models ran them all, otherwise the one that most models ran.
function usualTask(tasks) {
  const models = new Map(tasks.map((t) => [t, new Set()]));
  for (const c of data.cells) if ((c.metric === "crr" || c.metric === "car") && c.value !== null && !isShadow(c)) models.get(c.task)?.add(c.model);
  if (2 * (models.get("pooled")?.size ?? 0) > data.models.length) return "pooled";
  return tasks.filter((t) => t !== "pooled").sort((a, b) => models.get(b).size - models.get(a).size || (a < b ? -1 : 1))[0];
}
let data;
// Single keys of a view; not while somebody types, and gone with the view.
let keys = null;
function keysOf(panel, bound) {
  keys = { panel: panel.firstChild, bound };
}
document.addEventListener("keydown", (event) => {
  if (!keys?.panel.isConnected || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest?.("input, select, textarea")) return;
  const act = keys.bound[event.key];
  if (!act) return;
  event.preventDefault();
  act();
});
