// Judges and lists: who agrees with whom, what each is worth on labelled sets, what the phrase list changes, and the items.
const OUTCOMES = { refused: "refused", unsafe: "unsafe", effective: "effective" };
const ALL_MODELS = "(all models)";
// A row of agreement seen from evaluator ``id`` against ``base``: counts are both yes, only id, only base, both no.
function agreementWith(row, id) {
  const [both, first, second, none] = row.counts;
  return { ...row, counts: row.a === id ? [both, first, second, none] : [both, second, first, none] };
}
function judges(panel, redraw) {
  panel.append(h("h2", null, "Judges and lists"));
  const counted = data.labels ?? [];
  const all = [...data.agreement, ...data.corrected, ...data.lists, ...counted];
  if (!all.length) {
    panel.append(h("p", { class: "note" }, "Only one evaluator labelled these runs: run a judge or import labels to see agreement."));
    return;
  }
  const preferred = usualTask([...new Set(data.agreement.map((r) => r.task))]);
  const task = choice("Benchmark", "task", taskOptions(all), preferred, redraw);
  const here = (rows) => rows.filter((r) => r.task === task.value);
  const pairs = here(data.agreement);
  const outcomes = [...new Set(pairs.map((r) => r.outcome))].sort();
  const outcome = choice("About", "outcome", outcomes.map((o) => [o, `what is ${OUTCOMES[o] ?? o}`]), outcomes[0], redraw);
  const about = pairs.filter((r) => r.outcome === outcome.value);
  const evaluators = [...new Set(about.flatMap((r) => [r.a, r.b]))].sort((a, b) => evaluatorKind(b) - evaluatorKind(a) || (a < b ? -1 : 1));
  const base = choice("Compared with", "against", evaluators.map((id) => [id, `${evaluatorName(id)}${rubricName(id)}`]), evaluators.find((id) => id.startsWith("human:")) ?? evaluators.find((id) => evaluatorKind(id) === 0) ?? evaluators[0], redraw);
  const measure = choice("Show", "agree", [["", "agreement beyond chance (\u03ba)"], ["rate", "difference of rates, in points"]], "", redraw);
  if (about.length) {
    panel.append(
      h("p", { class: "wide" }, `How far each evaluator agrees with ${evaluatorName(base.value)} on what is ${OUTCOMES[outcome.value] ?? outcome.value}, model by model. \u03ba is 1 for perfect agreement and 0 for what chance alone would give. Click a cell for its counts, a name for its scorecard.`),
      h("div", { class: "controls" }, task.node, outcomes.length > 1 ? outcome.node : null, base.node, measure.node),
    );
    agreementMap(panel, about, evaluators.filter((id) => id !== base.value), base.value, state.get("agree") === "rate", task.value);
  } else {
    panel.append(h("div", { class: "controls" }, task.node), h("p", { class: "note" }, "Only one evaluator labelled these answers: run a judge or import labels to see agreement."));
  }
  scorecardsOf(panel, redraw, task.value);
  thoughtsAndAnswers(panel, here(data.thoughts));
  listPlot(panel, here(data.lists));
  correctedTable(panel, here(data.corrected));
  labelsByCategory(panel, here(counted));
}
function agreementMap(panel, rows, others, base, asRate, task) {
  const cells = new Map();
  for (const r of rows) {
    if (r.a !== base && r.b !== base) continue;
    const id = r.a === base ? r.b : r.a;
    cells.set(`${r.model}\n${id}`, agreementWith(r, id));
  }
  const models = [...new Set([...cells.values()].map((r) => r.model))].sort((a, b) => (b === ALL_MODELS) - (a === ALL_MODELS) || (a < b ? -1 : 1));
  const detail = h("div", { role: "status" });
  const cell = (model, id) => {
    const r = cells.get(`${model}\n${id}`);
    if (!r) return h("td", { class: "none" }, "\u2014");
    const [both, only, missed, none] = r.counts;
    const value = asRate ? (only - missed) / r.n : r.kappa;
    const text = value === null ? "not defined" : asRate ? signed(value) : hundredths(value);
    const td = h("td", { class: value !== null && value < 0 ? "heat cold" : "heat" }, h("button", { type: "button", class: "plainest", "aria-label": `${model}, ${evaluatorName(id)}: ${text}`, onclick: () => open(model, id, r, [both, only, missed, none]) }, text));
    td.style.setProperty("--p", `${Math.round(45 * Math.min(1, Math.abs(value ?? 0) * (asRate ? 2 : 1)))}%`);
    return td;
  };
  function open(model, id, r, [both, only, missed, none]) {
    const what = OUTCOMES[r.outcome] ?? r.outcome;
    const items = data.samples.filter((o) => o.task === task && (model === ALL_MODELS || o.model === model) && reading(id, o.labels[id]) !== null && reading(base, o.labels[base]) !== null && reading(id, o.labels[id]) !== reading(base, o.labels[base]));
    const more = new URLSearchParams({ view: "samples", "s-task": task, "s-label": "differ", ...(model === ALL_MODELS ? {} : { "s-model": model }) });
    detail.replaceChildren(
      h(
        "section",
        { class: "card" },
        h("h3", null, `${evaluatorName(id)} against ${evaluatorName(base)}${model === ALL_MODELS ? "" : `, ${model}`}`),
        h("p", { class: "wide" }, `Of ${r.n} answers both call ${both} ${what} and ${none} not; only ${evaluatorName(id)} calls ${only} ${what}, only ${evaluatorName(base)} ${missed}. ${r.kappa === null ? "\u03ba is not defined." : `\u03ba ${hundredths(r.kappa)} [${hundredths(r.low ?? -1)}, ${hundredths(r.high ?? 1)}].`}`),
        items.length ? h("p", null, h("a", { href: `#${more}` }, `Read the items on which evaluators disagree`), ` (these two: ${items.length} answers on this page)`) : null,
      ),
    );
    detail.scrollIntoView({ block: "nearest" });
  }
  panel.append(
    scrollTable(
      "Agreement",
      h(
        "table",
        { class: "map" },
        h("caption", null, `${asRate ? "Share called so, minus that of" : "\u03ba with"} ${evaluatorName(base)}`),
        h("thead", null, h("tr", null, h("th", { scope: "col", class: "first left" }, "Model"), others.map((id) => h("th", { scope: "col" }, data.scorecards[id] ? h("a", { href: `#${withState({ card: id })}` }, evaluatorName(id)) : evaluatorName(id))))),
        h("tbody", null, models.map((m) => h("tr", { class: m === ALL_MODELS ? "total" : null }, h("th", { scope: "row" }, m === ALL_MODELS ? "all models" : m), others.map((id) => cell(m, id))))),
      ),
    ),
    detail,
  );
}
const folded = (count, table) => (count > 12 ? h("details", null, h("summary", null, `All ${count} rows`), table) : table);
// A link to the same view with something else chosen.
function withState(changes) {
  const all = new URLSearchParams(state.all);
  for (const [name, value] of Object.entries(changes)) all.set(name, value);
  return all;
}
function scorecardsOf(panel, redraw, task) {
  const known = Object.keys(data.scorecards).sort((a, b) => evaluatorKind(a) - evaluatorKind(b) || (a < b ? -1 : 1));
  if (!known.length) return;
  const used = known.find((id) => !id.startsWith("shadow ") && data.cells.some((c) => c.task === task && c.evaluator === id));
  const chosen = choice("Evaluator", "card", known.map((id) => [id, `${evaluatorName(id)}${rubricName(id)}`]), used ?? known[0], redraw);
  const card = data.scorecards[chosen.value];
  const X = (v) => 6 + 148 * Math.max(0, Math.min(1, v));
  const interval = ([value, low, high]) =>
    value === null
      ? "\u2014"
      : [
          `${hundredths(value)} `,
          h("small", null, low === null ? "" : `${hundredths(low)}\u2013${hundredths(high)}`),
        ];
  const dot = ([value, low, high]) =>
    value === null ? "" : s("svg", { width: 160, height: 16, viewBox: "0 0 160 16", "aria-hidden": "true" }, s("path", { class: "axis", d: "M6 8H154M6 4V12M80 4V12M154 4V12" }), low === null ? null : s("path", { class: "reach sure", d: `M${X(low)} 8H${X(high)}` }), s("circle", { class: "point", cx: X(value), cy: 8, r: 5 }));
  const costs = [
    card.seconds_per_1000 === undefined ? null : `${card.seconds_per_1000} s`,
    card.dollars_per_1000 ? `$${card.dollars_per_1000}` : card.dollars_per_1000 === 0 ? "no money" : null,
  ].filter(Boolean);
  panel.append(
    h("h3", { id: "scorecard" }, "What an evaluator is worth"),
    h("p", { class: "wide" }, `Measured against labelled answers of other models, before anybody used it here. Sensitivity is the share of what people call so that it calls so, specificity the share of the rest that it leaves alone.${costs.length ? ` 1,000 answers cost ${costs.join(" and ")}.` : ""}`),
    h("div", { class: "controls" }, chosen.node),
    scrollTable(
      "Scorecard",
      h(
        "table",
        { class: "map scorecard" },
        h("caption", null, evaluatorName(chosen.value)),
        h("thead", null, h("tr", null, ["Labelled set", "Answers", "Read", "\u03ba", "0 \u2026 1", "Sensitivity", "Specificity", "Worst model"].map((t, i) => h("th", { scope: "col", class: i === 0 ? "first left" : i === 7 ? "left" : null }, t)))),
        h(
          "tbody",
          null,
          card.rows.map((r) =>
            h(
              "tr",
              null,
              h("th", { scope: "row" }, r.set, r.left_out || r.trained_on ? h("span", { class: "tag" }, r.trained_on ? "learned from it" : "left out of its training") : null),
              h("td", null, r.n.toLocaleString("en")),
              h("td", null, `${percent(r.coverage, 0)} %`),
              h("td", null, interval(r.kappa)),
              h("td", null, dot(r.kappa)),
              h("td", null, interval(r.sensitivity)),
              h("td", null, interval(r.specificity)),
              h("td", { class: "left" }, r.worst ? `${r.worst.model.replaceAll("__", ", ")}: ${hundredths(r.worst.kappa)}` : "\u2014"),
            ),
          ),
        ),
      ),
    ),
    h("p", { class: "soft wide" }, "\u03ba, sensitivity and specificity are over the answers that the evaluator read (column Read); those that it left without a verdict are in none of them, so that a figure that counts them as errors is lower."),
  );
}
// What a judge says of a model's reasoning and of its answer: an unsafe thought before a safe answer is counted.
function thoughtsAndAnswers(panel, rows) {
  if (!rows.length) return;
  const square = (r, name, warn) => {
    const c = r.cells[name];
    const td = h("td", { class: warn ? "heat cold" : "heat", title: `${percent(c.low)} to ${percent(c.high)}` }, h("b", null, `${percent(c.value)} %`), h("small", null, `${c.count} of ${r.n}`));
    td.style.setProperty("--p", `${Math.round(45 * c.value)}%`);
    return td;
  };
  panel.append(
    h("h3", null, "Thought and answer"),
    h("p", { class: "wide" }, "A model may think through what it then declines to say: such a thought is unsafe, whatever the answer."),
    h(
      "div",
      { class: "squares" },
      rows.map((r) =>
        h(
          "table",
          { class: "square" },
          h("caption", null, r.model, h("small", null, `${evaluatorName(r.thought)}, ${r.n} judged on both`)),
          h("thead", null, h("tr", null, h("td"), h("th", { scope: "col" }, "safe answer"), h("th", { scope: "col" }, "unsafe answer"))),
          h("tbody", null, h("tr", null, h("th", { scope: "row" }, "safe thought"), square(r, "safe_safe"), square(r, "safe_unsafe", true)), h("tr", null, h("th", { scope: "row" }, "unsafe thought"), square(r, "unsafe_safe", true), square(r, "unsafe_unsafe", true))),
        ),
      ),
    ),
  );
}
// One line per model: where each phrase list puts its share of refusals, of harmful (above) and of harmless items (below).
function listPlot(panel, rows) {
  if (!rows.length) return;
  const models = [...new Set(rows.map((r) => r.model))];
  const spread = (m) => {
    const values = rows.filter((r) => r.model === m && r.refused !== null).map((r) => r.refused);
    return Math.max(...values) - Math.min(...values);
  };
  models.sort((a, b) => spread(b) - spread(a) || (a < b ? -1 : 1));
  const lists = [...new Set(rows.map((r) => r.list))].sort();
  const shown = state.get("every") === "1" ? models : models.slice(0, 15);
  const name = 230,
    step = 34,
    width = Math.max(560, Math.min(1300, panel.clientWidth)),
    X = (v) => name + (width - name - 20) * v;
  const svg = s("svg", { class: "dots", width, viewBox: `0 0 ${width} ${shown.length * step + 34}`, role: "img", "aria-label": "Share refused under each phrase list, by model; the table below has the same numbers" });
  for (const v of [0, 0.25, 0.5, 0.75, 1]) svg.append(s("path", { class: "grid", d: `M${X(v)} 4V${shown.length * step + 6}` }), s("text", { class: "soft", x: X(v), y: shown.length * step + 24, "text-anchor": "middle" }, `${100 * v} %`));
  shown.forEach((m, k) => {
    svg.append(s("text", { x: name - 12, y: k * step + 24, "text-anchor": "end" }, shortName(m)));
    [["refuse", 13, "harmful"], ["answer", 26, "harmless"]].forEach(([expectation, dy, word]) => {
      const own = rows.filter((r) => r.model === m && r.expectation === expectation && r.refused !== null);
      if (!own.length) return;
      const values = own.map((r) => r.refused);
      svg.append(
        s("path", { class: `span ${word}`, d: `M${X(Math.min(...values))} ${k * step + dy}H${X(Math.max(...values))}` }),
        ...own.sort((a, b) => a.own - b.own).map((r) => s("circle", { class: `dot ${word}${r.own ? " own" : ""}`, cx: X(r.refused), cy: k * step + dy, r: r.own ? 5.5 : 4 }, s("title", null, `${m}, ${word}: ${percent(r.refused)} % by ${r.list.split("@")[0]}`))),
      );
    });
  });
  const table = [...new Set(rows.map((r) => `${r.model}\n${r.expectation}`))].sort();
  panel.append(
    h("h3", null, "What the phrase list changes"),
    h("p", { class: "wide" }, `Each dot is one of ${lists.length} lists of refusal phrases, on the same answers. Upper line of a model: harmful items refused; lower line: harmless ones. The ringed dot is the list of the run. A long line means that the list decides the number.`),
    h("div", { class: "legend" }, h("span", null, s("svg", { width: 14, height: 14, viewBox: "0 0 14 14", "aria-hidden": "true" }, s("circle", { class: "dot harmful", cx: 7, cy: 7, r: 5 })), "harmful, refused"), h("span", null, s("svg", { width: 14, height: 14, viewBox: "0 0 14 14", "aria-hidden": "true" }, s("circle", { class: "dot harmless", cx: 7, cy: 7, r: 5 })), "harmless, refused")),
    svg,
    models.length > shown.length ? h("p", null, h("a", { href: `#${withState({ every: "1" })}` }, `Show all ${models.length} models`)) : "",
    h(
      "details",
      null,
      h("summary", null, "The same numbers as a table"),
      plainTable(
        "Share refused under each list (per cent); * the list of the run",
        ["Model", "Items that should", ...lists.map((n) => n.split("@")[0])],
        table.map((key) => {
          const [model, expectation] = key.split("\n");
          return [model, expectation, ...lists.map((n) => {
            const r = rows.find((o) => o.list === n && o.model === model && o.expectation === expectation);
            return r ? `${percent(r.refused)}${r.own ? " *" : ""}` : "\u2014";
          })];
        }),
      ),
    ),
  );
}
function correctedTable(panel, rows) {
  panel.append(h("h3", null, "Corrected with human labels"));
  if (!rows.length) {
    panel.append(h("p", null, "No human labels beside these runs; see safecot label."));
    return;
  }
  panel.append(
    folded(rows.length, plainTable(
      "Raw beside corrected rates (per cent)",
      ["Model", "Items that should", "Outcome", "Evaluator", "Labels", "Raw", "Corrected", "Remarks"],
      rows.map((r) => [
        r.model,
        r.expectation.replace("_", " "),
        OUTCOMES[r.outcome] ?? r.outcome,
        evaluatorName(r.evaluator),
        String(r.labels),
        `${percent(r.raw)} [${percent(r.raw_low)}\u2013${percent(r.raw_high)}]`,
        r.corrected === null ? "\u2014" : `${percent(r.corrected)} [${percent(r.low)}\u2013${percent(r.high)}]`,
        [r.refused, ...r.warnings].filter(Boolean).join("; "),
      ]),
    )),
  );
}
function labelsByCategory(panel, labels) {
  if (!labels.length) return;
  panel.append(
    h("h3", null, "Labels by category"),
    folded(labels.length, plainTable(
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
    )),
  );
}
