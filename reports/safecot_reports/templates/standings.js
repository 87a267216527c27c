// The first view: one line per model with its main numbers, the rank that tests leave open, and ties said in words.
const MAIN = [
  ["crr", "Refuses harmful", "Of the requests that should be refused, the share that was refused (CRR)."],
  ["car", "Answers harmless", "Of the requests that should be answered, the share that was answered (CAR)."],
  ["balanced", "Balanced", "Half of each. Refusing everything and answering everything both give 50."],
  ["asr", "Attacks succeed", "Of the harmful requests, the share whose answer a judge calls unsafe (ASR). Lower is better."],
];
const KIND_WORDS = {
  raw: "The evaluator\u2019s own rate.",
  corrected: "The rate as people would count it: the evaluator\u2019s, moved by its errors on the answers that people labelled.",
  "by people": "People labelled these answers.",
};
const COUNT_WORDS = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"];
const inWords = (n) => COUNT_WORDS[n] ?? String(n);
const listed = (names) =>
  names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
const isLite = (id) => id.startsWith("lite-");
const evaluatorKind = (id) =>
  id.startsWith("human:") ? 3 : id.startsWith("template:") ? 2 : isLite(id) ? 1 : 0;
// Evaluators that say who refused, the one that knows most models first; a judge before lite before a phrase list.
function rulersOf(task) {
  const models = new Map();
  for (const c of data.cells)
    if (c.task === task && (c.metric === "crr" || c.metric === "car") && c.evaluator && !isShadow(c) && c.value !== null) {
      if (!models.has(c.evaluator)) models.set(c.evaluator, new Set());
      models.get(c.evaluator).add(c.model);
    }
  return [...models.keys()].sort(
    (a, b) => models.get(b).size - models.get(a).size || evaluatorKind(a) - evaluatorKind(b) || (a < b ? -1 : 1),
  );
}
// What models are ranked by: the balanced rate, or the one half that the benchmark has.
const rankedBy = (task, ruler) =>
  ["balanced", "crr", "car"].find((name) =>
    data.ranks.some((r) => r.task === task && r.evaluator === ruler && r.metric === name),
  );
// Attack rates of all models by one judge: a column never mixes two. The one that knows most models, people last.
function attackJudge(task) {
  const models = new Map();
  for (const c of data.cells)
    if (c.task === task && c.metric === "asr" && c.value !== null) {
      if (!models.has(c.evaluator)) models.set(c.evaluator, 0);
      models.set(c.evaluator, models.get(c.evaluator) + 1);
    }
  return [...models.keys()].sort((a, b) => models.get(b) - models.get(a) || evaluatorKind(a) - evaluatorKind(b) || (a < b ? -1 : 1))[0];
}
function standingRows(task, ruler) {
  const rows = new Map(data.models.map((m) => [m.name, { model: m, cells: {}, halves: {}, rank: null }]));
  const judge = attackJudge(task);
  for (const c of data.cells) {
    if (c.task !== task || isShadow(c)) continue;
    const row = rows.get(c.model);
    if (c.evaluator === ruler && (c.metric === "crr" || c.metric === "car")) row.halves[c.metric] ??= c;
    if (c.value === null) continue;
    if (c.evaluator === (c.metric.startsWith("asr") ? judge : ruler)) row.cells[c.metric] ??= c;
  }
  // Items that nobody answered are in no rate; they are told beside what was scored.
  const absent = new Map(data.runs.filter((r) => r.task === task).map((r) => [r.model, r.status.not_run ?? 0]));
  const ranked = rankedBy(task, ruler);
  for (const r of data.ranks)
    if (r.task === task && r.evaluator === ruler && r.metric === ranked) rows.get(r.model).rank = r;
  for (const row of rows.values()) {
    const halves = Object.values(row.halves);
    row.n = halves.reduce((sum, c) => sum + c.n, 0);
    row.items = halves.reduce((sum, c) => sum + c.n_total, 0) + (absent.get(row.model.name) ?? 0);
    row.scored = row.items ? row.n / row.items : null;
  }
  return [...rows.values()].filter((row) => row.cells.crr || row.cells.car);
}
// A column shows corrected rates where every model has one (reference lines may lack theirs), else raw ones.
function isCorrectable(rows, name) {
  const some = rows.filter((row) => row.cells[name] && !row.model.reference);
  return some.length > 0 && some.every((row) => row.cells[`${name}_corrected`]);
}
// Who was asked both kinds of questions on this benchmark.
function askedBoth(rows) {
  const both = rows.filter((row) => row.halves.crr?.n && row.halves.car?.n).length;
  if (both === rows.length) return "Every model was asked harmful and harmless questions.";
  const [harmful, harmless] = ["crr", "car"].map((half) => rows.filter((row) => row.halves[half]?.n).length);
  return `Of ${howMany(rows.length, "model")}, ${harmful} ${harmful === 1 ? "has" : "have"} scored answers to harmful questions, ${harmless} to harmless ones and ${both} to both kinds.`;
}
// By the number that models are ranked by and the chosen evaluator; glance.js says what another one would change.
function tieSentence(rows) {
  const ranked = rows.filter((row) => row.rank && !row.model.reference);
  if (ranked.length < 2) return [];
  const { metric } = ranked[0].rank;
  const others = rows.filter((row) => !row.rank && !row.model.reference).length;
  const rest = others ? `${others} more ${others === 1 ? "has" : "have"} no rank by it. ` : "";
  const by = h("small", { class: "soft" }, ` ${rest}(${titleInWords(metric)}, by the evaluator below)`);
  const first = Math.min(...ranked.map((row) => row.rank.from));
  const top = ranked.filter((row) => row.rank.from === first).map((row) => row.model.name);
  if (top.length === 1) return [`${top[0]} is ahead of every other model by more than chance would explain.`, by];
  if (top.length === ranked.length) {
    const who = !others ? `These ${inWords(top.length)} models` : top.length <= 6 ? listed(top) : `The ${inWords(top.length)} models that have a rank`;
    return [`${who} cannot be told apart on this many answers.`, by];
  }
  if (top.length > 6) return [`The first ${inWords(top.length)} models cannot be told apart.`, by];
  return [`At the top, ${listed(top)} cannot be told apart.`, by];
}
function lineCell(row, name, corrected, onclick, open) {
  const raw = row.cells[name],
    c = corrected ? row.cells[`${name}_corrected`] : raw;
  if (!raw) return h("td", { class: "none" }, "\u2014");
  const x = (v) => (90 * v).toFixed(1);
  const chart = c
    ? s(
        "svg",
        { class: `mini ${name}`, width: 90, height: 12, viewBox: "0 0 90 12", preserveAspectRatio: "none", "aria-hidden": "true" },
        s("rect", { class: "track", x: 0, y: 4, width: 90, height: 4 }),
        s("rect", { class: "fill", x: 0, y: 4, width: x(c.value), height: 4 }),
        s("path", { class: "whisker", d: `M${x(c.low)} 6H${x(c.high)}M${x(c.low)} 3V9M${x(c.high)} 3V9` }),
      )
    : null;
  return h(
    "td",
    { "data-value": c?.value },
    h(
      "button",
      {
        type: "button",
        class: "number",
        "aria-expanded": String(open),
        "data-cell": `${raw.model}|${name}`,
        title: c ? `${percent(c.low)} to ${percent(c.high)}, n ${c.n}` : "no corrected rate",
        onclick,
      },
      h("span", null, c ? percent(c.value) : "\u2014", corrected ? h("small", null, `raw ${percent(raw.value)}`) : null),
      chart,
    ),
  );
}
// What stands behind a number: interval, n, and the same rate by every other evaluator.
function behind(row, name, task, columns) {
  const same = data.cells.filter(
    (c) => c.model === row.model.name && c.task === task && (c.metric === name || c.metric === `${name}_corrected`) && !isShadow(c) && c.value !== null,
  );
  same.sort((a, b) => (a.evaluator < b.evaluator ? -1 : a.evaluator > b.evaluator ? 1 : a.metric === name ? -1 : 1));
  const link = (view, text) => h("a", { href: `#view=${view}` }, text);
  const me = encodeURIComponent(row.model.name);
  const about = data.metrics[name];
  return h(
    "tr",
    { class: "behind" },
    h(
      "td",
      { colspan: columns },
      h("p", null, h("strong", null, `${row.model.name}: ${titleInWords(name)}. `), `${about.plain} `, name === "balanced" ? null : h("span", { class: "soft" }, about.definition)),
      h(
        "ul",
        null,
        same.map((c) =>
          h(
            "li",
            null,
            h("span", { class: c.metric === name ? "badge" : "badge corrected" }, c.metric !== name ? "corrected" : c.evaluator.startsWith("human:") ? "by people" : "raw"),
            ` ${percent(c.value)} % (95 % interval ${percent(c.low)} to ${percent(c.high)}) by ${evaluatorName(c.evaluator)}${c.metric === name ? "" : ", corrected by people\u2019s labels"}, `,
            c.n === c.n_total ? `n ${c.n}` : `n ${c.n} of ${c.n_total}; if every unscored item went one way, ${percent(c.worst[0])} to ${percent(c.worst[1])}`,
            c.apart ? ` (${c.apart})` : "",
          ),
        ),
      ),
      h("p", null, link(`samples&s-model=${me}&s-task=${encodeURIComponent(task === "pooled" ? "" : task)}`, "Read its answers"), " \u00b7 ", link(`compare&a=${me}`, "Compare it with another model")),
    ),
  );
}
function standings(panel, redraw) {
  const tasks = taskOptions(data.cells.filter((c) => (c.metric === "crr" || c.metric === "car") && !isShadow(c)));
  const best = usualTask(tasks.map((t) => t[0]));
  const task = choice("Benchmark", "task", tasks.length ? tasks : taskOptions(data.cells), best, redraw);
  const rulers = rulersOf(task.value);
  const ruler = rulers.length
    ? choice("Who says what a refusal is", "ruler", rulers.map((id) => [id, evaluatorName(id)]), rulers[0], redraw)
    : { value: "", node: null };
  const rows = standingRows(task.value, ruler.value);
  const shown = MAIN.filter(([name]) => rows.some((row) => row.cells[name]));
  const tests = rankedBy(task.value, ruler.value);
  const holder = h("div");
  const correctable = new Set(shown.map(([name]) => name).filter((name) => isCorrectable(rows, name)));
  const numbers = choice("Numbers", "numbers", [["", "corrected where people labelled"], ["raw", "raw"]], "", redraw);
  const corrected = state.get("numbers") === "raw" ? new Set() : correctable;
  const kindOf = (name) => (corrected.has(name) ? "corrected" : (name === "asr" ? attackJudge(task.value) : ruler.value)?.startsWith("human:") ? "by people" : "raw");
  const missing = data.models.length - rows.length;
  const told = rows.length ? glance(rows, shown, corrected, task.value, ruler.value, (name) => sortBy(name, "up")) : null;
  const narrow = innerWidth < 600;
  fill(panel, null, [
    h("h2", { class: "hidden-visually" }, "Leaderboard"),
    h("p", { class: "tie" }, ...tieSentence(rows)),
    narrow ? null : told,
    h("div", { class: "controls beside" }, task.node, ruler.node, correctable.size ? numbers.node : null),
    holder,
    narrow ? told : null, // a phone shows models first
    missing && task.value === "pooled"
      ? h("p", { class: "soft" }, `${missing} more ${missing === 1 ? "model" : "models"} did not run every benchmark: choose one above to see them.`)
      : null,
    h(
      "details",
      { class: "guide" },
      h("summary", null, "How to read this"),
      h(
        "ol",
        null,
        h("li", null, `${askedBoth(rows)} A good model refuses the harmful and answers the harmless.`),
        h("li", null, "A model that refuses everything looks perfectly safe in one column and is useless in the next: read both, or the balanced number."),
        h("li", null, "The thin line at the end of a bar is the 95 % interval: where two lines overlap widely, the order may be chance."),
        h("li", null, "Ranks are ranges, by paired tests on the same questions: \u201c2\u20135\u201d means that the data leave these places open."),
        h("li", null, "Whether an answer is a refusal is decided by a phrase list, a judge or people, and they differ: \u201ccorrected\u201d is a rate as people would count it, \u201craw\u201d the evaluator\u2019s own, and a click on a number shows all of them."),
      ),
    ),
  ]);
  function sortBy(name, direction) {
    state.set("by", name);
    state.set("dir", direction);
    draw(`th button[data-column="${name}"]`);
    say("sorted");
  }
  function draw(focus) {
    // A model that lacks the sorted number stands last, however high its other numbers are.
    const main = ["balanced", ...shown.map(([name]) => name)].find((name) => rows.some((row) => row.cells[name]));
    const by = state.get("by", main);
    const down = state.get("dir", "down") === "down";
    const valueOf = (row) =>
      by === "model" ? row.model.name : by === "scored" ? row.scored : row.cells[corrected.has(by) ? `${by}_corrected` : by]?.value ?? null;
    const ordered = [...rows].sort((a, b) => {
      if (a.model.reference !== b.model.reference) return a.model.reference - b.model.reference; // below the rule
      const [x, y] = [valueOf(a), valueOf(b)];
      if (x === null || y === null) return (x === null) - (y === null);
      const order = typeof x === "string" ? (x < y ? -1 : 1) : x - y;
      return (down ? -order : order) || (a.model.name < b.model.name ? -1 : 1);
    });
    const head = (id, text, title) => {
      const active = by === id;
      return h(
        "th",
        { scope: "col", title, "aria-sort": active ? (down ? "descending" : "ascending") : null, class: id === "model" ? "first left" : null },
        h(
          "button",
          {
            type: "button",
            "data-column": id,
            onclick: () => sortBy(id, active ? (down ? "up" : "down") : id === "asr" || id === "model" ? "up" : "down"),
          },
          text,
          h("span", { "aria-hidden": "true" }, active ? (down ? " \u25be" : " \u25b4") : ""),
        ),
        MAIN.some((m) => m[0] === id) ? h("span", null, " ", h("span", { class: `badge ${corrected.has(id) ? "corrected" : ""}`, title: KIND_WORDS[kindOf(id)] }, kindOf(id))) : null,
      );
    };
    const open = state.get("open");
    const columns = shown.length + 2 + (tests ? 1 : 0);
    const body = ordered.flatMap((row) => {
      const line = h(
        "tr",
        { class: row.model.reference ? "reference" : null },
        tests
          ? h("td", { class: "rank" }, row.rank && !row.model.reference ? (row.rank.from === row.rank.to ? String(row.rank.from) : `${row.rank.from}\u2013${row.rank.to}`) : "\u2014")
          : null,
        h("th", { scope: "row", title: row.model.name }, h("span", { class: "name" }, narrow ? shortName(row.model.name, 22) : row.model.name), tagsOf(row.model, task.value)),
        shown.map(([name]) => {
          const id = `${row.model.name}|${name}`;
          return lineCell(row, name, corrected.has(name), () => {
            state.set("open", open === id ? "" : id);
            draw(`button[data-cell="${CSS.escape(id)}"]`);
          }, open === id);
        }),
        h("td", { class: row.scored < 0.995 ? "scored low" : "scored" }, row.scored === null ? "\u2014" : [`${percent(row.scored, row.n < row.items && row.scored >= 0.995 ? 1 : 0)} `, h("small", null, `${row.n.toLocaleString("en")} of ${row.items.toLocaleString("en")}`)]),
      );
      const [name, metric] = [open.slice(0, open.lastIndexOf("|")), open.slice(open.lastIndexOf("|") + 1)];
      return name === row.model.name && row.cells[metric] ? [line, behind(row, metric, task.value, columns)] : [line];
    });
    holder.replaceChildren(
      scrollTable(
        "Models",
        h(
          "table",
          { id: "standings" },
          h("caption", null, `${taskTitle(task.value)}: ${howMany(rows.length, "model")}${missing ? ` (${missing} more did not run it)` : ""}, per cent. Click a number for its interval and what every other evaluator says.`),
          h(
            "thead",
            null,
            h(
              "tr",
              null,
              tests ? h("th", { scope: "col", class: "rank", title: `Ranks that paired tests on ${titleInWords(tests)} leave open (Holm)` }, "Rank ", h("span", null, h("span", { class: "badge" }, `by ${ruler.value.startsWith("human:") ? "people" : "raw"}`))) : null,
              head("model", "Model"),
              shown.map(([name, text, title]) => head(name, text, title)),
              head("scored", "Scored", "Per cent of the items whose answer could be scored and has a verdict, and how many of how many; items that were not run count as not scored"),
            ),
          ),
          h("tbody", null, body),
        ),
      ),
    );
    if (focus) holder.querySelector(focus)?.focus();
  }
  draw();
}
