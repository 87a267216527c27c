// Reproduce: what each row was made with, a line for each run that opens to its command and facts.
const REMARKS_SHOWN = 3;
function reproduce(panel) {
  const remarks = [...data.conflicts, ...data.omitted].map((text) => h("p", { class: "note" }, text));
  const runs = data.runs.map(runCard);
  const all = h("button", { type: "button", class: "plain", onclick: () => {
    const open = runs.some((run) => !run.open);
    for (const run of runs) run.open = open;
  } }, "Open or close all");
  panel.append(
    h("h2", null, "Reproduce"),
    h(
      "p",
      { class: "wide" },
      "What each row was made with, and what was left out. Commands of lmms-eval are rebuilt from its results file; those of imports and of runs with a preset are the recorded ones.",
    ),
    remarks.length > REMARKS_SHOWN
      ? h("details", null, h("summary", null, `${remarks.length} remarks on what was left out or is not comparable`), remarks)
      : h("div", null, remarks),
    h("div", { class: "controls" }, h("p", null, `${howMany(runs.length, "run")}; a line opens to its command, versions and evaluators.`), runs.length > 1 ? all : null),
    h("div", { class: "runs" }, runs),
  );
}
function runCard(r) {
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
  return h(
    "details",
    { class: "run" },
    h("summary", null, h("h3", null, r.model, h("span", null, ` on ${taskTitle(r.task)}`)), h("small", { class: "soft" }, ` ${howMany(r.n, "answer")}${r.limit ? ", a part" : ""}`)),
    h("pre", { tabindex: "0" }, r.command ?? "The results file is missing: the command is not known."),
    h(
      "dl",
      { class: "facts" },
      facts.map(([k, v]) => [h("dt", null, k), h("dd", null, v)]),
    ),
  );
}
