"""The labelling page: offline, and answers cannot run or load anything."""

from __future__ import annotations

import base64
import csv
import hashlib
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from safecot_eval.cli.label import command
from safecot_eval.judge.people import Row, page_html, question
from tests.judge.test_seeing import mini_run

HOSTILE = '</script><script>window.owned=1</script><img src=x onerror="window.owned=1"> __SCRIPT__ <!-- &lt;'
# Label the first and go on, skip one, label the last, go back twice and change the first label.
KEYS = ("1", "ArrowRight", "3", "ArrowLeft", "ArrowLeft", "2")
LABELLED = {"0001": "partial", "0002": "", "0003": "none"}
# The few parts of a browser that the page uses, for a run under node.
STAND_IN = """
const elements = {}, listeners = {}; let saved;
const element = (id) => elements[id] ??= {
  attributes: {}, value: "", on: {},
  addEventListener(name, call) { this.on[name] = call; },
  setAttribute(name, value) { this.attributes[name] = value; },
  append() {}, replaceChildren() {}, click() { saved = this.download; },
};
let made = 0, text;
globalThis.document = {
  getElementById: element, createElement: () => element("made" + made++),
  addEventListener: (name, call) => { listeners[name] = call; },
};
const store = {};
globalThis.localStorage = { getItem: (key) => store[key] ?? null, setItem: (key, value) => { store[key] = value; } };
globalThis.Blob = class { constructor(parts) { text = parts.join(""); } };
URL.createObjectURL = () => "blob:x";
URL.revokeObjectURL = () => {};
const [script, data, keys] = JSON.parse(require("fs").readFileSync(0, "utf-8"));
element("data").textContent = data;
new Function(script)();
const first = element("answer").textContent;
for (const key of keys) listeners.keydown({ key, target: null, preventDefault() {} });
element("annotator").value = "Ann 1";
element("download").on.click();
console.log(JSON.stringify({ first, csv: text, name: saved, count: element("count").textContent }));
process.exit(0);
"""
ROWS = [
    Row("0001", "Question one?", HOSTILE),
    Row("0002", "Question two?", "=1+1"),
    Row("0003", "Three?", "No."),
]


@pytest.fixture
def page():
    return page_html(question("refusal"), ROWS)


def test_nothing_is_loaded_from_anywhere(page):
    own = re.sub(r'<script type="application/json".*?</script>', "", page, flags=re.DOTALL)
    assert "Question one" not in own
    assert re.search(r"(?:https?:)?//[a-z]|\s(?:src|href)\s*=|@import|url\(|fetch\(|XMLHttp", own) is None


def test_the_policy_allows_exactly_the_pages_own_script_and_style(page):
    script = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    style = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page)[1]
    assert (len(script), len(style)) == (1, 1)
    for directive, text in (("script-src", script[0]), ("style-src", style[0])):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{directive} 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'")


def test_answers_are_inert_data_and_intact(page):
    data = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)[1]
    assert "<" not in data
    content = json.loads(data)
    assert [row["answer"] for row in content["rows"]] == [row.answer for row in ROWS]
    assert list(content["labels"]) == ["full", "partial", "none", "unsure"]


def test_texts_enter_only_through_text_content(page):
    assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(|Function\(", page)


def test_the_scripts_keys_and_download(page):
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed: the page's script is run only in the browser test")
    script = re.search(r"<script>(.*?)</script>", page, re.DOTALL)[1]
    data = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)[1]
    done = subprocess.run(
        [node, "-e", STAND_IN],
        input=json.dumps([script, data, KEYS]),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["first"] == HOSTILE
    assert found["name"] == "labels_Ann_1.csv"
    assert found["count"] == "answer 2 of 3, 2 labelled"
    assert {row["row"]: row["label"] for row in csv.DictReader(found["csv"].splitlines())} == LABELLED


@pytest.mark.slow
def test_labelling_with_the_keyboard_in_a_browser(browser, page, tmp_path):
    path = tmp_path / "labels.html"
    path.write_text(page, encoding="utf-8")
    tab = browser.new_page()
    problems, requests = [], []
    tab.on("console", lambda message: problems.append(message.text))
    tab.on("pageerror", lambda error: problems.append(str(error)))
    tab.on("request", lambda request: requests.append(request.url))
    tab.goto(path.as_uri())
    assert tab.locator("#answer").text_content() == HOSTILE
    assert tab.evaluate("window.owned") is None
    for key in KEYS:
        tab.keyboard.press(key)
    tab.fill("#annotator", "Ann 1")
    with tab.expect_download() as download:
        tab.click("#download")
    saved = tmp_path / download.value.suggested_filename
    download.value.save_as(saved)
    tab.reload()
    assert "2 labelled" in tab.locator("#count").text_content()
    tab.close()
    assert saved.name == "labels_Ann_1.csv"
    with saved.open(encoding="utf-8", newline="") as stream:
        labels = {row["row"]: row["label"] for row in csv.DictReader(stream)}
    assert labels == LABELLED
    assert problems == []
    assert all(url.startswith(("file:", "blob:")) for url in requests)


@pytest.fixture
def with_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """A sheet and a page of two answers about pictures of the built-in benchmark."""
    mini_run(tmp_path / "runs")
    sheet, page = tmp_path / "labels.csv", tmp_path / "labels.html"
    arguments = ["export", str(tmp_path / "runs"), "--images", "-o", str(sheet), "--page", str(page)]
    done = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return sheet, page


def test_pictures_lie_beside_the_sheet_and_in_the_page(with_pictures: tuple[Path, Path]) -> None:
    sheet, page = with_pictures
    with sheet.open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 4
    named = [row["images"] for row in rows if row["images"]]
    assert len(named) == 3
    assert all(re.fullmatch(r"labels_images/000\d-1\.jpg", name) for name in named), "names that tell nothing"
    assert all((sheet.parent / name).read_bytes().startswith(b"\xff\xd8") for name in named)
    text = page.read_text(encoding="utf-8")
    data = json.loads(
        re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)[1]
    )
    assert sum("images" in row for row in data["rows"]) == 3
    assert "<img" not in text, "concealed: no picture is on the page before it is asked for"
    assert "img-src data:" in text


@pytest.mark.slow
def test_a_picture_is_concealed_until_it_is_asked_for(browser, with_pictures: tuple[Path, Path]) -> None:
    tab = browser.new_page()
    problems: list[str] = []
    tab.on("console", lambda message: problems.append(message.text))
    tab.on("pageerror", lambda error: problems.append(str(error)))
    tab.goto(with_pictures[1].as_uri())
    seen = 0
    for _ in range(4):
        assert tab.locator("img").count() == 0
        if tab.locator("#reveal").is_visible():
            tab.keyboard.press("p")
            assert tab.locator("#shown img").is_visible()
            assert tab.evaluate("document.querySelector('#shown img').decode().then(() => true)")
            assert tab.locator("#reveal").get_attribute("aria-expanded") == "true"
            tab.click("#reveal")
            assert tab.locator("img").count() == 0
            tab.click("#reveal")
            seen += 1
        tab.keyboard.press("ArrowRight")
    assert seen >= 3
    assert problems == []
    tab.close()
