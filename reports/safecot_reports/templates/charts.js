// Categories (heat map), training.
function categories(panel, redraw) {
  const cells = data.categories;
  panel.append(
    h("h2", null, "Categories"),
    h(
      "p",
      null,
      "A stronger colour is a higher value. \u00b0 marks fewer than 50 scored items: the interval is wide, read it before the value.",
    ),
  );
  if (!cells.length) return;
  const task = choice("Benchmark", "task", taskOptions(cells), null, redraw);
  const here = cells.filter((c) => c.task === task.value);
  const measure = choice(
    "Metric",
    "measure",
    [...new Map(here.map((c) => [columnId(c), c])).entries()]
      .sort((a, b) => ORDER.indexOf(a[1].metric) - ORDER.indexOf(b[1].metric))
      .map(([id, c]) => [
        id,
        `${data.metrics[c.metric].title} ${arrow(data.metrics[c.metric])} ${evaluatorName(c.evaluator)} ${c.apart}`,
      ]),
    null,
    redraw,
  );
  const chosen = here.filter((c) => columnId(c) === measure.value);
  const names = [...new Set(chosen.map((c) => c.category))].sort(),
    models = [...new Set(chosen.map((c) => c.model))].sort();
  const index = new Map(chosen.map((c) => [`${c.model}\n${c.category}`, c]));
  const inside = (m, name) => data.models.find((o) => o.name === m).in_distribution_categories.includes(name);
  panel.append(
    h("div", { class: "controls" }, task.node, measure.node),
    scrollTable(
      "Categories",
      h(
        "table",
        { id: "heat" },
        h("caption", null, `${taskTitle(task.value)}: per cent [95 % interval], n scored`),
        h(
          "thead",
          null,
          h(
            "tr",
            null,
            h("th", { scope: "col", class: "first left" }, "Model"),
            names.map((n) => h("th", { scope: "col" }, n)),
          ),
        ),
        h(
          "tbody",
          null,
          models.map((m) =>
            h(
              "tr",
              null,
              h("th", { scope: "row" }, m),
              names.map((n) => {
                const c = index.get(`${m}\n${n}`);
                if (!c || c.value === null)
                  return h("td", null, "\u2014", h("small", null, c ? `0 of ${c.n_total}` : ""));
                const td = h(
                  "td",
                  { class: "heat", title: `${m}, ${n}` },
                  percent(c.value) + (c.n < 50 ? "\u00b0" : ""),
                  h("small", null, `${percent(c.low, 0)}\u2013${percent(c.high, 0)}`),
                  h("small", null, `n ${c.n}`),
                  inside(m, n) ? h("span", { class: "tag warn" }, "in distribution") : null,
                );
                td.style.setProperty("--p", `${Math.round(30 * c.value)}%`);
                return td;
              }),
            ),
          ),
        ),
      ),
    ),
  );
}
function lineChart(label, series, xName, yName) {
  const all = series.flatMap((o) => o.points),
    xs = all.map((p) => p[0]),
    ys = all.map((p) => p[1]);
  const [x0, x1, y1] = [Math.min(...xs), Math.max(...xs), Math.max(...ys, 1e-9)];
  const X = (v) => 60 + (540 * (v - x0)) / (x1 - x0 || 1),
    Y = (v) => 250 - (220 * v) / y1;
  const svg = s(
    "svg",
    { viewBox: "0 0 760 300", width: 760, role: "img", "aria-label": label },
    s("path", { class: "axis", d: "M60 20V250H600" }),
    s("text", { class: "soft", x: 60, y: 268 }, x0),
    s("text", { class: "soft", x: 600, y: 268, "text-anchor": "end" }, x1),
    s("text", { class: "soft", x: 54, y: 28, "text-anchor": "end" }, y1.toPrecision(3)),
    s("text", { class: "soft", x: 54, y: 254, "text-anchor": "end" }, 0),
    s("text", { x: 330, y: 290, "text-anchor": "middle" }, xName),
    s("text", { x: 64, y: 14 }, yName),
  );
  // Names stand in one column on the right, from the lowest upwards, none over another.
  const height = new Map();
  let free = 262;
  for (const o of [...series].sort((a, b) => a.points.at(-1)[1] - b.points.at(-1)[1])) {
    free = Math.min(free - 14, Y(o.points.at(-1)[1]) + 4);
    height.set(o, free);
  }
  series.forEach((o, number) => {
    const last = o.points.at(-1);
    svg.append(
      s("path", { class: "axis", d: `M${X(last[0])} ${Y(last[1])}L612 ${height.get(o) - 4}` }),
      s("path", {
        class: "line",
        "stroke-dasharray": ["none", "7 3", "2 3", "9 3 2 3"][number % 4],
        d: o.points.map((p, i) => `${i ? "L" : "M"}${X(p[0])} ${Y(p[1])}`).join(""),
      }),
      ...(o.points.length < 30
        ? o.points.map((p) => s("circle", { class: "point", cx: X(p[0]), cy: Y(p[1]), r: 4 }))
        : []),
      s("text", { x: 616, y: height.get(o) }, o.name.slice(0, 20)),
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
function shortPath(name) {
  return name.startsWith("/") ? name.split("/").slice(-2).join("/") : name;
}
function capabilityOf(found) {
  if (!found) return "\u2014";
  const tasks = Object.entries(found.tasks).map(([task, share]) => `${task} ${(100 * share).toFixed(1)}`);
  return `${(100 * found.mean).toFixed(1)} % (${tasks.join(", ")})`;
}
function training(panel) {
  panel.append(h("h2", null, "Training"));
  const trained = data.models.filter((m) => m.training);
  if (!trained.length) {
    panel.append(
      h(
        "p",
        { class: "note" },
        "None of these runs comes from a SafeCoT checkpoint (no safecot_checkpoint.json beside the run or at the model's path).",
      ),
    );
    return;
  }
  const best = (m) =>
    data.cells.filter(
      (c) =>
        c.model === m && c.metric === "balanced" && c.evaluator.startsWith("template:") && c.value !== null,
    );
  panel.append(
    plainTable(
      "SafeCoT checkpoints",
      ["Model", "Variant", "Samples", "Final loss", "General capability", "Seed", "Recipe", "Base"],
      trained.map((m) => [
        m.name,
        String(m.training.variant ?? "\u2014"),
        String(m.training.samples ?? "\u2014"),
        typeof m.training.train_loss === "number" ? m.training.train_loss.toFixed(3) : "\u2014",
        capabilityOf(m.training.capability),
        String(m.training.seed ?? "\u2014"),
        String(m.training.recipe_hash ?? m.training.recipe ?? "\u2014").slice(0, 12),
        shortPath(String(m.training.base_model ?? "\u2014")),
      ]),
    ),
  );
  const isNumber = (p) => Array.isArray(p) && p.length === 2 && p.every((v) => typeof v === "number");
  const losses = trained
    .map((m) => ({
      name: m.name,
      points: (Array.isArray(m.training.loss_history) ? m.training.loss_history : []).filter(isNumber),
    }))
    .filter((o) => o.points.length > 1);
  if (losses.length)
    panel.append(h("h3", null, "Training loss"), lineChart("Training loss by step", losses, "step", "loss"));
  const families = new Map();
  for (const m of trained)
    for (const c of best(m.name)) {
      const t = m.training,
        folder = String(t.recipe?.data ?? "").split("/").pop(),
        id = [c.task, t.variant, t.base_model, t.seed, c.evaluator, recipeBesidesSize(t.recipe)].join("|");
      if (typeof t.samples === "number") {
        if (!families.has(id))
          families.set(id, {
            name: [t.variant, folder, taskTitle(c.task)].filter(Boolean).join(" "),
            points: [],
          });
        families.get(id).points.push([t.samples, 100 * c.value]);
      }
    }
  const curves = [...families.values()].filter((o) => new Set(o.points.map((p) => p[0])).size > 1);
  for (const o of curves) o.points.sort((a, b) => a[0] - b[0]);
  panel.append(
    h("h3", null, "Data efficiency"),
    curves.length
      ? lineChart("Balanced rate by training samples", curves, "training samples", "balanced %")
      : h("p", null, "Needs at least two checkpoints that differ only in the number of samples."),
  );
}
