"""The page in a real browser: it fits, it chooses the ruler without a script, and it asks for nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from safecot_eval.paper.findings import gather
from safecot_reports.paper import chain_picture, page_html

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("browser")]


@pytest.fixture
def page(invented: Path, chain: Path, tmp_path: Path) -> Path:
    path = tmp_path / "paper.html"
    path.write_text(page_html(gather(chain)), encoding="utf-8")
    return path


@pytest.mark.parametrize(("width", "scheme"), [(360, "dark"), (1440, "light")])
def test_it_fits_and_asks_for_nothing(page: Path, browser: Any, width: int, scheme: str) -> None:
    tab = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    asked, said = [], []
    tab.on("request", lambda request: asked.append(request.url))
    tab.on("console", lambda message: said.append(message.text))
    tab.goto(f"file://{page}")
    for summary in tab.query_selector_all("summary"):
        if summary.is_visible():
            summary.click()
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    assert (len(asked), said) == (1, [])
    ground = tab.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, ground[4:-1].split(","))) > 3 * 128) == (scheme == "light")
    tab.close()


def test_the_ruler_is_chosen_by_style_alone(page: Path, browser: Any) -> None:
    tab = browser.new_page(viewport={"width": 1440, "height": 900})
    tab.goto(f"file://{page}")

    def shown() -> list[str]:
        return [
            name
            for name in ("safecot19", "safecot25", "judge_soft")
            if tab.locator(f".by-{name} .planes").first.is_visible()
        ]

    assert shown() == ["safecot25"]
    tab.locator("label[for=ruler-safecot19]").click()
    assert shown() == ["safecot19"]
    tab.keyboard.press("ArrowLeft")  # a radio group, for the keyboard too
    tab.locator("#ruler-judge_soft").focus()
    tab.keyboard.press("Space")
    assert shown() == ["judge_soft"]
    label = tab.locator(".by-judge_soft .planes svg").first.get_attribute("aria-label")
    assert label.startswith("base: CRR 10, CAR 90; v0: CRR 90, CAR 10"), label
    tab.close()


def test_the_picture_stands_alone(invented: Path, chain: Path, browser: Any, tmp_path: Path) -> None:
    path = tmp_path / "plane.svg"
    path.write_text(chain_picture(gather(chain)), encoding="utf-8")
    tab = browser.new_page(viewport={"width": 800, "height": 600})
    tab.goto(f"file://{path}")
    assert tab.locator("path.head").count() == 3, "base → v0 → v1 → v2"
    assert tab.evaluate("getComputedStyle(document.querySelector('circle')).fill") == "rgb(122, 133, 140)"
    tab.close()
