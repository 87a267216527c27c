// Categories: a heat map of models by categories.
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
  const task = choice("Benchmark", "task", taskOptions(cells), usualTask([...new Set(cells.map((c) => c.task))]), redraw);
  const here = cells.filter((c) => c.task === task.value);
  const measure = choice(
    "Metric",
    "measure",
    [...new Map(here.map((c) => [columnId(c), c])).entries()]
      .sort((a, b) => placeOf(a[1].metric) - placeOf(b[1].metric))
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
