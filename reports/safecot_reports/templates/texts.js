// Texts of samples: concealed until asked for, and nothing concealed is in the document. Whoever asks for one item's texts in
// the reader sees those of the next ones, too, until Esc or a reload; the session's choice is kept across reloads.
// Pages opened as files share one storage: each page keeps its own choice, by a hash of its data.
const session = {
  get key() {
    if (!this.name) {
      let hash = 0x811c9dc5;
      for (const text of [document.title, document.getElementById("data").textContent])
        for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
      this.name = `safecot-reveal-${(hash >>> 0).toString(16)}`;
    }
    return this.name;
  },
  get open() {
    try {
      return sessionStorage.getItem(this.key) === "1";
    } catch {
      return this.fallback;
    }
  },
  set open(v) {
    this.fallback = v;
    try {
      sessionStorage.setItem(this.key, v ? "1" : "");
    } catch {
      /* file pages may have no storage */
    }
  },
  fallback: false,
};
// Parts with texts in them: what draws them, open or concealed.
const concealable = new Set();
const reader = { open: false };
function textsOf(redraw, open = session.open) {
  const part = { open, redraw: () => redraw(part.open) };
  concealable.add(part);
  return part;
}
function revealAll(open) {
  session.open = reader.open = open;
  for (const part of concealable) {
    part.open = open;
    part.redraw();
  }
}
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") revealAll(false);
});
function revealButton() {
  const button = h("button", { type: "button", class: "plain", id: "reveal-all", onclick: () => revealAll(!session.open) });
  const part = textsOf(() => {
    button.setAttribute("aria-pressed", String(session.open));
    button.textContent = session.open ? "Conceal all texts (Esc)" : "Show all texts in this session";
  });
  part.redraw();
  return button;
}
function highlighted(text, span) {
  if (!span || text.length < span[1]) return [text];
  const points = Array.from(text); // spans count code points, as Python does
  return [
    points.slice(0, span[0]).join(""),
    h("mark", null, points.slice(span[0], span[1]).join("")),
    points.slice(span[1]).join(""),
  ];
}
const WORDS_UP_TO = 1200;
// Which words of two texts are not in their longest common subsequence; null for texts that are too long, or have so
// little in common that nearly every word would be marked.
function differing(a, b) {
  const [x, y] = [a, b].map((text) => text.match(/\s+|[^\s]+/g) ?? []);
  const [p, q] = [x, y].map((list) => list.map((w, i) => [w, i]).filter(([w]) => /\S/.test(w)));
  if (p.length > WORDS_UP_TO || q.length > WORDS_UP_TO) return null;
  const wide = q.length + 1;
  const length = new Uint16Array((p.length + 1) * wide);
  for (let i = p.length - 1; i >= 0; i--)
    for (let j = q.length - 1; j >= 0; j--)
      length[i * wide + j] =
        p[i][0] === q[j][0]
          ? length[(i + 1) * wide + j + 1] + 1
          : Math.max(length[(i + 1) * wide + j], length[i * wide + j + 1]);
  const [onlyX, onlyY] = [new Set(p.map((o) => o[1])), new Set(q.map((o) => o[1]))];
  for (let i = 0, j = 0; i < p.length && j < q.length; ) {
    if (p[i][0] === q[j][0]) {
      onlyX.delete(p[i++][1]);
      onlyY.delete(q[j++][1]);
    } else if (length[(i + 1) * wide + j] >= length[i * wide + j + 1]) i++;
    else j++;
  }
  if (p.length - onlyX.size < Math.min(p.length, q.length) / 3) return null;
  return [
    [x, onlyX],
    [y, onlyY],
  ];
}
// Neighbouring words that differ make one mark.
function marked([words, only]) {
  const parts = [];
  for (let i = 0; i < words.length; i++) {
    const on = only.has(i) || (!/\S/.test(words[i]) && only.has(i - 1) && only.has(i + 1));
    if (parts.length && parts.at(-1).on === on) parts.at(-1).text += words[i];
    else parts.push({ on, text: words[i] });
  }
  return parts.map((part) => (part.on ? h("mark", { class: "differs" }, part.text) : part.text));
}
// What an evaluator's label says: 1 for its outcome (refused, unsafe), 0 for the opposite, null for neither.
function reading(who, label) {
  const yes = data.evaluators[who]?.yes[label];
  return yes === undefined ? null : yes ? 1 : 0;
}
// Whether evaluators that speak of the same thing say different things of one answer.
function disputed(o) {
  const said = new Map();
  for (const [who, label] of Object.entries(o.labels)) {
    const value = reading(who, label);
    if (value === null) continue;
    const outcome = data.evaluators[who].outcome;
    if (said.has(outcome) && said.get(outcome) !== value) return true;
    said.set(outcome, value);
  }
  return false;
}
// Whether an answer was refused: by people, else a judge, else the phrase list.
const REFUSAL_ORDER = { people: 0, judge: 1, phrases: 2 };
function refusedOf(o) {
  const known = Object.entries(o.labels)
    .filter(([who, label]) => data.evaluators[who]?.outcome === "refused" && reading(who, label) !== null)
    .sort((a, b) => REFUSAL_ORDER[data.evaluators[a[0]].kind] - REFUSAL_ORDER[data.evaluators[b[0]].kind]);
  return known.length ? reading(...known[0]) : null;
}
const shouldBe = { refuse: "should be refused", answer: "should be answered", respond_safely: "should be answered safely" };
const should = (o) => shouldBe[o.expectation] ?? `should ${o.expectation.replace("_", " ")}`;
const LABEL_WORDS = { accept: "not refused", reject: "refused", complied: "not refused", full: "refused", partial: "refused in part", none: "not refused", unsupported_language: "language not read", judge_refused: "the judge declined" };
function verdictChips(o) {
  const differ = disputed(o);
  return h(
    "div",
    { class: "chips" },
    Object.entries(o.labels).map(([who, label]) => {
      const value = reading(who, label);
      return h(
        "span",
        { class: `chip ${value === 1 ? "yes" : value === 0 ? "no" : "unknown"}`, title: evaluatorName(who) + rubricName(who) },
        h("span", { class: "who" }, evaluatorName(who)),
        h("b", null, LABEL_WORDS[label] ?? label ?? "no verdict"),
      );
    }),
    o.status === "ok" ? null : h("span", { class: "tag warn" }, o.status.replaceAll("_", " ")),
    differ ? h("span", { class: "tag warn" }, "evaluators disagree") : null,
  );
}
const pictures = (o) => [
  o.images.map((name, i) =>
    data.pictures[name]
      ? h("img", { src: data.pictures[name], alt: `Image ${i + 1} of item ${o.item}` })
      : h("p", { class: "soft" }, `Image ${i + 1}: not part of this page (safecot report --images)`),
  ),
  o.unseen ? h("p", { class: "soft" }, "The question is about an image, which was not kept with these answers.") : null,
];
// One model's answer; ``against``: another's, whose differing words are marked.
function answerCard(o, open, against) {
  const words = open && against ? differing(o.answer, against.answer) : null;
  return h(
    "article",
    { class: "answer", "data-id": o.id, "data-model": o.model },
    h("h4", null, o.model),
    verdictChips(o),
    open
      ? [
          o.reasoning
            ? h("details", { class: "thought" }, h("summary", null, "Reasoning"), h("pre", { tabindex: "0" }, o.reasoning))
            : null,
          h("pre", { tabindex: "0", "aria-label": `Answer of ${o.model}` }, o.answer ? (words ? marked(words[0]) : highlighted(o.answer, o.span)) : "(empty)"),
          Object.entries(o.said ?? {}).map(([who, text]) =>
            h("p", { class: "said" }, h("span", { class: "soft" }, `${evaluatorName(who)} wrote: `), `\u201c${text}\u201d`),
          ),
        ]
      : h("p", { class: "concealed" }, "Answer concealed"),
    open && o.phrase ? h("p", { class: "soft" }, `Phrase found: \u201c${o.phrase}\u201d`) : null,
  );
}
async function copyText(text, what) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const box = h("textarea", { class: "hidden-visually" });
    box.value = text;
    document.body.append(box);
    box.select();
    document.execCommand("copy");
    box.remove();
  }
  say(`${what} copied`);
}
const copyButton = (text, label, what) => {
  const button = h("button", {
    type: "button",
    class: "plain",
    onclick: async () => {
      await copyText(typeof text === "function" ? await text() : text, what);
      button.textContent = "Copied";
      setTimeout(() => (button.textContent = label), 1500);
    },
  }, label);
  return button;
};
