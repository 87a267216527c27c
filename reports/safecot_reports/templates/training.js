// Training: what SafeCoT did to each base model, loss curves, and how much data it takes.
// A chart of lines: series of {name, points: [x, y, low?, high?]}; every line has a colour, a dash and its name at its end.
function lineChart(label, series, { xName, yName, width, log = false, whole = false }) {
  const all = series.flatMap((o) => o.points);
  const at = log ? (v) => Math.log10(Math.max(v, 1)) : (v) => v;
  const [x0, x1] = [Math.min(...all.map((p) => at(p[0]))), Math.max(...all.map((p) => at(p[0])))];
  const high = whole ? 100 : Math.max(...all.map((p) => p[3] ?? p[1]), 1e-9),
    low = whole ? 0 : Math.min(0, ...all.map((p) => p[1]));
  const names = Math.min(260, 20 + Math.max(...series.map((o) => textWidth(shortName(o.name)))));
  const box = { x: 52, y: 26, w: Math.max(160, width - 52 - names - 16), h: 300 };
  const X = (v) => box.x + (box.w * (at(v) - x0)) / (x1 - x0 || 1),
    Y = (v) => box.y + box.h * (1 - (v - low) / (high - low || 1));
  const svg = s("svg", { class: "lines", width, height: 380, viewBox: `0 0 ${width} 380`, role: "img", "aria-label": label });
  for (let k = 0; k <= 4; k++) {
    const v = low + ((high - low) * k) / 4;
    svg.append(s("path", { class: "grid", d: `M${box.x} ${Y(v)}H${box.x + box.w}` }), s("text", { class: "soft", x: box.x - 8, y: Y(v) + 4, "text-anchor": "end" }, Number(v.toPrecision(3))));
  }
  const xs = [...new Set(all.map((p) => p[0]))].sort((a, b) => a - b);
  const ticks = log && xs.length <= 8 ? xs : [0, 0.25, 0.5, 0.75, 1].map((t) => (log ? Math.round(10 ** (x0 + t * (x1 - x0))) : Number((x0 + t * (x1 - x0)).toPrecision(3))));
  for (const v of ticks) svg.append(s("text", { class: "soft", x: X(v), y: box.y + box.h + 18, "text-anchor": "middle" }, v.toLocaleString("en")));
  svg.append(s("text", { x: box.x + box.w / 2, y: box.y + box.h + 42, "text-anchor": "middle" }, xName), s("text", { x: box.x, y: 14 }, yName));
  // Names stand in one column on the right, from the lowest upwards, none over another.
  const height = new Map();
  let free = box.y + box.h + 18;
  for (const o of [...series].sort((a, b) => a.points.at(-1)[1] - b.points.at(-1)[1])) {
    free = Math.min(free - 16, Y(o.points.at(-1)[1]) + 4);
    height.set(o, free);
  }
  series.forEach((o, number) => {
    const last = o.points.at(-1),
      colour = `f${number % 7}`;
    svg.append(
      s("path", { class: "leader", d: `M${X(last[0])} ${Y(last[1])}L${box.x + box.w + 10} ${height.get(o) - 4}` }),
      s("path", { class: `line ${colour}`, "stroke-dasharray": ["none", "7 3", "2 3", "9 3 2 3"][Math.floor(number / 7) % 4], d: o.points.map((p, i) => `${i && !p.broken ? "L" : "M"}${X(p[0]).toFixed(1)} ${Y(p[1]).toFixed(1)}`).join("") }),
      ...o.points.filter((p) => p.length > 3).map((p) => s("path", { class: `cross ${colour}`, d: `M${X(p[0])} ${Y(p[2])}V${Y(p[3])}M${X(p[0]) - 4} ${Y(p[2])}h8M${X(p[0]) - 4} ${Y(p[3])}h8` })),
      ...(o.points.length < 30 ? o.points.map((p) => s("g", { transform: `translate(${X(p[0])} ${Y(p[1])})` }, s("path", { class: `mark ${colour}`, d: SHAPES[number % 7] }, s("title", null, `${o.name}: ${p[0]}, ${Number(p[1].toPrecision(4))}`)))) : []),
      s("text", { x: box.x + box.w + 14, y: height.get(o) }, shortName(o.name)),
    );
  });
  return svg;
}
// What two recipes must share for their checkpoints to be points of one curve.
function recipeBesidesSize(recipe) {
  if (!recipe || typeof recipe !== "object") return "";
  const silent = ["name", "notes", "max_samples", "save_steps", "logging_steps", "report_to"];
  return JSON.stringify(
    Object.entries(recipe)
      .filter(([key]) => !silent.includes(key))
      .sort(),
  );
}
const shortPath = (name) => (name.startsWith("/") ? name.split("/").slice(-2).join("/") : name);
function capabilityOf(found) {
  if (!found) return "\u2014";
  const tasks = Object.entries(found.tasks).map(([task, share]) => `${task} ${(100 * share).toFixed(1)}`);
  return `${(100 * found.mean).toFixed(1)} % (${tasks.join(", ")})`;
}
const modelOf = (name) => data.models.find((m) => m.name === name);
// Base, v0, v1, v2 of every chain: its rates, what general capability is left, and what changed since the base.
function alongTheChains(panel, task, ruler) {
  const cell = (name, metric) => data.cells.find((c) => c.model === name && c.task === task && c.evaluator === ruler && c.metric === metric);
  const chains = data.chains.map((names) => names.filter((n) => cell(n, "crr") || cell(n, "car"))).filter((names) => names.length > 1);
  if (!chains.length) return;
  const metrics = ["crr", "car", "balanced"].filter((metric) => chains.flat().some((n) => cell(n, metric)?.value != null));
  const capable = chains.flat().some((n) => modelOf(n).capability);
  const titles = { crr: "Refuses harmful", car: "Answers harmless", balanced: "Balanced" };
  const change = (diff, more, title) => (diff == null ? null : h("small", { class: diff > 0 ? "up" : diff < 0 ? "down" : null, title }, signed(diff), more));
  // On the items of both where the pair was tested; else the plain difference, marked where the items are not the same.
  const changeOf = (name, base, metric) => {
    const [now, before] = [cell(name, metric), cell(base, metric)];
    if (now?.value == null || before?.value == null) return null;
    const found = gap(name, base, task, ruler, metric);
    const star = found && found.p <= 0.05 ? " *" : "";
    const range = found ? `95 % interval ${signed(found.low)} to ${signed(found.high)}, p ${pValue(found.p)}` : "not tested";
    if (found?.n) return change(found.diff, `${found.n < Math.max(now.n, before.n) ? ` (n ${found.n})` : ""}${star}`, `on the ${found.n} items that were scored for both: ${range}`);
    const same = sameItems(name, base, task, ruler, metric);
    return change(found?.diff ?? now.value - before.value, same ? star : " \u2020", `${same ? "" : `of different items, n ${now.n} and ${before.n}: `}${range}`);
  };
  const lost = (name, base) => {
    const [now, before] = [name, base].map((n) => modelOf(n).capability?.mean);
    return now == null || before == null ? null : change(now - before);
  };
  panel.append(
    h("h3", null, "Before and after"),
    h("p", { class: "wide" }, `Each base model and what was trained from it: ${Object.entries(VARIANTS).map(([v, words]) => `${v} ${words}`).join(", ")}. Beneath each number the change from the base, in points, on the items that were scored for both (n where they are fewer). * this change is more than chance would explain (Holm). \u2020 the rates are of different items and not tested on the same ones: no star, the interval is told on hovering.`),
    scrollTable(
      "Before and after training",
      h(
        "table",
        { class: "map chainsof" },
        h("caption", null, `${taskTitle(task)}, by ${evaluatorName(ruler)}, per cent`),
        h("thead", null, h("tr", null, h("th", { scope: "col", class: "first left" }, "Model"), metrics.map((m) => h("th", { scope: "col" }, titles[m])), capable ? h("th", { scope: "col" }, "General capability") : null)),
        chains.map((names) =>
          h(
            "tbody",
            null,
            names.map((name, k) =>
              h(
                "tr",
                { class: k ? null : "total" },
                h("th", { scope: "row" }, name),
                metrics.map((metric) => {
                  const c = cell(name, metric);
                  return h("td", { title: c ? `${percent(c.low)} to ${percent(c.high)}` : null }, percent(c?.value), k ? changeOf(name, names[0], metric) : null);
                }),
                capable ? h("td", { title: capabilityOf(modelOf(name).capability) }, percent(modelOf(name).capability?.mean), k ? lost(name, names[0]) : null) : null,
              ),
            ),
          ),
        ),
      ),
    ),
  );
}
// What checkpoints answered to examples kept out of their training, at every evaluation: [step, CRR, CAR, balanced, scored].
function whileTraining(panel, trained, width) {
  const probes = trained
    .flatMap((m) => Object.entries(m.training.probe_history ?? {}).map(([evaluator, points]) => ({ model: m.name, evaluator, points: (Array.isArray(points) ? points : []).filter((p) => Array.isArray(p) && typeof p[0] === "number") })))
    .filter((o) => o.points.length);
  if (!probes.length) return;
  const lines = probes.map((o) => ({ name: `${o.model}, ${o.evaluator}`, points: o.points.filter((p) => typeof p[3] === "number").map((p) => [p[0], 100 * p[3]]) })).filter((o) => o.points.length > 1);
  const shown = (v) => (typeof v === "number" ? percent(v) : "\u2014");
  panel.append(
    h("h3", null, "While training"),
    h("p", { class: "note" }, "Of examples kept out of training, not of a test set; no balanced rate where fewer than nine tenths of the answers can be scored."),
    lines.length ? lineChart("Balanced rate on examples kept out of training, by step", lines, { xName: "step", yName: "balanced %", width, whole: true }) : null,
    plainTable(
      "Best and last evaluation while training",
      ["Model", "Evaluator", "Step", "Refuses harmful (CRR)", "Answers harmless (CAR)", "Balanced", "Scored"],
      probes.flatMap((o) => {
        const best = o.points.reduce((a, b) => ((b[3] ?? -1) > (a[3] ?? -1) ? b : a)),
          last = o.points.at(-1);
        return [...new Set([best, last])].map((p) => [o.model, o.evaluator, `${p[0]}${p === best && typeof p[3] === "number" ? " (best)" : ""}`, ...p.slice(1).map(shown)]);
      }),
    ),
  );
}
const NO_NUMBER = /^(NaN|-?Infinity)$/;
// A loss by step; what is no number (NaN, Infinity, as text) breaks the line and is told beneath.
function lossCurve(name, history) {
  const curve = { name, points: [], odd: [] };
  let broken = false;
  for (const p of Array.isArray(history) ? history : []) {
    if (!Array.isArray(p) || p.length !== 2 || typeof p[0] !== "number") continue;
    if (typeof p[1] === "number") curve.points.push(Object.assign([...p], { broken }));
    else if (NO_NUMBER.test(p[1])) curve.odd.push(p);
    broken = typeof p[1] !== "number";
  }
  return curve;
}
function training(panel, redraw) {
  panel.append(h("h2", null, "Training"));
  const trained = data.models.filter((m) => m.training);
  const tasks = taskOptions(data.cells.filter((c) => c.metric === "crr" || c.metric === "car"));
  const task = choice("Benchmark", "task", tasks, usualTask(tasks.map(([t]) => t).filter((t) => rulersOn(t).length)), redraw);
  const rulers = rulersOf(task.value);
  if (!trained.length && !data.chains.length) {
    panel.append(h("p", { class: "note" }, "None of these runs comes from a SafeCoT checkpoint (no safecot_checkpoint.json beside the run or at the model's path)."));
    return;
  }
  const ruler = choice("Judged by", "ruler", rulers.map((id) => [id, evaluatorName(id)]), rulers[0], redraw);
  panel.append(h("div", { class: "controls" }, task.node, rulers.length > 1 ? ruler.node : null));
  if (rulers.length) alongTheChains(panel, task.value, ruler.value);
  if (!trained.length) return;
  const width = Math.max(320, Math.min(1300, panel.clientWidth));
  const everyCurve = trained.flatMap((m) => [lossCurve(m.name, m.training.loss_history), lossCurve(`${m.name}, validation`, m.training.validation_history)]);
  const losses = everyCurve.filter((o) => o.points.length > 1);
  const diverged = everyCurve.filter((o) => o.odd.length);
  const curves = new Map();
  for (const m of trained)
    for (const c of data.cells) {
      if (c.model !== m.name || c.metric !== "balanced" || c.evaluator !== ruler.value || c.task !== task.value || c.value === null) continue;
      const t = m.training,
        folder = String(t.recipe?.data ?? "").split("/").pop(),
        id = [t.variant, t.base_model, t.seed, recipeBesidesSize(t.recipe)].join("|");
      if (typeof t.samples !== "number") continue;
      if (!curves.has(id)) curves.set(id, { name: [t.variant, folder].filter(Boolean).join(" ") || "checkpoint", points: [] });
      curves.get(id).points.push([t.samples, 100 * c.value, 100 * c.low, 100 * c.high]);
    }
  const efficiency = [...curves.values()].filter((o) => new Set(o.points.map((p) => p[0])).size > 1);
  for (const o of efficiency) o.points.sort((a, b) => a[0] - b[0]);
  panel.append(
    h("h3", null, "Data efficiency"),
    efficiency.length
      ? lineChart("Balanced rate by training samples, with 95 % intervals", efficiency, { xName: "training samples", yName: "balanced %, with 95 % intervals", width, log: true, whole: true })
      : h("p", null, "Needs at least two checkpoints that differ only in the number of samples."),
  );
  if (losses.length || diverged.length) panel.append(h("h3", null, "Training loss"));
  if (losses.length) panel.append(lineChart("Training loss by step", losses, { xName: "step", yName: "loss", width }));
  if (diverged.length) panel.append(h("p", { class: "note" }, `Not drawn, because they are no numbers: ${diverged.map((o) => `${o.odd.length} losses of ${o.name} (${o.odd[0][1]} at step ${o.odd[0][0]} first)`).join("; ")}.`));
  whileTraining(panel, trained, width);
  panel.append(
    h("h3", null, "Checkpoints"),
    plainTable(
      "SafeCoT checkpoints",
      ["Model", "Variant", "Samples", "Final loss", "General capability", "Seed", "Recipe", "Base"],
      trained.map((m) => [
        m.name,
        String(m.training.variant ?? "\u2014"),
        String(m.training.samples ?? "\u2014"),
        typeof m.training.train_loss === "number" ? m.training.train_loss.toFixed(3) : NO_NUMBER.test(m.training.train_loss) ? m.training.train_loss : "\u2014",
        capabilityOf(m.training.capability),
        String(m.training.seed ?? "\u2014"),
        String(m.training.recipe_hash ?? m.training.recipe ?? "\u2014").slice(0, 12),
        shortPath(String(m.training.base_model ?? "\u2014")),
      ]),
    ),
  );
}
