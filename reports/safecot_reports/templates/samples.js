// Samples as a reader: the items on the left, the chosen item with the answers of all models on the right.
const ROW = 48; // pixels of a line in the list, as in page.css
function itemsOf(pool) {
  const items = new Map();
  for (const o of pool) {
    const key = `${o.task}/${o.id}`;
    if (!items.has(key)) items.set(key, { key, first: o, answers: [] });
    items.get(key).answers.push(o);
  }
  for (const item of items.values()) item.answers.sort((a, b) => (a.model < b.model ? -1 : 1));
  // What most models answered comes first.
  return [...items.values()].sort((a, b) => b.answers.length - a.answers.length);
}
// A benchmark of one category has nothing to say by it.
const categoryOf = (o) => ((data.tasks.find((t) => t.task === o.task)?.categories.length ?? 2) > 1 ? o.category : null);
const SHOW = [
  ["", "all items"],
  ["differ", "evaluators disagree"],
  ["models", "models differ"],
  ["refused", "refused, by the phrase list"],
  ["complied", "not refused, by the phrase list"],
  ["unsupported_language", "language not read"],
];
const listLabel = (o) => Object.entries(o.labels).find(([who]) => who.startsWith("template:"))?.[1];
// What is searched: of an item its id, prompt and all answers in one text, so that a search looks at each text once.
const hayOf = (item) =>
  (item.hay ??= [item.first.item, item.first.id, item.first.prompt, ...item.answers.map((o) => `${o.model}\n${o.reasoning}\n${o.answer}`)].join("\n").toLowerCase());
const saidBy = (o, words) => `${o.model}\n${o.item}\n${o.id}\n${o.prompt}\n${o.reasoning}\n${o.answer}`.toLowerCase().includes(words);
const isDisputed = (o) => (o.disputed ??= disputed(o));
// Get the texts ready while nothing else happens, so that the first search is as quick as the next.
function warm(items, from = 0) {
  const idle = globalThis.requestIdleCallback ?? ((act) => setTimeout(() => act({ timeRemaining: () => 8 }), 30));
  idle((time) => {
    let k = from;
    while (k < items.length && time.timeRemaining() > 2) {
      hayOf(items[k]);
      items[k++].answers.forEach(isDisputed);
    }
    if (k < items.length) warm(items, k);
  });
}
function verdictStrip(answers) {
  const shown = answers.slice(0, 12);
  const signs = shown.map((o) => {
    const refused = refusedOf(o);
    return h("i", { class: refused === 1 ? "yes" : refused === 0 ? "no" : "unknown" });
  });
  const refused = answers.filter((o) => refusedOf(o) === 1).length;
  return h(
    "span",
    { class: "strip", title: `${refused} of ${answers.length} refused` },
    signs,
    answers.length > shown.length ? `+${answers.length - shown.length}` : null,
  );
}
function samples(panel, redraw) {
  panel.append(h("h2", null, "Samples"));
  const pool = [...data.samples];
  if (!pool.length && !data.shards?.length) {
    panel.append(h("p", { class: "note" }, "This page was written without samples."));
    return;
  }
  const shard = data.shards?.length
    ? choice("Shard", "shard", [["", "choose\u2026"], ...data.shards.map((x, i) => [String(i), `${x.model} \u00b7 ${taskTitle(x.task)}`])], "", redraw)
    : null;
  let items = itemsOf(pool),
    found = [],
    at = 0,
    timer;
  const unique = (key) => [...new Set(pool.map((o) => o[key]))].sort();
  const q = h("input", {
    type: "search",
    value: state.get("find"),
    placeholder: "words of texts or ids",
    "aria-label": "Search samples",
    oninput: () => {
      state.set("find", q.value);
      clearTimeout(timer);
      timer = setTimeout(() => {
        search();
        say(`${found.length} items match`);
      }, 80);
    },
  });
  const filters = [
    ["model", "Model"],
    ["task", "Benchmark"],
    ["category", "Category"],
    ["expectation", "Should be"],
    ["status", "Status"],
  ].filter(([key]) => key === "model" || shard || unique(key).length > 1).map(([key, label]) => ({
    key,
    box: choice(label, `s-${key}`, [["", "all"], ...unique(key).map((v) => [v, key === "task" ? taskTitle(v) : v.replaceAll("_", " ")])], "", () => search()),
  }));
  const show = choice("Show", "s-label", SHOW, "", () => search());
  const info = h("p", { class: "soft count" });
  const lines = h("div", { class: "lines" });
  const list = h("div", {
    class: "items",
    role: "listbox",
    tabindex: "0",
    "aria-label": "Items",
    onscroll: () => drawLines(),
    onkeydown: (event) => {
      const to = { ArrowDown: at + 1, ArrowUp: at - 1, PageDown: at + 10, PageUp: at - 10, Home: 0, End: found.length - 1 }[event.key];
      if (event.key === "Enter") headed(right.querySelector("h3"));
      else if (to === undefined) return;
      else choose(to);
      event.preventDefault();
    },
  }, lines);
  const right = h("div", { class: "item", tabindex: "-1", "aria-label": "Chosen item", role: "region" });
  panel.append(
    h("p", { class: "soft wide" }, "The same items for every model; a filled box is a model that refused. Texts may be harmful and are concealed until you ask for them. ", h("span", { class: "keys" }, h("kbd", null, "j"), " next, ", h("kbd", null, "k"), " previous, ", h("kbd", null, "o"), " texts on or off, ", h("kbd", null, "/"), " search, ", h("kbd", null, "Esc"), " conceal all.")),
    h("div", { class: "controls many" }, shard?.node, h("label", null, "Search", q), show.node, filters.map((f) => f.box.node), revealButton(), info),
    h("div", { class: "reader" }, list, right),
  );
  const ofModel = (item) => (state.get("s-model") ? item.answers.filter((a) => a.model === state.get("s-model")) : item.answers);
  const wanted = () => Object.fromEntries(filters.map((f) => [f.key, state.get(`s-${f.key}`)]));
  function search() {
    const want = wanted(),
      label = state.get("s-label"),
      words = q.value.toLowerCase();
    const narrow = want.model || want.status || (label && label !== "models");
    const fits = (o) =>
      (!want.model || o.model === want.model) &&
      (!want.status || o.status === want.status) &&
      (label === "differ" ? isDisputed(o) : !label || label === "models" || listLabel(o) === label) &&
      (!words || saidBy(o, words));
    found = items.filter(
      (item) =>
        (!want.task || item.first.task === want.task) &&
        (!want.category || item.first.category === want.category) &&
        (!want.expectation || item.first.expectation === want.expectation) &&
        (!words || hayOf(item).includes(words)) &&
        (!narrow || item.answers.some(fits)) &&
        (label !== "models" || new Set(item.answers.map(refusedOf).filter((v) => v !== null)).size > 1),
    );
    at = Math.max(0, found.findIndex((item) => item.key === state.get("item")));
    info.textContent = `${found.length} of ${items.length} items match.`;
    lines.style.height = `${found.length * ROW}px`;
    list.scrollTop = Math.max(0, at * ROW - list.clientHeight / 3);
    drawLines();
    drawItem();
  }
  // Only the lines in view are in the document, however many there are.
  function drawLines() {
    const from = Math.max(0, Math.floor(list.scrollTop / ROW) - 5);
    const to = Math.min(found.length, from + Math.ceil((list.clientHeight || 600) / ROW) + 10);
    lines.replaceChildren(
      ...found.slice(from, to).map((item, k) => {
        const o = item.first,
          number = from + k;
        const line = h(
          "div",
          {
            class: "line",
            role: "option",
            id: `line-${number}`,
            "aria-selected": String(number === at),
            "aria-setsize": found.length,
            "aria-posinset": number + 1,
            onclick: () => choose(number),
          },
          h("span", { class: "id" }, o.item),
          verdictStrip(ofModel(item)),
          h("span", { class: "about" }, [should(o), categoryOf(o)].filter(Boolean).join(" \u00b7 ")),
        );
        line.style.top = `${number * ROW}px`;
        return line;
      }),
    );
    if (found.length) list.setAttribute("aria-activedescendant", `line-${at}`);
    else list.removeAttribute("aria-activedescendant");
  }
  function choose(number) {
    if (!found.length) return;
    at = Math.min(found.length - 1, Math.max(0, number));
    state.set("item", found[at].key);
    const top = at * ROW;
    if (top < list.scrollTop) list.scrollTop = top;
    if (top + ROW > list.scrollTop + list.clientHeight) list.scrollTop = top + ROW - list.clientHeight;
    drawLines();
    drawItem();
    say(`item ${found[at].first.item}, ${at + 1} of ${found.length}`);
  }
  let texts = null,
    drawn = "";
  function drawItem() {
    const key = `${found[at]?.key}\n${state.get("s-model")}`;
    if (key === drawn) return;
    drawn = key;
    concealable.delete(texts);
    texts = null;
    const item = found[at];
    right.scrollTop = 0;
    if (!item) {
      right.replaceChildren(h("p", { class: "note" }, "Nothing matches: take a filter away."));
      return;
    }
    const o = item.first;
    const answers = ofModel(item);
    texts = textsOf((open) => {
      const cards = h("div", { class: "answers" });
      const held = right.contains(document.activeElement) ? document.activeElement.dataset.tool ?? "heading" : null;
      right.replaceChildren(
        h(
          "header",
          null,
          h("h3", null, `Item ${o.item}`),
          h("span", { class: "tag" }, taskTitle(o.task)),
          categoryOf(o) ? h("span", { class: "tag" }, o.category) : null,
          h("span", { class: `tag ${o.expectation}` }, should(o)),
          h("span", { class: "tools" },
            h("button", { type: "button", class: "plain", "data-tool": "before", "aria-label": "Previous item", onclick: () => choose(at - 1) }, "\u2190"),
            h("button", { type: "button", class: "plain", "data-tool": "after", "aria-label": "Next item", onclick: () => choose(at + 1) }, "\u2192"),
            copyButton(() => location.href, "Copy link", "link to this item"),
            h("button", { type: "button", class: "plain reveal", "data-tool": "texts", "aria-expanded": String(open), onclick: toggleTexts }, open ? "Hide texts" : "Show texts (may be harmful)"),
          ),
        ),
        open
          ? h("div", { class: "prompt" }, h("div", null, h("h4", null, "Prompt"), h("pre", { tabindex: "0", "aria-label": "Prompt" }, o.prompt)), o.images.length || o.unseen ? h("div", null, pictures(o)) : null)
          : h("p", { class: "concealed" }, "Prompt concealed"),
        cards,
      );
      // The first answers at once, the others while nobody waits; gone with the item.
      const more = (from, to) => {
        if (!cards.isConnected) return;
        cards.append(...answers.slice(from, to).map((a) => answerCard(a, open)));
        if (to < answers.length) setTimeout(() => more(to, to + 16), 30);
      };
      more(0, 12);
      // What the focus was on is drawn anew, as the heading from which Tab goes on or the same button.
      const tool = right.querySelector(`[data-tool="${held}"]`);
      if (tool) tool.focus();
      else if (held) headed(right.querySelector("h3"));
    }, session.open || reader.open);
    texts.redraw();
  }
  function toggleTexts() {
    if (!texts) return;
    reader.open = texts.open = !texts.open;
    texts.redraw();
    right.querySelector(".reveal").focus();
  }
  keysOf(panel, {
    j: () => choose(at + 1),
    k: () => choose(at - 1),
    o: toggleTexts,
    "/": () => q.focus(),
  });
  if (state.get("item") && !items.some((item) => item.key === state.get("item")) && !shard)
    panel.insertBefore(h("p", { class: "note" }, "The item of this link is not on the page."), panel.lastChild);
  if (shard?.value) {
    info.textContent = "Loading\u2026";
    fetch(data.shards[Number(shard.value)].file)
      .then((r) => r.json())
      .then((loaded) => {
        pool.push(...loaded.samples);
        Object.assign(data.pictures, loaded.pictures);
        items = itemsOf(pool);
        search();
        warm(items);
      })
      .catch(() => {
        info.textContent = "The shard could not be read: serve this folder over HTTP (python -m http.server).";
      });
  } else {
    search();
    warm(items);
  }
}
