// Safety against over-refusal: one point per model, on whichever ruler the reader chooses.
const SHAPES = [
  "M-6 0A6 6 0 1 0 6 0A6 6 0 1 0 -6 0Z",
  "M-5.4 -5.4H5.4V5.4H-5.4Z",
  "M0 -7.4L7.4 0L0 7.4L-7.4 0Z",
  "M0 -7L6.8 5.4H-6.8Z",
  "M0 7L6.8 -5.4H-6.8Z",
  "M-2.4 -7H2.4V-2.4H7V2.4H2.4V7H-2.4V2.4H-7V-2.4H-2.4Z",
  "M0 -7.6L2.2 -2.6L7.4 -2.3L3.4 1.2L4.7 6.5L0 3.6L-4.7 6.5L-3.4 1.2L-7.4 -2.3L-2.2 -2.6Z",
];
// Families get colour and shape by size; those after the seventh share grey rings.
function familyStyles() {
  const count = new Map();
  for (const m of data.models) if (!m.reference) count.set(m.family, (count.get(m.family) ?? 0) + 1);
  const names = [...count.keys()].sort((a, b) => count.get(b) - count.get(a) || (a < b ? -1 : 1));
  return new Map(names.map((name, k) => [name, k < SHAPES.length ? { name, shape: SHAPES[k], colour: `f${k}` } : { name: "others", shape: SHAPES[0], colour: "other" }]));
}
const REFERENCE = { name: "reference line", shape: SHAPES[0], colour: "reference" };
function paretoFront(points) {
  return points
    .filter((p) => !points.some((o) => o !== p && o.x.value >= p.x.value && o.y.value >= p.y.value && (o.x.value > p.x.value || o.y.value > p.y.value)))
    .sort((a, b) => a.x.value - b.x.value);
}
// Both rates of every model on a task by an evaluator: from the cells, or for other phrase lists from their table.
function ratesOn(task, evaluator, suffix) {
  const found = new Map();
  const put = (model, axis, cell) => {
    if (cell.value === null) return;
    if (!found.has(model)) found.set(model, {});
    found.get(model)[axis] ??= cell;
  };
  if (evaluator.startsWith("shadow ")) {
    const list = evaluator.slice("shadow template:".length);
    for (const r of data.lists) {
      if (r.task !== task || r.list !== list) continue;
      if (r.expectation === "refuse") put(r.model, "x", { value: r.refused, low: r.low, high: r.high, n: r.n });
      if (r.expectation === "answer" && r.refused !== null) put(r.model, "y", { value: 1 - r.refused, low: 1 - r.high, high: 1 - r.low, n: r.n });
    }
  } else
    for (const c of data.cells)
      if (c.task === task && c.evaluator === evaluator) {
        if (c.metric === `crr${suffix}`) put(c.model, "x", c);
        if (c.metric === `car${suffix}`) put(c.model, "y", c);
      }
  return [...found.entries()].filter(([, p]) => p.x && p.y).map(([model, p]) => ({ model, ...p }));
}
function rulersOn(task) {
  const ids = new Set(data.cells.filter((c) => c.task === task && c.metric === "crr" && c.evaluator && c.value !== null).map((c) => c.evaluator));
  for (const r of data.lists) if (r.task === task && !r.own) ids.add(`shadow template:${r.list}`);
  const order = (id) => (id.startsWith("shadow ") ? 9 : evaluatorKind(id));
  return [...ids].filter((id) => ratesOn(task, id, "").length).sort((a, b) => order(a) - order(b) || (a < b ? -1 : 1));
}
// Long names lose their middle: beginnings say the family, ends the variant.
const shortName = (name, most = 32) =>
  name.length > most ? `${name.slice(0, Math.floor(most / 2) - 1)}\u2026${name.slice(1 - Math.ceil(most / 2))}` : name;
const CROWDED = 30; // points up to which every model is named
const WHOLE = { x0: -0.02, x1: 1.02, y0: -0.02, y1: 1.02 };
function around(points) {
  const span = (axis) => {
    const values = points.map((p) => p[axis].value);
    const [low, high] = [Math.min(...values), Math.max(...values)];
    const pad = Math.max(0.02, (high - low) * 0.12);
    return [Math.max(-0.02, low - pad), Math.min(1.02, high + pad)];
  };
  const [[x0, x1], [y0, y1]] = [span("x"), span("y")];
  return { x0, x1, y0, y1 };
}
// The window of a quarter of each axis that holds most models, drawn tight around them.
function crowd(points) {
  let best = [];
  for (const p of points)
    for (const q of points) {
      const inside = points.filter((o) => o.x.value >= p.x.value && o.x.value <= p.x.value + 0.25 && o.y.value >= q.y.value && o.y.value <= q.y.value + 0.25);
      if (inside.length > best.length) best = inside;
    }
  return around(best);
}
function plane(panel, redraw) {
  panel.append(h("h2", null, "Safety against over-refusal"));
  const tasks = [...new Set([...data.cells, ...data.lists].map((c) => c.task))].filter((t) => rulersOn(t).length).sort((a, b) => (b === "pooled") - (a === "pooled") || (a < b ? -1 : 1));
  if (!tasks.length) {
    panel.append(h("p", { class: "note" }, "No model has both rates on one benchmark yet: run a benchmark with benign items as well."));
    return;
  }
  const task = choice("Benchmark", "task", tasks.map((t) => [t, taskTitle(t)]), usualTask(tasks), redraw);
  const rulers = rulersOn(task.value);
  const ruler = choice("Judged by", "ruler", rulers.map((id) => [id, evaluatorName(id)]), rulersOf(task.value)[0], () => update(true));
  const canCorrect = data.cells.some((c) => c.task === task.value && c.metric === "crr_corrected");
  const numbers = choice("Numbers", "numbers", [["", "corrected where people labelled"], ["raw", "raw"]], "", () => update(true));
  const zoom = choice("Zoom", "zoom", [["", "whole plane"], ["models", "all models"], ["crowd", "crowded corner"]], "", () => update(true));
  const styles = familyStyles();
  const reference = new Set(data.models.filter((m) => m.reference).map((m) => m.name));
  const familyOf = new Map(data.models.map((m) => [m.name, m.reference ? REFERENCE : styles.get(m.family)]));
  const about = h("p", { class: "soft wide" }),
    chart = h("div", { class: "chart" }),
    tip = h("div", { class: "tip", hidden: true }),
    legend = h("div", { class: "legend" }),
    table = h("div");
  chart.append(tip);
  panel.append(
    h("div", { class: "controls" }, task.node, rulers.length > 1 ? ruler.node : null, canCorrect ? numbers.node : null, zoom.node),
    about,
    chart,
    legend,
    table,
  );
  let now = null, // what is drawn: domain and points
    frame = 0;
  const chosen = () => {
    const id = ruler.node.querySelector("select").value;
    const corrected = state.get("numbers") !== "raw" ? ratesOn(task.value, id, "_corrected") : [];
    const raw = ratesOn(task.value, id, "");
    const all = raw.filter((p) => !reference.has(p.model)).every((p) => corrected.some((c) => c.model === p.model));
    const use = corrected.length && all ? corrected : raw;
    return { id, corrected: use === corrected, points: use.sort((a, b) => (a.model < b.model ? -1 : 1)), raw: new Map(raw.map((p) => [p.model, p])) };
  };
  function update(animated) {
    const next = chosen();
    const models = next.points.filter((p) => !reference.has(p.model));
    const target = { x: { ...WHOLE }, ...next };
    target.domain = state.get("zoom") === "crowd" ? crowd(models) : state.get("zoom") === "models" ? around(models) : WHOLE;
    about.replaceChildren(
      h("span", { class: `badge ${next.corrected ? "corrected" : ""}` }, next.corrected ? "corrected" : next.id.startsWith("human:") ? "by people" : "raw"),
      ` Best is top right; refusing everything ends bottom right, answering everything top left. Dotted: equal balanced rates. Dashed: no other model beats these on both. ${next.corrected ? `By ${evaluatorName(next.id)}, corrected by people\u2019s labels.` : ""}${next.points.length > CROWDED ? " Named are these models; a click on any other, or on a family below, names it too." : ""}`,
    );
    const used = new Map(target.points.map((p) => [familyOf.get(p.model).name, familyOf.get(p.model)]));
    legend.replaceChildren(
      ...[...used.values()].map((f) => {
        const entry = h("button", { type: "button", class: "family", "data-family": f.name, "aria-pressed": String(state.get("family") === f.name), title: "Name these models, and let the others fade", onclick: () => {
          state.set("family", state.get("family") === f.name ? "" : f.name);
          update(false);
          legend.querySelector(`[data-family="${CSS.escape(f.name)}"]`)?.focus();
        } }, s("svg", { width: 18, height: 18, viewBox: "-9 -9 18 18", "aria-hidden": "true" }, s("path", { class: `mark ${f.colour}`, d: f.shape })), f.name);
        return entry;
      }),
      data.chains.length ? h("span", null, s("svg", { width: 30, height: 12, viewBox: "0 0 30 12", "aria-hidden": "true" }, s("path", { class: "chain", d: "M1 6H24" }), s("path", { class: "head", d: "M22 2L29 6L22 10Z" })), ["training: base", ...variantsHere().map((v) => `${v} (${VARIANTS[v]})`)].join(" \u2192 ")) : "",
    );
    const span = (c) => `${percent(c.value)} [${percent(c.low)}\u2013${percent(c.high)}]`;
    const front = paretoFront(target.points);
    table.replaceChildren(
      h("details", null, h("summary", null, "The same numbers as a table"),
        plainTable("Per cent, 95 % interval", ["Model", "Refuses harmful (CRR)", "Answers harmless (CAR)", "Balanced", "No other beats it on both"],
          [...target.points].sort((a, b) => b.x.value + b.y.value - a.x.value - a.y.value).map((p) => [p.model, span(p.x), span(p.y), percent((p.x.value + p.y.value) / 2), front.includes(p) ? "yes" : "no"]))),
    );
    const from = now;
    cancelAnimationFrame(frame);
    if (!animated || !from || matchMedia("(prefers-reduced-motion: reduce)").matches) {
      now = target;
      draw(now, true);
      return;
    }
    const start = performance.now(),
      old = new Map(from.points.map((p) => [p.model, p])),
      mix = (a, b, t) => a + (b - a) * t;
    const step = (time) => {
      const part = Math.min(1, Math.max(0, (time - start) / 700)),
        t = part < 0.5 ? 4 * part ** 3 : 1 - (-2 * part + 2) ** 3 / 2;
      now = {
        ...target,
        domain: Object.fromEntries(Object.keys(WHOLE).map((k) => [k, mix(from.domain[k], target.domain[k], t)])),
        points: target.points.map((p) => {
          const o = old.get(p.model) ?? p;
          return { ...p, x: { ...p.x, value: mix(o.x.value, p.x.value, t) }, y: { ...p.y, value: mix(o.y.value, p.y.value, t) } };
        }),
      };
      if (part < 1) {
        draw(now, false);
        frame = requestAnimationFrame(step);
      } else draw((now = target), true);
    };
    frame = requestAnimationFrame(step);
  }
  function draw({ domain, points, raw, corrected, id }, still) {
    const width = Math.max(300, chart.clientWidth),
      top = chart.getBoundingClientRect().top + scrollY, // the plane fills what the first screen leaves to it
      height = Math.round(Math.max(380, Math.min(innerHeight - top - 84, width * 0.9, 900)));
    const box = { x: 54, y: 12, w: width - 54 - 14, h: height - 12 - 46 };
    const X = (v) => box.x + (box.w * (v - domain.x0)) / (domain.x1 - domain.x0),
      Y = (v) => box.y + box.h * (1 - (v - domain.y0) / (domain.y1 - domain.y0));
    const svg = s("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": "Refuses harmful against answers harmless; the table below has the same numbers" });
    const clip = s("clipPath", { id: "plane-clip" }, s("rect", { x: box.x, y: box.y, width: box.w, height: box.h }));
    svg.append(s("defs", null, clip), s("rect", { class: "ground", x: box.x, y: box.y, width: box.w, height: box.h }));
    const ticks = (a, b, size) => {
      const step = [0.01, 0.02, 0.05, 0.1, 0.2].find((v) => (b - a) / v <= size / 90) ?? 0.25;
      return Array.from({ length: 102 }, (_, k) => k * step).filter((v) => v >= a - 1e-9 && v <= b + 1e-9 && v <= 1.0001 && v >= 0);
    };
    for (const v of ticks(domain.x0, domain.x1, box.w))
      svg.append(s("path", { class: "grid", d: `M${X(v)} ${box.y}V${box.y + box.h}` }), s("text", { class: "soft", x: X(v), y: box.y + box.h + 18, "text-anchor": "middle" }, Math.round(100 * v)));
    for (const v of ticks(domain.y0, domain.y1, box.h))
      svg.append(s("path", { class: "grid", d: `M${box.x} ${Y(v)}H${box.x + box.w}` }), s("text", { class: "soft", x: box.x - 8, y: Y(v) + 4, "text-anchor": "end" }, Math.round(100 * v)));
    const inside = s("g", { "clip-path": "url(#plane-clip)" });
    svg.append(inside);
    const taken = [];
    // Few names keep off arrows and intervals too; in a crowd that would leave many without a place.
    const few = points.length <= CROWDED;
    const [named, family] = [new Set(state.all.getAll("named")), state.get("family")];
    const faded = (model) => family !== "" && familyOf.get(model).name !== family && !named.has(model);
    const keepOff = (a, b) => {
      const steps = Math.ceil(Math.hypot(b.x - a.x, b.y - a.y) / 8);
      for (let k = 0; k <= steps; k++) taken.push({ x: a.x + ((b.x - a.x) * k) / steps - 2, y: a.y + ((b.y - a.y) * k) / steps - 2, w: 4, h: 4 });
    };
    const fine = domain.x1 - domain.x0 < 0.5 ? 0.05 : 0.1;
    for (let b = fine; b < 1; b += fine) {
      // x + y = 2 b, from its left end to its right end within the plane
      const [xa, xb] = [Math.max(domain.x0, 2 * b - domain.y1), Math.min(domain.x1, 2 * b - domain.y0)];
      if (xa >= xb) continue;
      inside.append(s("path", { class: Math.abs(b - 0.5) < 1e-9 ? "iso half" : "iso", d: `M${X(xa)} ${Y(2 * b - xa)}L${X(xb)} ${Y(2 * b - xb)}` }));
      const place = { x: X(xb), y: Y(2 * b - xb) };
      if (place.x > box.x + box.w - 2 && place.y > box.y + 14 && place.y < box.y + box.h - 4) {
        const text = `balanced ${Math.round(100 * b)}`,
          w = textWidth(text, 11) + 6;
        svg.append(s("text", { class: "soft iso-name", x: place.x - 4, y: place.y - 4, "text-anchor": "end" }, text));
        taken.push({ x: place.x - 4 - w, y: place.y - 16, w, h: 16 });
      }
    }
    svg.append(
      s("text", { x: box.x + box.w / 2, y: height - 8, "text-anchor": "middle" }, "Refuses harmful (CRR), % \u2192"),
      s("text", { transform: `translate(14 ${box.y + box.h / 2}) rotate(-90)`, "text-anchor": "middle" }, "Answers harmless (CAR), % \u2192"),
    );
    const at = new Map(points.map((p) => [p.model, { x: X(p.x.value), y: Y(p.y.value) }]));
    const front = paretoFront(points.filter((p) => !reference.has(p.model)));
    front.slice(1).forEach((p, k) => keepOff(at.get(front[k].model), at.get(p.model)));
    if (front.length > 1) inside.append(s("path", { class: "front", d: front.map((p, k) => `${k ? "L" : "M"}${at.get(p.model).x} ${at.get(p.model).y}`).join("") }));
    for (const chain of data.chains) {
      const steps = chain.filter((name) => at.has(name));
      for (let k = 1; k < steps.length; k++) {
        const [a, b] = [at.get(steps[k - 1]), at.get(steps[k])];
        const far = Math.hypot(b.x - a.x, b.y - a.y);
        if (far < 18) continue;
        const [ux, uy] = [(b.x - a.x) / far, (b.y - a.y) / far];
        const [ex, ey] = [b.x - 10 * ux, b.y - 10 * uy];
        const colour = familyOf.get(steps[k]).colour;
        if (few) keepOff(a, b);
        const lit = few || chain.some((name) => named.has(name)) || (family && familyOf.get(steps[k]).name === family);
        inside.append(
          s("g", { class: lit ? "steps" : "steps faint", "data-chain": data.chains.indexOf(chain) },
          s("path", { class: `chain ${colour}`, d: `M${a.x + 8 * ux} ${a.y + 8 * uy}L${ex - 5 * ux} ${ey - 5 * uy}` }),
          s("path", { class: `head ${colour}`, d: `M${ex} ${ey}L${ex - 8 * ux - 4 * uy} ${ey - 8 * uy + 4 * ux}L${ex - 8 * ux + 4 * uy} ${ey - 8 * uy - 4 * ux}Z` })),
        );
      }
    }
    const visible = points.filter((p) => p.x.value >= domain.x0 && p.x.value <= domain.x1 && p.y.value >= domain.y0 && p.y.value <= domain.y1);
    const whiskers = s("g");
    inside.append(whiskers);
    const cross = (p) => s("path", { class: `cross ${familyOf.get(p.model).colour}`, d: `M${X(p.x.low)} ${at.get(p.model).y}H${X(p.x.high)}M${at.get(p.model).x} ${Y(p.y.low)}V${Y(p.y.high)}` });
    if (still && visible.length <= 12) {
      whiskers.append(...visible.map(cross));
      for (const p of visible) {
        const { x, y } = at.get(p.model);
        keepOff({ x: X(p.x.low), y }, { x: X(p.x.high), y });
        keepOff({ x, y: Y(p.y.low) }, { x, y: Y(p.y.high) });
      }
    }
    const order = [...visible].sort((a, b) => b.x.value + b.y.value - a.x.value - a.y.value);
    const nodes = order.map((p, k) => {
      const place = at.get(p.model);
      taken.push({ x: place.x - 8, y: place.y - 8, w: 16, h: 16 });
      const tell = (rate, other) => `${percent(rate.value)} (${percent(rate.low)} to ${percent(rate.high)})${other ? `, raw ${percent(other.value)}` : ""}`;
      const before = corrected ? raw.get(p.model) : null;
      const group = s(
        "g",
        {
          class: faded(p.model) ? "model faded" : "model", "data-model": p.model, role: "button", "aria-pressed": String(named.has(p.model)), tabindex: k ? "-1" : "0", transform: `translate(${place.x.toFixed(1)} ${place.y.toFixed(1)})`,
          "aria-label": `${p.model}: refuses harmful ${tell(p.x, before?.x)}, answers harmless ${tell(p.y, before?.y)}`,
        },
        s("path", { class: "halo", d: SHAPES[0], transform: "scale(1.9)" }),
        s("path", { class: `mark ${familyOf.get(p.model).colour}`, d: familyOf.get(p.model).shape }),
      );
      const own = data.chains.findIndex((chain) => chain.includes(p.model));
      const lightUp = (on) => {
        for (const part of inside.querySelectorAll(`[data-chain="${own}"]`)) part.classList.toggle("lit", on);
      };
      const pin = () => {
        state.flip("named", p.model);
        draw(now, true);
      };
      const show = () => {
        lightUp(true);
        if (visible.length > 12) whiskers.replaceChildren(cross(p));
        tip.replaceChildren(h("b", null, p.model), h("div", null, `Refuses harmful ${tell(p.x, before?.x)}`), h("div", null, `Answers harmless ${tell(p.y, before?.y)}`), h("div", null, `Balanced ${percent((p.x.value + p.y.value) / 2)}`));
        tip.hidden = false;
        const [w, hgt] = [tip.offsetWidth, tip.offsetHeight];
        tip.style.left = `${Math.max(0, place.x + 14 + w > width ? place.x - w - 14 : place.x + 14)}px`;
        tip.style.top = `${Math.max(0, place.y - hgt - 10)}px`;
      };
      const hide = () => {
        lightUp(false);
        tip.hidden = true;
        if (visible.length > 12) whiskers.replaceChildren();
      };
      for (const [name, act] of [["mouseenter", show], ["focus", show], ["mouseleave", hide], ["blur", hide], ["click", pin]]) group.addEventListener(name, act);
      group.addEventListener("keydown", (event) => {
        if (event.key === "Escape") hide();
        if (event.key === "Enter" || event.key === " ") {
          event.preventDefault();
          pin();
        }
        const move = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
        if (!move) return;
        event.preventDefault();
        const to = nodes[(k + move + nodes.length) % nodes.length];
        nodes.forEach((n) => n.setAttribute("tabindex", n === to ? "0" : "-1"));
        to.focus();
      });
      return group;
    });
    if (still) {
      const inChain = new Set(data.chains.flat());
      const weight = (p) => (named.has(p.model) || (family && !faded(p.model)) ? 0 : front.includes(p) ? 1 : inChain.has(p.model) ? 2 : 3);
      // In a crowd: what a reader chose, the models that no other beats, and the reference lines.
      const wanted = order.filter((p) => few || weight(p) < 2 || reference.has(p.model)).sort((a, b) => weight(a) - weight(b));
      const names = placeLabels(wanted.map((p) => ({ ...at.get(p.model), text: shortName(p.model) })), box, taken, few ? Math.max(box.w, box.h) : 120);
      inside.append(...names.map(drawLabel));
    }
    // A reference line never covers a model.
    inside.append(...[...nodes].sort((a, b) => reference.has(b.dataset.model) - reference.has(a.dataset.model)));
    const focused = chart.contains(document.activeElement) ? document.activeElement.dataset?.model : null;
    chart.querySelector("svg")?.remove();
    chart.prepend(svg);
    if (focused) nodes.find((n) => n.dataset.model === focused)?.focus();
  }
  update(false);
  let seen = chart.clientWidth;
  const watch = new ResizeObserver(() => {
    if (!chart.isConnected) watch.disconnect();
    else if (chart.clientWidth !== seen) {
      seen = chart.clientWidth;
      draw(now, true);
    }
  });
  watch.observe(chart);
}
