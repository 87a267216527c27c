// Reproduce: what each row was made with.
function reproduce(panel) {
  panel.append(
    h("h2", null, "Reproduce"),
    h(
      "p",
      null,
      "What each row was made with, and what was left out. Commands of lmms-eval are rebuilt from its results file; those of imports and of runs with a preset are the recorded ones.",
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
