// Tabs, and the start.
const VIEWS = [
  ["standings", "Leaderboard", standings],
  ["overview", "All numbers", overview],
  ["plane", "Safety \u00d7 over-refusal", plane],
  ["categories", "Categories", categories],
  ["compare", "Compare", compare],
  ["judges", "Judges and lists", judges],
  ["samples", "Samples", samples],
  ["training", "Training", training],
  ["reproduce", "Reproduce", reproduce],
];
const tabs = document.getElementById("tabs"),
  panel = document.getElementById("panel");
function view(focusState) {
  const current = VIEWS.find((v) => v[0] === state.get("view")) || VIEWS[0];
  for (const tab of tabs.children) {
    const on = tab.id === `tab-${current[0]}`;
    tab.setAttribute("aria-selected", String(on));
    tab.tabIndex = on ? 0 : -1;
    if (on) tabs.scrollLeft = tab.offsetLeft - tabs.offsetLeft - (tabs.clientWidth - tab.offsetWidth) / 2; // on a phone they scroll
  }
  panel.setAttribute("aria-labelledby", `tab-${current[0]}`);
  panel.replaceChildren();
  concealable.clear();
  current[2](panel, (name) => view(name));
  document.getElementById("share").replaceChildren(shareBar());
  if (focusState)
    [...panel.querySelectorAll("[data-state]")].find((n) => n.dataset.state === focusState)?.focus();
}
function go(name) {
  state.set("view", name);
  view();
  document.getElementById(`tab-${name}`).focus();
}
for (const [name, title] of VIEWS)
  tabs.append(
    h(
      "button",
      { type: "button", role: "tab", id: `tab-${name}`, "aria-controls": "panel", onclick: () => go(name) },
      title,
    ),
  );
tabs.addEventListener("keydown", (event) => {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key],
    at = VIEWS.findIndex((v) => `tab-${v[0]}` === document.activeElement.id);
  const to =
    event.key === "Home"
      ? 0
      : event.key === "End"
        ? VIEWS.length - 1
        : step
          ? (at + step + VIEWS.length) % VIEWS.length
          : null;
  if (to !== null && at >= 0) {
    event.preventDefault();
    go(VIEWS[to][0]);
  }
});
// A link within the page replaces the part that held it: the focus goes to what the link names, else to the view's heading.
window.addEventListener("hashchange", () => {
  const before = state.all;
  state.all = new URLSearchParams(location.hash.slice(1));
  view();
  const card = before.get("card") !== state.get("card", null) && panel.querySelector("#scorecard");
  const item = state.get("item") && panel.querySelector(".item h3");
  headed(card || item || panel.querySelector("h2"));
});
// Paper cannot be clicked: what is folded is printed open.
let unfolded = [];
window.addEventListener("beforeprint", () => {
  unfolded = [...document.querySelectorAll("details:not([open])")];
  for (const part of unfolded) part.open = true;
});
window.addEventListener("afterprint", () => {
  for (const part of unfolded) part.open = false;
});
// When the runs were made, from their stamps.
function dates() {
  const days = data.runs.map((r) => r.stamp.slice(0, 8)).filter((d) => /^\d{8}$/.test(d)).sort();
  const written = (d) => `${d.slice(0, 4)}-${d.slice(4, 6)}-${d.slice(6)}`;
  if (!days.length) return "";
  return days[0] === days.at(-1) ? `, ${written(days[0])}` : `, ${written(days[0])} to ${written(days.at(-1))}`;
}
async function start() {
  const source = document.getElementById("data");
  let text = source.textContent;
  if (source.dataset.encoding === "gzip") {
    const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    text = await new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
  }
  data = JSON.parse(text);
  document.getElementById("lead").textContent =
    `How often ${data.models.length === 1 ? "one model refuses" : `${data.models.length} models refuse`} what is harmful and ${data.models.length === 1 ? "answers" : "answer"} what is harmless, on ${data.tasks.length === 1 ? data.tasks[0].title : `${data.tasks.length} benchmark tasks`}${dates()}.`;
  view();
}
start();
// The fragment holds the state of the page, so that the skip link must not replace it.
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  document.getElementById("main").focus();
});
