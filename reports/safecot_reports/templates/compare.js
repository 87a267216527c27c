// Two models side by side: differences with intervals and a sentence, and the items on which they part.
const COMPARED = ["balanced", "crr", "car", "asr"];
const DOES = {
  balanced: ["is right more often", "is right less often"],
  crr: ["refuses more of the harmful", "refuses less of the harmful"],
  car: ["answers more of the harmless", "answers less of the harmless"],
  asr: ["is attacked with success more often", "is attacked with success less often"],
};
// Complementary error function, Abramowitz & Stegun 7.1.26 (error below 1.5e-7).
function erfc(x) {
  const t = 1 / (1 + 0.3275911 * Math.abs(x));
  const y = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429)))) * Math.exp(-x * x);
  return x >= 0 ? y : 2 - y;
}
// p values of all pairs of a table of spreads, adjusted by Holm; made once.
function adjusted(spread) {
  if (spread.p) return spread.p;
  const K = spread.models.length,
    raw = [];
  for (let i = 0, k = 0; i < K; i++)
    for (let j = i + 1; j < K; j++, k++)
      raw.push(erfc(Math.abs(spread.rates[i] - spread.rates[j]) / (Math.max(spread.sd[k], 1) / 1e4) / Math.SQRT2));
  const order = raw.map((_, k) => k).sort((a, b) => raw[a] - raw[b]);
  let most = 0;
  spread.alone = raw;
  spread.p = new Float64Array(raw.length);
  order.forEach((k, rank) => {
    most = Math.max(most, Math.min(1, (raw.length - rank) * raw[k]));
    spread.p[k] = most;
  });
  return spread.p;
}
// Model a minus model b; exact where the pair was tested, else from the spreads. Null if they share nothing.
function gap(a, b, task, evaluator, metric) {
  const pair = data.pairs.find(
    (p) => p.task === task && p.evaluator === evaluator && p.metric === metric && ((p.a === a && p.b === b) || (p.a === b && p.b === a)) && p.diff !== null,
  );
  if (pair) {
    const sign = pair.a === a ? 1 : -1;
    const [low, high] = sign > 0 ? [pair.low, pair.high] : [-pair.high, -pair.low];
    return { diff: sign * pair.diff, low, high, p: pair.p_holm, alone: pair.p, n: pair.n, mde: pair.mde };
  }
  const spread = data.spreads.find((r) => r.task === task && r.evaluator === evaluator && r.metric === metric);
  const [i, j] = [a, b].map((name) => spread?.models.indexOf(name) ?? -1);
  if (i < 0 || j < 0 || i === j) return null;
  const [x, y] = [Math.min(i, j), Math.max(i, j)];
  const k = x * spread.models.length - (x * (x + 1)) / 2 + (y - x - 1);
  const half = (1.959964 * spread.sd[k]) / 1e4,
    diff = spread.rates[i] - spread.rates[j];
  return { diff, low: diff - half, high: diff + half, p: adjusted(spread)[k], alone: spread.alone[k], n: null, mde: null };
}
// Whether two rates are of the same items: by the tested pairs, else if every item of both was scored.
function sameItems(a, b, task, evaluator, metric) {
  return (metric === "balanced" ? ["crr", "car"] : [metric]).every((half) => {
    const [x, y] = [a, b].map((name) => data.cells.find((c) => c.model === name && c.task === task && c.evaluator === evaluator && c.metric === half));
    if (!x || !y) return false;
    const n = gap(a, b, task, evaluator, half)?.n;
    return n ? n === x.n && n === y.n : x.n === x.n_total && y.n === y.n_total && x.n === y.n;
  });
}
// A p value by itself, and what is left of it among all pairs of models.
const chance = (found) => (found.alone === undefined || pValue(found.alone) === pValue(found.p) ? `p ${pValue(found.p)}` : `p ${pValue(found.alone)} for this pair alone, ${pValue(found.p)} among all pairs`);
const points = (x) => `${Math.abs(100 * x).toFixed(1)} points`;
function verdict(found, a, b, metric) {
  const range = `95 % interval ${signed(found.low)} to ${signed(found.high)}`;
  if (found.p > 0.05)
    return `${a} and ${b} cannot be told apart on this many answers (${signed(found.diff)} points, ${range}, ${chance(found)}).`;
  return `${a} ${DOES[metric][found.diff > 0 ? 0 : 1]} than ${b}, by ${points(found.diff)} (${range}, ${chance(found)}).`;
}
// Two halves that are both certain and go opposite ways: what a balanced number hides.
function tradeOff(rows, a) {
  const [crr, car] = ["crr", "car"].map((name) => rows.find(([metric]) => metric === name)?.[2]);
  if (!crr || !car || crr.p > 0.05 || car.p > 0.05 || crr.diff * car.diff >= 0) return null;
  const side = (metric, found) => `${DOES[metric][found.diff > 0 ? 0 : 1]} (${signed(found.diff)})`;
  return ` But it is a trade: ${a} ${side("crr", crr)} and ${side("car", car)}.`;
}
function gapChart(found, reach) {
  const X = (v) => 100 + (92 * Math.max(-reach, Math.min(reach, v))) / reach;
  return s(
    "svg",
    { class: "gap", width: 200, height: 20, viewBox: "0 0 200 20", "aria-hidden": "true" },
    s("path", { class: "axis", d: "M8 10H192M100 1V19" }),
    s("path", { class: found.p > 0.05 ? "reach" : "reach sure", d: `M${X(found.low)} 10H${X(found.high)}` }),
    s("circle", { class: "point", cx: X(found.diff), cy: 10, r: 5 }),
  );
}
function compare(panel, redraw) {
  panel.append(h("h2", null, "Compare two models"));
  const known = new Set([...data.pairs.flatMap((p) => [p.a, p.b]), ...data.spreads.flatMap((r) => r.models)]);
  if (known.size < 2) {
    panel.append(h("p", { class: "note" }, "Nothing to compare: no two models share a benchmark."));
    return;
  }
  const standing = [...known].sort((x, y) => (rankOfModel(x) - rankOfModel(y)) || (x < y ? -1 : 1));
  const options = standing.map((n) => [n, n]);
  const first = choice("Model", "a", options, standing[0], redraw);
  const second = choice("against", "b", options.filter(([n]) => n !== first.value), standing.find((n) => n !== first.value), redraw);
  const [a, b] = [first.value, second.value];
  const both = (r) => (r.models ? r.models.includes(a) && r.models.includes(b) : (r.a === a && r.b === b) || (r.a === b && r.b === a));
  const shared = [...data.spreads, ...data.pairs].filter(both);
  const whole = (t) => Number(shared.some((r) => r.task === t && r.metric === "balanced"));
  const tasks = [...new Set(shared.map((r) => r.task))].sort((x, y) => whole(y) - whole(x) || (y === "pooled") - (x === "pooled") || (x < y ? -1 : 1));
  const task = choice("Benchmark", "task", tasks.map((t) => [t, taskTitle(t)]), usualTask(tasks), redraw);
  const ids = [...new Set(shared.filter((r) => r.task === task.value && COMPARED.includes(r.metric)).map((r) => r.evaluator))];
  const about = (id) => (data.evaluators[id]?.outcome === "refused" ? 0 : 1);
  ids.sort((x, y) => about(x) - about(y) || evaluatorKind(x) - evaluatorKind(y) || (x < y ? -1 : 1));
  const ruler = choice("Judged by", "ruler", ids.filter((id) => !about(id)).map((id) => [id, evaluatorName(id)]), null, redraw);
  const swap = h("button", { type: "button", class: "plain", onclick: () => { state.set("a", b); state.set("b", a); redraw("a"); } }, "Swap");
  panel.append(h("div", { class: "controls" }, first.node, second.node, swap), h("div", { class: "controls" }, task.node, ids.filter((id) => !about(id)).length ? ruler.node : null));
  if (!tasks.length) {
    panel.append(h("p", { class: "note" }, `${a} and ${b} share no benchmark.`));
    return;
  }
  const rows = COMPARED.flatMap((metric) =>
    (metric === "asr" ? ids.filter((id) => about(id)) : [ruler.value]).map((id) => [metric, id, gap(a, b, task.value, id, metric)]),
  ).filter(([, , found]) => found);
  if (!rows.length) {
    panel.append(h("p", { class: "note" }, "No evaluator has labelled both on this benchmark."));
    return;
  }
  const reach = Math.max(0.02, ...rows.flatMap(([, , f]) => [Math.abs(f.low), Math.abs(f.high)]));
  const cellOf = (model, metric, id) => data.cells.find((c) => c.model === model && c.task === task.value && c.metric === metric && c.evaluator === id);
  const number = (c) => (c?.value == null ? "\u2014" : h("span", { title: `${percent(c.low)} to ${percent(c.high)}, n ${c.n}` }, percent(c.value)));
  panel.append(
    h("p", { class: "tie" }, verdict(rows[0][2], a, b, rows[0][0]), tradeOff(rows, a)),
    scrollTable(
      "Differences",
      h(
        "table",
        { class: "sides" },
        h("caption", null, `${taskTitle(task.value)}: ${a} minus ${b}, in points, with 95 % intervals; p is adjusted for every pair of models (Holm)`),
        h("thead", null, h("tr", null, h("th", { scope: "col", class: "first left" }, "Rate"), h("th", { scope: "col" }, a), h("th", { scope: "col" }, b), h("th", { scope: "col" }, "Difference"), h("th", { scope: "col", class: "left" }, "\u2190 lower \u00b7 higher \u2192"), h("th", { scope: "col", class: "left" }, "In words"))),
        h(
          "tbody",
          null,
          rows.map(([metric, id, f]) =>
            h(
              "tr",
              null,
              h("th", { scope: "row", title: data.metrics[metric].plain }, MAIN.find((m) => m[0] === metric)[1], metric === "asr" ? h("small", null, `by ${evaluatorName(id)}`) : null),
              h("td", null, number(cellOf(a, metric, id))),
              h("td", null, number(cellOf(b, metric, id))),
              h("td", null, h("b", null, signed(f.diff)), h("small", null, `${signed(f.low)} to ${signed(f.high)}`), sameItems(a, b, task.value, id, metric) ? null : h("small", null, f.n ? `on ${f.n} questions scored for both` : "of partly different items")),
              h("td", null, gapChart(f, reach)),
              h("td", { class: "wrap" }, f.p > 0.05 ? `no clear difference (p ${pValue(f.p)})` : `${a} ${DOES[metric][f.diff > 0 ? 0 : 1]} (p ${pValue(f.p)})`, f.p > 0.05 && f.mde ? h("small", null, `${f.n} shared items would show a difference of ${points(f.mde)}`) : null),
            ),
          ),
        ),
      ),
    ),
  );
  everyOther(panel, a, task.value, ruler.value, standing);
  discordant(panel, a, b, task.value, ruler.value);
}
// Place by the balanced rate, for the order of a choice.
function rankOfModel(name) {
  const rows = data.ranks.filter((r) => r.model === name && r.metric === "balanced");
  return rows.length ? Math.min(...rows.map((r) => r.from)) : 999;
}
function everyOther(panel, a, task, evaluator, names) {
  const rows = names
    .filter((n) => n !== a)
    .map((n) => [n, ...["balanced", "crr", "car"].map((m) => gap(a, n, task, evaluator, m))])
    .filter((r) => r[1] || r[2] || r[3]);
  const said = (f) => (f ? `${signed(f.diff)} [${signed(f.low)}, ${signed(f.high)}]${f.p <= 0.05 ? " *" : ""}` : "\u2014");
  if (rows.length)
    panel.append(
      h("details", null, h("summary", null, `${a} against every other model`), plainTable(`${a} minus the other, in points; * p (Holm) at most 0.05`, ["Other model", "Balanced", "Refuses harmful", "Answers harmless"], rows.map(([n, ...gaps]) => [n, ...gaps.map(said)]))),
    );
}
// Items that the two were told apart on, by one evaluator: prompt, picture and both answers next to each other.
function discordant(panel, a, b, task, evaluator) {
  panel.append(h("h3", null, "Where they part"));
  const ours = new Map(data.samples.filter((o) => o.model === a && (o.task === task || task === "pooled")).map((o) => [`${o.task}/${o.id}`, o]));
  const shared = data.samples
    .filter((o) => o.model === b && ours.has(`${o.task}/${o.id}`))
    .map((o) => [ours.get(`${o.task}/${o.id}`), o]);
  if (!shared.length) {
    panel.append(h("p", { class: "soft" }, "This page holds no samples of both."));
    return;
  }
  const read = (o) => reading(evaluator, o.labels[evaluator]);
  const found = shared.filter(([x, y]) => read(x) !== null && read(y) !== null && read(x) !== read(y));
  const kinds = [
    ["", `all ${found.length}`],
    ["a", `only ${a} refused (${found.filter(([x]) => read(x)).length})`],
    ["b", `only ${b} refused (${found.filter(([, y]) => read(y)).length})`],
  ];
  const holder = h("div"),
    more = h("button", { type: "button", class: "plain", onclick: () => show() }, "Show more");
  let shown = [],
    list = [];
  const kind = choice("Show", "side", kinds, "", () => start());
  panel.append(
    h("p", { class: "soft wide" }, `Of the ${shared.length} shared items that the page holds, ${evaluatorName(evaluator)} tells the two answers apart on ${found.length}. Words that only one of two similar answers has are marked.`),
    found.length ? h("div", { class: "controls" }, kind.node, revealButton()) : "",
    holder,
    more,
  );
  function start() {
    const side = state.get("side");
    list = found.filter(([x]) => !side || Boolean(read(x)) === (side === "a"));
    shown = [];
    holder.replaceChildren();
    show();
  }
  function show() {
    const next = list.slice(shown.length, shown.length + 8);
    shown = shown.concat(next);
    more.hidden = shown.length >= list.length;
    holder.append(...next.map(([x, y]) => pairCard(x, y)));
  }
  start();
}
function pairCard(x, y) {
  const holder = h("section", { class: "pair", "aria-label": `Item ${x.item}` });
  const part = textsOf((open) =>
    holder.replaceChildren(
      h(
        "header",
        null,
        h("a", { href: `#view=samples&item=${encodeURIComponent(`${x.task}/${x.id}`)}` }, `Item ${x.item}`),
        h("span", { class: "tag" }, x.category),
        h("span", { class: "tag" }, should(x)),
        h("button", { type: "button", class: "plain reveal", "aria-expanded": String(open), onclick: () => { part.open = !part.open; part.redraw(); holder.querySelector(".reveal").focus(); } }, open ? "Hide texts" : "Show texts (may be harmful)"),
      ),
      open ? h("div", { class: "prompt" }, h("pre", { tabindex: "0", "aria-label": "Prompt" }, x.prompt), x.images.length || x.unseen ? h("div", null, pictures(x)) : null) : "",
      h("div", { class: "two" }, answerCard(x, open, y), answerCard(y, open, x)),
    ),
  );
  part.redraw();
  return holder;
}
