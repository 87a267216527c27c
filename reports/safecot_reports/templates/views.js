// Compare, judges and lists, reproduce.
function forest(row, reach) {
  const X = (v) => 80 + (74 * v) / reach;
  return s(
    "svg",
    { width: 160, height: 14, viewBox: "0 0 160 14", "aria-hidden": "true" },
    s("path", { class: "axis", d: "M80 0V14" }),
    s("path", {
      class: "whisker",
      d: `M${X(row.low)} 7H${X(row.high)}M${X(row.low)} 3V11M${X(row.high)} 3V11`,
    }),
    s("circle", { class: "point", cx: X(row.diff), cy: 7, r: 4 }),
  );
}
function turned(p, baseline) {
  if (p.b === baseline) return { ...p, other: p.a, only_other: p.only_a, only_base: p.only_b };
  return {
    ...p,
    other: p.b,
    diff: p.diff === null ? null : -p.diff,
    low: -p.high,
    high: -p.low,
    only_other: p.only_b,
    only_base: p.only_a,
  };
}
function compare(panel, redraw) {
  panel.append(
    h("h2", null, "Compare"),
    h(
      "p",
      null,
      "Paired on the items that both models were scored on: the other model minus the baseline, in points. p is adjusted for every comparison of the same metric and evaluator (Holm). Detectable: the smallest difference that these items would show with 80 % power.",
    ),
  );
  if (!data.pairs.length) {
    panel.append(h("p", { class: "note" }, "Nothing to compare: no two models share a benchmark."));
    return;
  }
  const names = [...new Set(data.pairs.flatMap((p) => [p.a, p.b]))].sort();
  const baseline = choice(
    "Baseline",
    "baseline",
    names.map((n) => [n, n]),
    names.find((n) => !data.models.find((m) => m.name === n).reference),
    redraw,
  );
  const mine = data.pairs
    .filter((p) => p.a === baseline.value || p.b === baseline.value)
    .map((p) => turned(p, baseline.value));
  const task = choice("Benchmark", "task", taskOptions(mine), null, redraw);
  const here = mine.filter((p) => p.task === task.value);
  const measure = choice(
    "Metric",
    "measure",
    [
      ...new Map(
        here.map((p) => [
          `${p.metric}|${p.evaluator}|`,
          `${data.metrics[p.metric].title} ${arrow(data.metrics[p.metric])} ${evaluatorName(p.evaluator)}`,
        ]),
      ).entries(),
    ],
    null,
    redraw,
  );
  const rows = here
    .filter((p) => `${p.metric}|${p.evaluator}|` === measure.value && p.diff !== null)
    .sort((a, b) => (a.other < b.other ? -1 : 1));
  const reach = Math.max(0.01, ...rows.flatMap((p) => [Math.abs(p.low), Math.abs(p.high)]));
  panel.append(
    h("div", { class: "controls" }, baseline.node, task.node, measure.node),
    plainTable(
      `Difference from ${baseline.value}`,
      [
        "Model",
        "Difference",
        "95 % interval",
        "",
        "p (Holm)",
        "only this / only baseline",
        "n",
        "Detectable",
      ],
      rows.map((p) => [
        p.other,
        signed(p.diff),
        `${signed(p.low)} to ${signed(p.high)}`,
        forest(p, reach),
        `${pValue(p.p_holm)}${p.p_holm <= 0.05 ? " *" : ""}`,
        `${p.only_other} / ${p.only_base}`,
        String(p.n),
        p.mde === null ? "\u2014" : percent(p.mde),
      ]),
    ),
    h(
      "p",
      { class: "soft" },
      `* significant at 0.05 after adjustment. The drawn intervals reach from \u2212${percent(reach)} to +${percent(reach)} points.`,
    ),
  );
  const other = choice(
    "Discordant items with",
    "other",
    rows.map((p) => [p.other, p.other]),
    null,
    redraw,
  );
  const metric = rows[0];
  if (!metric) return;
  const base = new Map(
    data.samples.filter((o) => o.model === baseline.value && o.task === task.value).map((o) => [o.id, o]),
  );
  const wanted = { crr: "refuse", asr: "refuse", car: "answer" }[metric.metric];
  const found = data.samples
    .filter(
      (o) =>
        (!wanted || o.expectation === wanted) &&
        o.model === other.value &&
        o.task === task.value &&
        base.has(o.id),
    )
    .map((o) => [base.get(o.id), o])
    .filter(
      ([a, b]) =>
        a.labels[metric.evaluator] &&
        b.labels[metric.evaluator] &&
        a.labels[metric.evaluator] !== b.labels[metric.evaluator],
    );
  panel.append(
    h("h3", null, "Where they disagree"),
    h("div", { class: "controls" }, other.node),
    h(
      "p",
      { class: "soft" },
      data.samples.length
        ? `Of the ${base.size} items of this benchmark that the page holds, the two labels differ on ${found.length} (at most 30 shown).`
        : "This page holds no samples.",
    ),
  );
  for (const [a, b] of found.slice(0, 30)) panel.append(sampleCard(a, true), sampleCard(b, true));
}
function judges(panel, redraw) {
  panel.append(
    h("h2", null, "Judges and lists"),
    h(
      "p",
      null,
      "Phrase list, judges and people on the same answers. Kappa is agreement beyond chance (1 is perfect, 0 is chance).",
    ),
  );
  const all = [...data.agreement, ...data.corrected, ...data.lists];
  if (!all.length) return;
  const task = choice("Benchmark", "task", taskOptions(all), null, redraw);
  panel.append(h("div", { class: "controls" }, task.node));
  const here = (rows) => rows.filter((r) => r.task === task.value);
  const pairs = here(data.agreement);
  const evaluators = [...new Set(pairs.flatMap((r) => [r.a, r.b]))].sort();
  const against = choice(
    "Compared with",
    "against",
    [["all", "each other"], ...evaluators.map((id) => [id, `${evaluatorName(id)}${rubricName(id)}`])],
    evaluators.find((id) => id.startsWith("human:")) || "all",
    redraw,
  );
  const agreement = pairs.filter(
    (r) => against.value === "all" || r.a === against.value || r.b === against.value,
  );
  const yes = { refused: "refused", unsafe: "unsafe", effective: "effective" };
  panel.append(
    h("h3", null, "Agreement"),
    ...(pairs.length ? [h("div", { class: "controls" }, against.node)] : []),
    agreement.length
      ? plainTable(
          "Evaluator A against evaluator B",
          ["Model", "A", "B", "Outcome", "both yes", "only A", "only B", "both no", "\u03ba [95 %]", "n"],
          agreement.map((r) => [
            r.model,
            evaluatorName(r.a),
            evaluatorName(r.b),
            yes[r.outcome],
            ...r.counts.map(String),
            r.kappa === null
              ? "not defined"
              : `${r.kappa.toFixed(2)} [${(r.low ?? -1).toFixed(2)}, ${(r.high ?? 1).toFixed(2)}]`,
            String(r.n),
          ]),
        )
      : h("p", null, "Only one evaluator: run a judge or import labels to see agreement."),
  );
  const corrected = here(data.corrected);
  panel.append(
    h("h3", null, "Corrected with human labels"),
    corrected.length
      ? plainTable(
          "Raw beside corrected rates (per cent)",
          ["Model", "Items that should", "Outcome", "Evaluator", "Labels", "Raw", "Corrected", "Remarks"],
          corrected.map((r) => [
            r.model,
            r.expectation,
            yes[r.outcome],
            evaluatorName(r.evaluator),
            String(r.labels),
            `${percent(r.raw)} [${percent(r.raw_low)}\u2013${percent(r.raw_high)}]`,
            r.corrected === null
              ? "\u2014"
              : `${percent(r.corrected)} [${percent(r.low)}\u2013${percent(r.high)}]`,
            [r.refused, ...r.warnings].filter(Boolean).join("; "),
          ]),
        )
      : h("p", null, "No human labels beside these runs; see safecot label."),
  );
  const lists = here(data.lists),
    names = [...new Set(lists.map((r) => r.list))].sort();
  const rows = [...new Set(lists.map((r) => `${r.model}\n${r.expectation}`))].sort();
  panel.append(
    h("h3", null, "What the phrase list changes"),
    plainTable(
      "Share refused under each list (per cent); * the list of the run",
      ["Model", "Items that should", ...names.map((n) => n.split("@")[0])],
      rows.map((key) => {
        const [model, expectation] = key.split("\n");
        return [
          model,
          expectation,
          ...names.map((n) => {
            const r = lists.find((o) => o.list === n && o.model === model && o.expectation === expectation);
            return r ? `${percent(r.refused)}${r.own ? " *" : ""}` : "\u2014";
          }),
        ];
      }),
    ),
  );
}
function reproduce(panel) {
  panel.append(
    h("h2", null, "Reproduce"),
    h(
      "p",
      null,
      "What each row was made with, and what was left out. Commands are rebuilt from lmms-eval's results file.",
    ),
  );
  for (const text of [...data.conflicts, ...data.omitted]) panel.append(h("p", { class: "note" }, text));
  for (const r of data.runs) {
    const facts = [
      ["Run", `${r.stamp}, ${r.file}`],
      ["Samples", `${r.n}${r.limit ? ` (limited to ${r.limit}: a part of the benchmark)` : ""}`],
      [
        "Status",
        Object.entries(r.status)
          .map(([k, v]) => `${k} ${v}`)
          .join(", "),
      ],
      ["Task version, data, images, protocol", r.key.join(", ")],
      ["lmms-eval", r.lmms_eval ?? "not recorded"],
      ["Generation limit", r.max_new_tokens ?? "not recorded"],
      ["Evaluators", r.evaluators.join(", ")],
      ...(r.described ?? []),
    ];
    panel.append(
      h(
        "article",
        null,
        h("h3", null, `${r.model} on ${taskTitle(r.task)}`),
        h("pre", { tabindex: "0" }, r.command ?? "The results file is missing: the command is not known."),
        h(
          "dl",
          { class: "facts" },
          facts.map(([k, v]) => [h("dt", null, k), h("dd", null, v)]),
        ),
      ),
    );
  }
}
