// Overview: models x metrics, grouped by evaluator; sortable, filterable, with intervals, n and rank ranges.
const ORDER = [
  "crr",
  "crr_corrected",
  "car",
  "car_corrected",
  "crr_soft",
  "car_soft",
  "balanced",
  "balanced_corrected",
  "contextual",
  "crr_core",
  "asr",
  "asr_corrected",
  "dialogue_asr",
  "attack_rate",
  "strongreject",
  "asr_core",
  "toxicity",
  "siuo_safe",
  "siuo_effective",
  "siuo_both",
  "refusal_share",
  "partial",
  "pair_both_right",
  "pair_refuses_both",
  "pair_answers_both",
  "pair_inverted",
  "consistency",
  "invalid",
  "unread",
  "coverage",
  "tokens",
];
// Metrics that are not in this order stand before what is said of coverage.
const placeOf = (metric) => (ORDER.includes(metric) ? ORDER.indexOf(metric) : ORDER.indexOf("invalid") - 0.5);
const HIDDEN_AT_FIRST = [
  "partial",
  "pair_refuses_both",
  "pair_answers_both",
  "pair_inverted",
  "tokens",
  "refusal_share",
];
const groupOf = (c) => (c.evaluator === "" ? "Answers" : evaluatorName(c.evaluator));
const columnId = (c) => [c.metric, c.evaluator, c.apart].join("|");
function bar(c) {
  const x = (v) => (2 + 76 * v).toFixed(1);
  return s(
    "svg",
    { width: 80, height: 10, viewBox: "0 0 80 10", "aria-hidden": "true" },
    s("rect", { class: "track", x: 2, y: 3, width: 76, height: 4 }),
    s("rect", { class: "fill", x: 2, y: 3, width: (76 * c.value).toFixed(1), height: 4 }),
    s("path", { class: "whisker", d: `M${x(c.low)} 5H${x(c.high)}M${x(c.low)} 2V8M${x(c.high)} 2V8` }),
  );
}
// Why a model has no number: ``ran``, whether it ran here; ``read``, whether this evaluator has labelled it.
function whyNone(metric, ran, read) {
  if (!ran) return "not run";
  if (metric.endsWith("_corrected")) return "cannot be corrected";
  return read ? "no such items" : "not labelled by it";
}
function valueCell(c, rank, metric, ran, read) {
  // An evaluator that read every answer has no such number at all.
  if (!c && metric === "unread" && read) return h("td", null, "0", h("small", null, "none unread"));
  if (!c || c.value === null) return h("td", null, "\u2014", h("small", null, c ? `0 of ${c.n_total} scored` : whyNone(metric, ran, read)));
  if (c.metric === "tokens") return h("td", null, c.value.toFixed(0), h("small", null, `n ${c.n}`));
  const title = `${percent(c.value)} %, 95 % interval ${percent(c.low)} to ${percent(c.high)} (${c.method}); if every unscored item went one way: ${percent(c.worst[0])} to ${percent(c.worst[1])}`;
  return h(
    "td",
    { title, "data-value": c.value },
    percent(c.value),
    bar(c),
    h("small", null, `${percent(c.low)}\u2013${percent(c.high)}`),
    h("small", null, c.n === c.n_total ? `n ${c.n}` : `n ${c.n} of ${c.n_total}`),
    rank
      ? h(
          "small",
          { class: "rank" },
          rank.from === rank.to ? `rank ${rank.from}` : `rank ${rank.from}\u2013${rank.to}`,
        )
      : null,
  );
}
function tagsOf(model, task) {
  const about = data.tasks.find((t) => t.task === task);
  // A checkpoint that names its training questions is in distribution by them, an older one by the whole benchmark.
  const [seen, all] = model.trained_items?.[task] ?? [];
  const inside =
    all === undefined
      ? about && model.in_distribution.some((name) => name === about.benchmark || name === task)
      : seen > 0;
  return [
    model.reference ? h("span", { class: "tag" }, "reference line") : null,
    model.training ? h("span", { class: "tag", title: VARIANTS[model.training.variant] ? `trained ${VARIANTS[model.training.variant]}` : null }, `SafeCoT ${model.training.variant ?? ""}`) : null,
    inside
      ? h(
          "span",
          { class: "tag warn", title: "Trained on data of this benchmark" },
          all === undefined ? "in distribution" : `trained on ${seen} of ${all} items`,
        )
      : null,
  ];
}
function overview(panel, redraw) {
  const usable = data.cells.filter((c) => !isShadow(c));
  const task = choice("Benchmark", "task", taskOptions(usable), usualTask([...new Set(usable.map((c) => c.task))]), redraw);
  const categories = (data.tasks.find((t) => t.task === task.value) || { categories: [] }).categories;
  const category = choice(
    "Category",
    "category",
    [["", "all categories"], ...categories.map((c) => [c, c])],
    "",
    redraw,
  );
  const tag = choice(
    "Models",
    "tag",
    [
      ["", "all"],
      ["safecot", "SafeCoT checkpoints"],
      ["plain", "without reference lines"],
    ],
    "",
    redraw,
  );
  const q = h("input", {
    type: "search",
    value: state.get("q"),
    "aria-label": "Filter models by name",
    placeholder: "name",
    oninput: () => {
      state.set("q", q.value);
      draw();
    },
  });
  const cells = (
    category.value ? data.categories.filter((c) => c.category === category.value) : usable
  ).filter((c) => c.task === task.value && !isShadow(c));
  const byColumn = new Map();
  for (const c of cells) {
    const id = columnId(c);
    if (!byColumn.has(id)) byColumn.set(id, { id, sample: c, of: new Map() });
    byColumn.get(id).of.set(c.model, c);
  }
  const ranks = new Map(data.ranks.filter((r) => r.task === task.value).map((r) => [`${r.model}|${r.metric}|${r.evaluator}`, r]));
  const rankOf = (c) => !category.value && ranks.get(`${c.model}|${c.metric}|${c.evaluator}`);
  const kinds = (c) =>
    c.evaluator.startsWith("template:")
      ? 0
      : c.evaluator === ""
        ? 3
        : c.evaluator.startsWith("human:")
          ? 2
          : 1;
  const columns = [...byColumn.values()].sort(
    (a, b) =>
      kinds(a.sample) - kinds(b.sample) ||
      groupOf(a.sample).localeCompare(groupOf(b.sample)) ||
      a.sample.apart.localeCompare(b.sample.apart) ||
      placeOf(a.sample.metric) - placeOf(b.sample.metric),
  );
  const chosen = new Set(state.get("hide", HIDDEN_AT_FIRST.join(",")).split(","));
  const names = [...new Set(columns.map((c) => c.sample.metric))];
  const pick = h(
    "details",
    { class: "columns" },
    h("summary", null, "Columns"),
    h(
      "div",
      null,
      names.map((name) => {
        const box = h("input", {
          type: "checkbox",
          checked: !chosen.has(name),
          onchange: () => {
            if (box.checked) chosen.delete(name);
            else chosen.add(name);
            state.set("hide", [...chosen].filter(Boolean).join(",") || "none");
            draw();
          },
        });
        return h("label", { class: "check" }, box, titleInWords(name));
      }),
    ),
  );
  const ran = new Set(cells.map((c) => c.model));
  const read = new Set(cells.map((c) => `${c.model}|${c.evaluator}`));
  const holder = h("div");
  const note = (text) => h("p", { class: "note" }, `Not comparable, so in separate columns: ${text}`);
  const own = data.conflicts.filter((text) => task.value === "pooled" || text.startsWith(`${task.value} `));
  const others = data.conflicts.filter((text) => !own.includes(text));
  panel.append(
    h("h2", null, "All numbers"),
    h(
      "p",
      { class: "wide" },
      "Per cent with 95 % intervals. Arrows show which way is better. Ranks are ranges: models whose paired difference is not significant (Holm) share them. Hover or read the definitions below for each metric.",
    ),
    ...own.map(note),
    others.length ? h("details", null, h("summary", null, `${howMany(others.length, "remark")} on what is not comparable on other benchmarks`), others.map(note)) : "",
    h("div", { class: "controls" }, task.node, category.node, tag.node, h("label", null, "Name", q), pick),
    holder,
    h(
      "details",
      null,
      h("summary", null, "What each metric means"),
      h(
        "dl",
        null,
        names.map((name) => [
          h("dt", null, h("strong", null, `${titleInWords(name)} ${arrow(data.metrics[name])}`)),
          h("dd", null, data.metrics[name].plain, h("div", { class: "soft" }, data.metrics[name].definition)),
        ]),
      ),
    ),
  );
  let drawn = "";
  const made = new Map(); // rows by model: sorting only moves them
  function draw(focus) {
    const shown = columns.filter((c) => !chosen.has(c.sample.metric));
    const columnsNow = shown.map((c) => c.id).join("\n");
    if (columnsNow !== drawn) made.clear();
    drawn = columnsNow;
    const rowOf = (m) => {
      if (!made.has(m.name))
        made.set(
          m.name,
          h(
            "tr",
            { class: m.reference ? "reference" : null },
            h("th", { scope: "row" }, m.name, h("div", null, tagsOf(m, task.value))),
            shown.map((c) => valueCell(c.of.get(m.name), c.of.get(m.name) && rankOf(c.of.get(m.name)), c.sample.metric, ran.has(m.name), read.has(`${m.name}|${c.sample.evaluator}`))),
          ),
        );
      return made.get(m.name);
    };
    const sort = shown.find((c) => c.id === state.get("sort"));
    const models = data.models.filter(
      (m) =>
        m.name.toLowerCase().includes(q.value.toLowerCase()) &&
        !(tag.value === "safecot" && !m.training) &&
        !(tag.value === "plain" && m.reference) &&
        shown.some((c) => c.of.has(m.name)),
    );
    const down = state.get("dir") === "down";
    models.sort((a, b) => {
      if (!sort) return a.name < b.name === !(state.get("sort") === "model" && down) ? -1 : 1;
      const [x, y] = [sort.of.get(a.name)?.value ?? null, sort.of.get(b.name)?.value ?? null];
      if (x === null || y === null) return (x === null) - (y === null);
      return (down ? y - x : x - y) || (a.name < b.name ? -1 : 1);
    });
    const order = (id, best) => {
      const same = state.get("sort") === id;
      state.set("sort", id);
      state.set("dir", same ? (down ? "up" : "down") : best);
      draw(id);
      say("sorted");
    };
    const head = (id, text, direction, title, best, left) => {
      const active = state.get("sort") === id;
      return h(
        "th",
        {
          scope: "col",
          class: left ? "first left" : null,
          "aria-sort": active ? (down ? "descending" : "ascending") : null,
          title,
        },
        h(
          "button",
          { type: "button", "data-column": id, onclick: () => order(id, best) },
          text,
          " ",
          h("span", { class: "dir" }, direction),
          h("span", { "aria-hidden": "true" }, active ? (down ? "\u25be" : "\u25b4") : "\u2195"),
        ),
      );
    };
    const groups = [];
    for (const c of shown) {
      const name = groupOf(c.sample) + (c.sample.apart ? ` (${c.sample.apart})` : "");
      if (groups.at(-1)?.name === name) groups.at(-1).span++;
      else groups.push({ name, span: 1 });
    }
    holder.replaceChildren(
      scrollTable(
        "Models and metrics",
        h(
          "table",
          { id: "overview" },
          h(
            "caption",
            null,
            `${taskTitle(task.value)}${category.value ? `, ${category.value}` : ""}: ${howMany(models.length, "model")}`,
          ),
          h(
            "thead",
            null,
            h(
              "tr",
              null,
              h("td", { class: "first" }),
              groups.map((g) => h("th", { class: "group", scope: "colgroup", colspan: g.span }, g.name)),
            ),
            h(
              "tr",
              null,
              head("model", "Model", "", null, "up", true),
              shown.map((c) => {
                const m = data.metrics[c.sample.metric];
                return head(c.id, titleInWords(c.sample.metric), arrow(m), m.plain, m.better === "down" ? "up" : "down");
              }),
            ),
          ),
          h(
            "tbody",
            null,
            models.map(rowOf),
          ),
        ),
      ),
    );
    if (focus) [...holder.querySelectorAll("th button")].find((b) => b.dataset.column === focus)?.focus();
  }
  draw();
}
