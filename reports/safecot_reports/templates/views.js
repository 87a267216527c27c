// Judges and lists, reproduce.
function judges(panel, redraw) {
  panel.append(
    h("h2", null, "Judges and lists"),
    h(
      "p",
      null,
      "Phrase list, judges and people on the same answers. Kappa is agreement beyond chance (1 is perfect, 0 is chance).",
    ),
  );
  const counted = data.labels ?? [];
  const all = [...data.agreement, ...data.corrected, ...data.lists, ...counted];
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
  const labels = here(counted);
  if (labels.length)
    panel.append(
      h("h3", null, "Labels by category"),
      plainTable(
        "What each judge of harm said; unsafe of all counts items that nobody asked, as benchmarks' own scripts do",
        ["Model", "Judge", "Category", "Items", "Not run", "Labels", "Unsafe of all (per cent)"],
        labels.map((r) => [
          r.model,
          evaluatorName(r.evaluator),
          r.category,
          String(r.size),
          String(r.not_run),
          Object.entries(r.labels)
            .map(([label, count]) => `${label} ${count}`)
            .join(", ") || "none",
          percent(r.unsafe_of_all),
        ]),
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
