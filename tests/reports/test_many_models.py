"""What a page of many models folds, leaves unnamed and explains, and where the focus goes."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytest

from safecot_reports.build import Options, build
from safecot_reports.page import page_html
from tests.reports.make_runs import make_runs
from tests.reports.watched import Watched

pytestmark = pytest.mark.slow
NAMES = [f"{family}-of-{k:02}" for family in ("Qwen2", "Llama3") for k in range(16)]
CHAIN = ["tiny origin", "tiny v0", "tiny v2"]


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """35 models, three of them a chain, and a reference line."""
    folder = tmp_path_factory.mktemp("many")
    models = {name: (0.3 + 0.02 * k, 0.02 * k) for k, name in enumerate(NAMES + CHAIN)}
    make_runs(folder / "runs", models=models | {"refuse_all": (1.0, 1.0)}, count=40, judge=False)
    page = folder / "page.html"
    page.write_text(page_html(build([str(folder / "runs")], Options(samples=3))), encoding="utf-8")
    return page


def test_a_crowded_plane_names_the_front_and_what_a_reader_picks(browser: Any, many: Path) -> None:
    watched = Watched(browser, many, viewport={"width": 1440, "height": 900}, reduced_motion="reduce")
    shown = watched.show("plane")
    labels = shown.locator(".chart .label text")
    first = set(labels.all_text_contents())
    table = shown.locator("#panel table tbody tr")
    front = {
        row.locator("th").text_content()
        for row in table.all()
        if row.locator("td").last.text_content() == "yes"
    }
    assert first <= front | {"refuse_all"}
    assert len(first) >= min(2, len(front))
    other = next(name for name in NAMES if name not in front)
    shown.locator(f'.model[data-model="{other}"]').dispatch_event("click")
    assert other in labels.all_text_contents()
    assert shown.locator(f'.model[data-model="{other}"]').get_attribute("aria-pressed") == "true"
    address = shown.evaluate("location.href")
    watched.open(address)
    assert other in labels.all_text_contents(), "the address keeps it"
    shown.locator(f'.model[data-model="{other}"]').focus()
    shown.keyboard.press("Enter")
    assert other not in labels.all_text_contents()
    assert shown.evaluate("document.activeElement.dataset.model") == other
    shown.locator(".family", has_text="llama").press("Enter")
    assert sum(text.startswith("Llama3") for text in labels.all_text_contents()) > 4
    assert shown.locator(".model.faded").count() >= 16
    assert shown.evaluate("document.activeElement.dataset.family") == "llama"
    assert watched.problems == []


def test_variants_are_explained_where_a_reader_first_meets_them(browser: Any, many: Path) -> None:
    shown = Watched(browser, many).show("standings")
    said = shown.locator(".glance").inner_text()
    assert "v0 and v2 are SafeCoT trainings of a base model" in said
    assert "v1" not in said


def test_a_number_opens_to_plain_words_before_the_abbreviation(browser: Any, many: Path) -> None:
    shown = Watched(browser, many).show("standings")
    shown.locator('[data-cell$="|crr"]').first.click()
    opened = shown.locator(".behind strong").inner_text()
    assert opened.strip().endswith(": Refuses harmful (CRR).")
    shown.locator(".behind a", has_text="Read its answers").press("Enter")
    shown.locator("#panel h2:focus", has_text="Samples").wait_for()  # a link leads to the heading


def test_long_views_are_folded_and_lose_nothing(browser: Any, many: Path) -> None:
    context = browser.new_context(
        viewport={"width": 1440, "height": 900}, permissions=["clipboard-read", "clipboard-write"]
    )
    watched = Watched(context, many)
    shown = watched.show("categories")
    assert shown.locator("#heat tbody tr").count() == 13, "the median and twelve models"
    assert "24 more models" in shown.locator("#panel summary").inner_text()
    every = [*NAMES, *CHAIN, "refuse_all"]
    text = shown.locator("#panel").text_content()
    assert all(name in text for name in every), "what is folded is in the document, and found in it"
    shown.locator(".share button", has_text="CSV").click()
    shown.locator("#live", has_text="copied").wait_for(state="attached")
    rows = list(csv.reader(io.StringIO(shown.evaluate("navigator.clipboard.readText()"))))
    assert [row[0] for row in rows[2:]] != []
    assert {row[0] for row in rows[2:]} == set(every)
    assert {len(row) for row in rows} == {len(rows[0])}
    shown = watched.show("reproduce")
    runs = shown.locator("details.run")
    assert runs.count() == len(every)
    assert shown.evaluate("document.documentElement.scrollHeight") < 1600
    assert all(name in shown.locator("#panel").text_content() for name in every)
    shown.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert shown.locator("details:not([open])").count() == 0, "what is printed is open"
    shown.evaluate("dispatchEvent(new Event('afterprint'))")
    assert shown.locator("details.run[open]").count() == 0
    runs.first.locator("summary").press("Enter")
    assert runs.first.locator("pre").is_visible()
    assert watched.problems == []
    context.close()


def test_texts_stay_open_from_item_to_item_until_escape_or_a_reload(browser: Any, many: Path) -> None:
    shown = Watched(browser, many).show("samples")
    texts = shown.locator(".item pre")
    shown.locator(".item .reveal").press("Enter")
    shown.keyboard.press("j")
    assert texts.count() > 4, "the next item is open, too"
    assert shown.evaluate("document.activeElement.className") == "plain reveal"
    shown.reload()
    shown.locator(".item .reveal").first.wait_for()
    assert texts.count() == 0, "only the session's choice outlives a reload"
    shown.locator(".item .reveal").press("Enter")
    shown.keyboard.press("j")
    shown.keyboard.press("Escape")
    shown.keyboard.press("k")
    assert texts.count() == 0


def test_the_focus_goes_to_the_item_that_was_opened(browser: Any, many: Path) -> None:
    shown = Watched(browser, many).show("samples")
    shown.locator(".items").press("ArrowDown")
    shown.keyboard.press("Enter")
    heading = shown.evaluate("document.activeElement.textContent")
    assert heading == shown.locator(".item h3").inner_text()
    shown.locator(".item [aria-label='Next item']").press("Enter")
    assert shown.evaluate("document.activeElement.getAttribute('aria-label')") == "Next item"


def test_a_link_shows_its_tab_on_a_phone(browser: Any, many: Path) -> None:
    shown = Watched(browser, many, viewport={"width": 360, "height": 800}).show("training")
    box = shown.locator("#tab-training").bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 360
