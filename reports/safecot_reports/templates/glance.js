// Under the headline: what a reader asks first, answered in a sentence each.
const HALF = 0.5;
const MOVED = 0.05;
// Who refuses too much and who too little, by the numbers that the table shows.
function tooMuch(rows, corrected, sortBy) {
  const half = (name, word, kind) => {
    const found = rows
      .filter((row) => !row.model.reference)
      .map((row) => row.cells[corrected.has(name) ? `${name}_corrected` : name]?.value ?? null)
      .filter((value) => value !== null);
    if (!found.length) return null;
    const low = found.filter((value) => value < HALF).length;
    const many = `${low || "none"} of ${howMany(found.length, "model")}`;
    const link = h("button", { type: "button", class: "inline", title: "Sort by it, fewest first", onclick: () => sortBy(name) }, many);
    return [h("strong", null, `${word}: `), link, ` ${low === 1 ? kind[0] : kind[1]}. `];
  };
  return h(
    "li",
    null,
    half("car", "Over-refusal", ["answers under half of the harmless questions", "answer under half of the harmless questions"]),
    half("crr", "Under-refusal", ["refuses under half of the harmful", "refuse under half of the harmful"]),
  );
}
// What changes if another evaluator decides what a refusal is: the one that knows most models after the chosen one.
function byAnother(task, ruler) {
  const metric = rankedBy(task, ruler);
  const other = rulersOf(task).find((id) => id !== ruler);
  if (!other || !metric) return null;
  const own = new Set(data.models.filter((m) => !m.reference).map((m) => m.name));
  const of = (id, name) => new Map(data.cells.filter((c) => c.task === task && c.metric === name && c.evaluator === id && c.value !== null && own.has(c.model)).map((c) => [c.model, c.value]));
  const [mine, theirs] = [of(ruler, metric), of(other, metric)];
  const both = [...mine.keys()].filter((name) => theirs.has(name));
  if (both.length < 2) return null;
  const first = (values) => both.reduce((a, b) => (values.get(b) > values.get(a) ? b : a));
  const [top, then] = [first(mine), first(theirs)];
  const changes = MAIN.slice(0, 2).flatMap(([name]) => {
    const [here, there] = [of(ruler, name), of(other, name)];
    return both.filter((m) => here.has(m) && there.has(m)).map((m) => ({ m, by: there.get(m) - here.get(m) }));
  });
  const most = changes.reduce((a, b) => (Math.abs(b.by) > Math.abs(a.by) ? b : a));
  const moved = new Set(changes.filter((c) => Math.abs(c.by) > MOVED).map((c) => c.m)).size;
  return h(
    "li",
    null,
    h("a", { href: "#view=judges" }, "Another evaluator"),
    `, ${evaluatorName(other)}: ${top === then ? "the same model is first" : `${then} would be first`}; one half moves by more than 5 points for ${moved || "none"} of ${howMany(both.length, "model")} (most: ${shortName(most.m, 30)}, ${signed(most.by)}).`,
  );
}
// Whether the numbers are corrected for the evaluator's errors, and if not, why.
function whichNumbers(shown, corrected, ruler) {
  if (ruler.startsWith("human:")) return null;
  const told = shown.filter(([name]) => corrected.has(name)).map(([, title]) => title);
  return h(
    "li",
    null,
    h("strong", null, "Corrected: "),
    told.length
      ? `${listed(told)}, as people would count ${told.length === 1 ? "it" : "them"}; the evaluator\u2019s own rate stands beneath as \u201craw\u201d.`
      : data.cells.some((c) => c.metric.endsWith("_corrected"))
        ? ["no column here, for not every model can be corrected (", h("a", { href: "#view=judges" }, "why"), "). All numbers are raw, the evaluator\u2019s own."]
        : "nothing, for people have labelled none of these answers. All numbers are raw: the evaluator\u2019s own, with its errors.",
  );
}
// What v0, v1 and v2 in names mean, where a reader first meets them.
function whatVariants() {
  const here = variantsHere();
  if (!here.length) return null;
  return h("li", null, h("strong", null, "Names: "), `${listed(here)} ${here.length === 1 ? "is a SafeCoT training" : "are SafeCoT trainings"} of a base model, ${here.map((v) => `${VARIANTS[v]} (${v})`).join(", ")}.`);
}
function glance(rows, shown, corrected, task, ruler, sortBy) {
  return h("ul", { class: "glance" }, tooMuch(rows, corrected, sortBy), byAnother(task, ruler), whichNumbers(shown, corrected, ruler), whatVariants());
}
