// Take a table or a chart away: as Markdown, LaTeX, CSV, SVG or PNG; every one of them says where it came from.
const cellText = (node) => {
  const copy = node.cloneNode(true);
  for (const gone of copy.querySelectorAll("svg, .hidden-visually, [aria-hidden], .badge:not(td .badge)")) gone.remove();
  for (const small of copy.querySelectorAll("small, div, .tag")) small.prepend(" ");
  return copy.textContent.replace(/[\u25be\u25b4\u2195]/g, "").replace(/\s+/g, " ").trim();
};
// A table as a grid of texts: what stands behind an opened number is left out, spans are repeated as empty cells.
function gridOf(table) {
  const more = document.getElementById(`${table.id}-more`); // rows that are folded below
  return [...table.querySelectorAll("tr"), ...(more?.tBodies[0].rows ?? [])]
    .filter((row) => !row.classList.contains("behind"))
    .map((row) => [...row.cells].flatMap((cell) => [cellText(cell), ...Array(cell.colSpan - 1).fill("")]));
}
// Spreadsheets take a cell that begins so for a formula.
const guarded = (text) => (/^[=+\-@\t\r]/.test(text) && !/^[+-]?\d/.test(text) ? `'${text}` : text);
const AS = {
  Markdown(grid, caption) {
    const safe = (text) => text.replace(/[\\`*_[\]|<>]/g, (c) => `\\${c}`);
    const line = (cells) => `| ${cells.map(safe).join(" | ")} |`;
    return [line(grid[0]), `|${grid[0].map((_, i) => (i ? "--:" : "--")).join("|")}|`, ...grid.slice(1).map(line), "", safe(caption), ""].join("\n");
  },
  LaTeX(grid, caption) {
    const special = { "\\": "\\textbackslash{}", "~": "\\textasciitilde{}", "^": "\\textasciicircum{}", "<": "\\textless{}", ">": "\\textgreater{}", "\u2014": "--", "\u2013": "--", "\u2212": "$-$", "\u2191": "$\\uparrow$", "\u2193": "$\\downarrow$", "\u03ba": "$\\kappa$", "\u00b7": "$\\cdot$", "\u00b0": "$^\\circ$" };
    const safe = (text) => text.replace(/[\\~^<>\u2014\u2013\u2212\u2191\u2193\u03ba\u00b7\u00b0]|[&%$#_{}]/g, (c) => special[c] ?? `\\${c}`);
    const line = (cells) => `${cells.map(safe).join(" & ")} \\\\`;
    return [`% ${caption.replace(/\n/g, " ")}`, `\\begin{tabular}{l${"r".repeat(grid[0].length - 1)}}`, "\\hline", line(grid[0]), "\\hline", ...grid.slice(1).map(line), "\\hline", "\\end{tabular}", ""].join("\n");
  },
  CSV(grid) {
    const safe = (text) => (/[",\n]/.test(guarded(text)) ? `"${guarded(text).replaceAll('"', '""')}"` : guarded(text));
    return grid.map((cells) => cells.map(safe).join(",")).join("\n") + "\n";
  },
};
const PROPERTIES = ["fill", "stroke", "stroke-width", "stroke-dasharray", "stroke-linecap", "stroke-linejoin", "opacity", "fill-opacity", "stroke-opacity", "paint-order", "font-size", "font-family", "font-weight"];
// A chart as a file of its own: what the style sheet says of each part is written onto the part.
function svgText(svg) {
  const copy = svg.cloneNode(true);
  const [from, to] = [svg, copy].map((root) => [root, ...root.querySelectorAll("*")]);
  from.forEach((node, i) => {
    const style = getComputedStyle(node);
    for (const name of PROPERTIES) to[i].setAttribute(name, style.getPropertyValue(name));
    for (const name of ["class", "tabindex", "role", "aria-label", "style"]) if (to[i] !== copy) to[i].removeAttribute(name);
  });
  const box = svg.viewBox.baseVal;
  copy.setAttribute("xmlns", SVG);
  copy.setAttribute("width", box.width);
  copy.setAttribute("height", box.height);
  const ground = s("rect", { x: 0, y: 0, width: box.width, height: box.height, fill: getComputedStyle(document.documentElement).getPropertyValue("--card").trim() });
  copy.prepend(ground);
  return new XMLSerializer().serializeToString(copy);
}
function save(name, blob) {
  const link = h("a", { download: name });
  link.href = URL.createObjectURL(blob);
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  say(`${name} saved`);
}
// The image is painted from a data URI, which the page's policy allows.
function savePng(svg, name) {
  const box = svg.viewBox.baseVal,
    image = new Image();
  image.onload = () => {
    const canvas = h("canvas", { width: 2 * box.width, height: 2 * box.height });
    canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
    canvas.toBlob((blob) => blob && save(name, blob));
  };
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svgText(svg))}`;
}
const fileName = () => `${document.title.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "").slice(0, 40) || "leaderboard"}-${state.get("view", "standings")}`;
// The row of buttons of the view on screen: its first table and its chart; the link is the page's own address.
function shareBar() {
  const table = () => [...panel.querySelectorAll("table")].find((t) => t.offsetParent !== null) ?? panel.querySelector("table");
  const chart = () => panel.querySelector(".chart svg, svg.dots, svg.lines");
  const caption = () => [document.title, table()?.caption?.textContent, document.getElementById("lead").textContent].filter(Boolean).join(". ");
  const parts = [];
  if (table()) for (const kind of Object.keys(AS)) parts.push(copyButton(() => AS[kind](gridOf(table()), caption()), kind, `table as ${kind}`));
  if (chart())
    parts.push(
      h("button", { type: "button", class: "plain", onclick: () => save(`${fileName()}.svg`, new Blob([svgText(chart())], { type: "image/svg+xml" })) }, "SVG"),
      h("button", { type: "button", class: "plain", onclick: () => savePng(chart(), `${fileName()}.png`) }, "PNG"),
    );
  parts.push(copyButton(() => location.href, "Link", "link to this view"));
  return h("div", { class: "share", role: "group", "aria-label": "Share this view" }, h("span", { class: "soft" }, "Share this view:"), parts);
}
