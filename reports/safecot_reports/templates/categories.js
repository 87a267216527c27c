// Categories: a heat map of models by categories, the first models at once and the others folded.
const FOLD = 12;
// What all models together do on each category: the middle one, and the lowest and highest.
function middleRow(models, columns, valueOf) {
  const told = columns.map((n) => {
    const values = models.map((m) => valueOf(m, n)).filter((v) => v !== null).sort((a, b) => a - b);
    if (!values.length) return h("td", null, "\u2014");
    const half = (values.length - 1) / 2;
    const middle = (values[Math.floor(half)] + values[Math.ceil(half)]) / 2;
    return h("td", null, percent(middle), h("small", null, `${percent(values[0], 0)}\u2013${percent(values.at(-1), 0)}`));
  });
  return h("tr", { class: "total" }, h("th", { scope: "row" }, "Median of all models", h("small", null, "lowest to highest")), told);
}
function categories(panel, redraw) {
  const cells = data.categories;
  panel.append(
    h("h2", null, "Categories"),
    h(
      "p",
      { class: "wide" },
      "A stronger colour is a higher value. \u00b0 marks fewer than 50 scored items: the interval is wide, read it before the value.",
    ),
  );
  if (!cells.length) return;
  const task = choice("Benchmark", "task", taskOptions(cells), usualTask([...new Set(cells.map((c) => c.task))]), redraw);
  const here = cells.filter((c) => c.task === task.value);
  // As on the leaderboard: refusals of the harmful, by the same evaluator.
  const refusals = here.filter((c) => c.metric === "crr");
  const usual = refusals.find((c) => c.evaluator === rulersOf(task.value)[0]) ?? refusals[0];
  const measure = choice(
    "Metric",
    "measure",
    [...new Map(here.map((c) => [columnId(c), c])).entries()]
      .sort((a, b) => placeOf(a[1].metric) - placeOf(b[1].metric))
      .map(([id, c]) => [
        id,
        `${titleInWords(c.metric)} ${arrow(data.metrics[c.metric])} ${evaluatorName(c.evaluator) && `by ${evaluatorName(c.evaluator)}`} ${c.apart}`,
      ]),
    usual && columnId(usual),
    redraw,
  );
  const chosen = here.filter((c) => columnId(c) === measure.value);
  const names = [...new Set(chosen.map((c) => c.category))].sort();
  const index = new Map(chosen.map((c) => [`${c.model}\n${c.category}`, c]));
  const whole = new Map(data.cells.filter((c) => c.task === task.value && columnId(c) === measure.value).map((c) => [c.model, c]));
  const columns = whole.size && names.length > 1 ? ["", ...names] : names; // "" for all categories together
  const isReference = new Map(data.models.map((m) => [m.name, m.reference]));
  const low = chosen[0] && data.metrics[chosen[0].metric].better === "down" ? 1 : -1;
  const rate = (m) => whole.get(m)?.value ?? null;
  const models = [...new Set(chosen.map((c) => c.model))].sort((a, b) => {
    const [x, y] = [rate(a), rate(b)];
    return isReference.get(a) - isReference.get(b) || (x === null) - (y === null) || low * (x - y) || (a < b ? -1 : 1);
  });
  // How many items a category has, once, where it is the same for every model.
  const sizes = names.map((n) => new Set(chosen.filter((c) => c.category === n && c.n).map((c) => c.n)));
  const sizeOf = new Map(names.map((n, k) => [n, sizes[k].size === 1 ? [...sizes[k]][0] : null]));
  const cellOf = (m, n) => {
    const c = n === "" ? whole.get(m) : index.get(`${m}\n${n}`);
    if (!c || c.value === null) return h("td", null, "\u2014", h("small", null, c ? `0 of ${c.n_total}` : ""));
    const td = h(
      "td",
      { class: n === "" ? "heat whole" : "heat", title: `${m}, ${n || "all categories"}: ${percent(c.low)} to ${percent(c.high)}, n ${c.n}` },
      percent(c.value) + (c.n < 50 ? "\u00b0" : ""),
      h("small", null, `${percent(c.low, 0)}\u2013${percent(c.high, 0)}${sizeOf.get(n) === null ? `, n ${c.n}` : ""}`),
      n && data.models.find((o) => o.name === m).in_distribution_categories.includes(n) ? h("span", { class: "tag warn" }, "in distribution") : null,
    );
    td.style.setProperty("--p", `${Math.round(30 * c.value)}%`);
    return td;
  };
  const rowOf = (m) => h("tr", { class: isReference.get(m) ? "reference" : null }, h("th", { scope: "row" }, m), columns.map((n) => cellOf(m, n)));
  const table = (id, caption, rows) => {
    const node = h(
      "table",
      { id, class: "categories" },
      caption ? h("caption", null, caption) : null,
      h(
        "thead",
        null,
        h(
          "tr",
          null,
          h("th", { scope: "col", class: "first left" }, "Model"),
          columns.map((n) => n === "" ? h("th", { scope: "col" }, "All") : h("th", { scope: "col" }, n, sizeOf.get(n) === null ? null : h("small", null, `n ${sizeOf.get(n)}`))),
        ),
      ),
      h("tbody", null, rows),
    );
    return node;
  };
  const boxed = (label, node) => {
    const box = scrollTable(label, node);
    box.classList.add("by-category");
    if (columns.length <= 6) box.classList.add("few");
    box.style.setProperty("--columns", columns.length);
    return box;
  };
  const own = models.filter((m) => !isReference.get(m));
  const shown = models.length > FOLD + 3 ? models.slice(0, FOLD) : models;
  const rest = models.slice(shown.length);
  panel.append(
    h("div", { class: "controls" }, task.node, measure.node),
    boxed(
      "Categories",
      table("heat", `${taskTitle(task.value)}: per cent, 95 % interval beneath; ${howMany(models.length, "model")}, best first`, [
        own.length > 2 ? middleRow(own, columns, (m, n) => (n === "" ? whole.get(m) : index.get(`${m}\n${n}`))?.value ?? null) : null,
        shown.map(rowOf),
      ]),
    ),
    rest.length
      ? h("details", null, h("summary", null, `${rest.length} more models, ${rest[0]} to ${rest.at(-1)}`), boxed("More models by category", table("heat-more", "", rest.map(rowOf))))
      : "",
  );
  dialogues(panel, data.dialogues.filter((d) => d.task === task.value));
}
// Of the dialogues that a judge calls safe so far, how many turn unsafe at each turn.
function dialogues(panel, curves) {
  if (!curves.length) return;
  const turns = [...new Set(curves.flatMap((d) => d.turns.map((t) => t.name)))];
  panel.append(
    h("h3", null, "When dialogues turn unsafe"),
    h(
      "p",
      null,
      "The hazard of each turn: of the dialogues that the judge called safe up to it, the share in which it is the first unsafe answer. A dialogue leaves at a turn on which the judge says nothing.",
      curves.some((d) => d.k > 1) ? " With repeats, each dialogue counts as often as it was talked through." : "",
    ),
    scrollTable(
      "Dialogues",
      h(
        "table",
        { id: "dialogues" },
        h("caption", null, `${taskTitle(curves[0].task)}: per cent [95 % interval], first unsafe of those at risk`),
        h(
          "thead",
          null,
          h(
            "tr",
            null,
            h("th", { scope: "col", class: "first left" }, "Model"),
            h("th", { scope: "col", class: "left" }, "Judge"),
            turns.map((name) => h("th", { scope: "col" }, name)),
          ),
        ),
        h(
          "tbody",
          null,
          curves.map((d) =>
            h(
              "tr",
              null,
              h("th", { scope: "row" }, d.model),
              h("td", { class: "left" }, evaluatorName(d.evaluator) + rubricName(d.evaluator)),
              turns.map((name) => {
                const t = d.turns.find((one) => one.name === name);
                if (!t) return h("td", null, "\u2014");
                return h(
                  "td",
                  null,
                  percent(t.hazard),
                  t.hazard === null ? null : h("small", null, `${percent(t.low, 0)}\u2013${percent(t.high, 0)}`),
                  h("small", null, `${t.events} of ${t.at_risk}`),
                );
              }),
            ),
          ),
        ),
      ),
    ),
  );
}
