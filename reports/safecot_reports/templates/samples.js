// Samples: texts are concealed until asked for, per item or for the session; nothing concealed is in the document.
const session = {
  get open() {
    try {
      return sessionStorage.getItem("safecot-reveal") === "1";
    } catch {
      return this.fallback;
    }
  },
  set open(v) {
    this.fallback = v;
    try {
      sessionStorage.setItem("safecot-reveal", v ? "1" : "");
    } catch {
      /* file pages may have no storage */
    }
  },
  fallback: false,
};
const CHUNK = 40;
function highlighted(text, span) {
  if (!span || text.length < span[1]) return [text];
  const points = Array.from(text); // spans count code points, as Python does
  return [
    points.slice(0, span[0]).join(""),
    h("mark", null, points.slice(span[0], span[1]).join("")),
    points.slice(span[1]).join(""),
  ];
}
function sampleCard(o, named) {
  const body = h("div");
  const open = () => {
    body.replaceChildren(
      h("strong", null, "Prompt"),
      h("pre", { tabindex: "0" }, o.prompt),
      ...o.images.map((name, i) =>
        data.pictures[name]
          ? h("img", { src: data.pictures[name], alt: `Image ${i + 1} of item ${o.item}` })
          : h("p", { class: "soft" }, `Image ${i + 1}: not part of this page`),
      ),
      ...(o.reasoning ? [h("strong", null, "Reasoning"), h("pre", { tabindex: "0" }, o.reasoning)] : []),
      h("strong", null, "Answer"),
      h("pre", { tabindex: "0" }, o.answer ? highlighted(o.answer, o.span) : "(empty)"),
    );
    button.textContent = "Hide";
    button.setAttribute("aria-expanded", "true");
  };
  const close = () => {
    body.replaceChildren();
    button.textContent = "Show texts (may be harmful)";
    button.setAttribute("aria-expanded", "false");
  };
  const button = h("button", {
    type: "button",
    class: "plain reveal",
    "aria-label": `Texts of item ${o.item}, ${o.model}`,
    onclick: () => (button.getAttribute("aria-expanded") === "true" ? close() : open()),
  });
  const labels = Object.entries(o.labels).map(([who, label]) =>
    h("span", { class: "tag" }, `${evaluatorName(who)}${rubricName(who)}: ${label ?? "none"}`),
  );
  const node = h(
    "article",
    { class: "sample", "data-id": o.id },
    h(
      "header",
      null,
      named === false ? null : h("strong", null, o.model),
      h("span", null, `item ${o.item}`),
      h(
        "span",
        { class: "soft" },
        `${o.category} \u00b7 should ${o.expectation.replace("_", " ")} \u00b7 ${o.status}`,
      ),
      button,
    ),
    h("div", null, labels),
    body,
  );
  node.addEventListener("safecot-hide", close);
  if (session.open) open();
  else close();
  return node;
}
function samples(panel, redraw) {
  panel.append(h("h2", null, "Samples"));
  const pool = [...data.samples];
  if (!pool.length && !data.shards?.length) {
    panel.append(h("p", { class: "note" }, "This page was written without samples."));
    return;
  }
  const shard = data.shards?.length
    ? choice(
        "Shard",
        "shard",
        [
          ["", "choose\u2026"],
          ...data.shards.map((x, i) => [String(i), `${x.model} \u00b7 ${taskTitle(x.task)}`]),
        ],
        "",
        redraw,
      )
    : null;
  const info = h("p", { class: "soft" }),
    list = h("div"),
    more = h("button", { type: "button", class: "plain", onclick: () => show(CHUNK) }, "Show more");
  const all = h(
    "button",
    {
      type: "button",
      class: "plain",
      id: "reveal-all",
      "aria-pressed": String(session.open),
      onclick: () => {
        session.open = !session.open;
        all.setAttribute("aria-pressed", String(session.open));
        all.textContent = session.open ? "Conceal all texts (Esc)" : "Show all texts in this session";
        search();
      },
    },
    session.open ? "Conceal all texts (Esc)" : "Show all texts in this session",
  );
  const unique = (key) => [...new Set(pool.map((o) => o[key]))].sort();
  const q = h("input", {
    type: "search",
    value: state.get("find"),
    placeholder: "words in prompt, answer, id",
    "aria-label": "Search samples",
    oninput: () => {
      state.set("find", q.value);
      clearTimeout(timer);
      timer = setTimeout(search, 80);
    },
  });
  const filters = ["model", "task", "category", "expectation", "status"].map((key) => ({
    key,
    box: choice(
      key[0].toUpperCase() + key.slice(1),
      `s-${key}`,
      [["", "all"], ...unique(key).map((v) => [v, key === "task" ? taskTitle(v) : v])],
      "",
      () => search(),
    ),
  }));
  const verdict = choice(
    "Labels",
    "s-label",
    [
      ["", "all"],
      ["refused", "list: refused"],
      ["complied", "list: not refused"],
      ["unsupported_language", "list: language not read"],
      ["differ", "evaluators differ"],
    ],
    "",
    () => search(),
  );
  panel.append(
    h(
      "p",
      null,
      `${pool.length} samples on this page: the same items for every model, chosen by content hash. Texts may be harmful and are concealed until you ask for them; Esc conceals all.`,
    ),
    h(
      "div",
      { class: "controls" },
      shard?.node,
      h("label", null, "Search", q),
      filters.map((f) => f.box.node),
      verdict.node,
      all,
    ),
    info,
    list,
    more,
  );
  let timer,
    found = [],
    shown = 0;
  const hay = (o) =>
    (o.hay ??= `${o.model}\n${o.item}\n${o.id}\n${o.prompt}\n${o.reasoning}\n${o.answer}`.toLowerCase());
  const positive = (label) =>
    ["refused", "full", "partial"].includes(label) ? 1 : ["complied", "none"].includes(label) ? 0 : null;
  function matches(o) {
    for (const f of filters) {
      const value = state.get(`s-${f.key}`);
      if (value && o[f.key] !== value) return false;
    }
    const want = state.get("s-label");
    if (want === "differ") {
      const said = Object.values(o.labels)
        .map(positive)
        .filter((v) => v !== null);
      if (new Set(said).size < 2) return false;
    } else if (
      want &&
      !Object.entries(o.labels).some(([who, label]) => who.startsWith("template:") && label === want)
    )
      return false;
    return !q.value || hay(o).includes(q.value.toLowerCase());
  }
  function show(count) {
    list.append(...found.slice(shown, shown + count).map((o) => sampleCard(o)));
    shown = Math.min(found.length, shown + count);
    more.hidden = shown >= found.length;
    info.textContent = `${found.length} match; ${shown} shown.`;
  }
  function search() {
    found = pool.filter(matches);
    shown = 0;
    list.replaceChildren();
    show(CHUNK);
    say(`${found.length} samples match`);
  }
  if (shard?.value) {
    info.textContent = "Loading\u2026";
    fetch(data.shards[Number(shard.value)].file)
      .then((r) => r.json())
      .then((loaded) => {
        pool.push(...loaded.samples);
        Object.assign(data.pictures, loaded.pictures);
        search();
      })
      .catch(() => {
        info.textContent =
          "The shard could not be read: serve this folder over HTTP (python -m http.server).";
      });
  } else search();
}
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    session.open = false;
    for (const node of document.querySelectorAll("article.sample"))
      node.dispatchEvent(new Event("safecot-hide"));
    const all = document.getElementById("reveal-all");
    if (all) {
      all.setAttribute("aria-pressed", "false");
      all.textContent = "Show all texts in this session";
    }
  }
});
