"""Images on the page: opt-in, small, only the ones that the model saw, and concealed like the texts."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from safecot_eval.benchmarks import catalogue
from safecot_eval.benchmarks.images import inspect
from safecot_eval.records.samples import sample_id
from safecot_reports.build import Options, build
from safecot_reports.page import page_html
from safecot_reports.pictures import SIDE, thumbnails
from safecot_reports.split import write_split
from tests.conftest import make_doc, write_run
from tests.reports.watched import Watched

TASK = "safecot_mini_tiny"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One run on the first items of the drawn benchmark, whose images are on disk."""
    answers = []
    for item in catalogue.items_of(TASK)[:6]:
        hashes = [inspect(path).sha256 for path in item.images]
        doc = make_doc(
            sample_id=sample_id("mini", item.item_id, item.prompt, hashes),
            item_id=item.item_id,
            prompt=item.prompt,
            expectation=item.expectation.value,
            image_sha256=hashes,
            image_source="official",
        )
        answers.append((doc, "Sorry, no."))
    folder = tmp_path_factory.mktemp("pictures")
    write_run(folder, answers, task=TASK)
    return folder


def test_pictures_are_absent_unless_asked_for(run: Path) -> None:
    assert build([str(run)], Options())["pictures"] == {}


def test_every_picture_is_a_small_copy_of_what_the_model_saw(run: Path) -> None:
    data = build([str(run)], Options(images=True))
    assert set(data["pictures"]) == {name for sample in data["samples"] for name in sample["images"]} != set()
    for uri in data["pictures"].values():
        image = Image.open(io.BytesIO(base64.b64decode(uri.removeprefix("data:image/jpeg;base64,"))))
        assert max(image.size) <= SIDE


def test_a_changed_image_or_absent_data_show_nothing(run: Path) -> None:
    samples = build([str(run)], Options())["samples"]
    assert thumbnails([{**sample, "images": ["0" * 16]} for sample in samples]) == {}
    assert thumbnails([{**sample, "task": "safecot_no_such_leaf"} for sample in samples]) == {}


def test_split_puts_pictures_into_their_shard(run: Path, tmp_path: Path) -> None:
    data = build([str(run)], Options(samples=0))
    write_split(data, [str(run)], tmp_path, samples=True, images=True)
    shard = json.loads((tmp_path / "samples/0.json").read_text())
    assert len(shard["samples"]) == 6
    assert set(shard["pictures"]) == {name for sample in shard["samples"] for name in sample["images"]}


@pytest.mark.slow
def test_a_picture_is_not_in_the_document_until_asked_for(browser: Any, run: Path, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text(page_html(build([str(run)], Options(images=True))), encoding="utf-8")
    watched = Watched(browser, path)
    shown = watched.show("samples")
    assert shown.locator(".item img").count() == 0
    shown.locator(".item .reveal").first.click()
    image = shown.locator(".item img").first
    assert image.evaluate("async (node) => { await node.decode(); return node.naturalWidth; }") > 0
    shown.keyboard.press("Escape")
    assert shown.locator(".item img").count() == 0
    assert [problem for problem in watched.problems if not problem.startswith("data:")] == []
