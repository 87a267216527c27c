// Tabs, and the start.
const VIEWS = [
  ["overview", "Overview", overview],
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
  }
  panel.setAttribute("aria-labelledby", `tab-${current[0]}`);
  panel.replaceChildren();
  current[2](panel, (name) => view(name));
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
window.addEventListener("hashchange", () => {
  state.all = new URLSearchParams(location.hash.slice(1));
  view();
});
async function start() {
  const source = document.getElementById("data");
  let text = source.textContent;
  if (source.dataset.encoding === "gzip") {
    const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    text = await new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
  }
  data = JSON.parse(text);
  document.getElementById("lead").textContent =
    `${data.models.length} models, ${data.tasks.length} benchmark tasks. Higher is not always safer: read refusals of harmful and of harmless questions together.`;
  view();
}
start();
// The fragment holds the state of the page, so that the skip link must not replace it.
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  document.getElementById("main").focus();
});
