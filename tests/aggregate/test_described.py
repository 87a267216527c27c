"""What the page says from a model card and a preset, also where the file beside the run is damaged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from safecot_eval.aggregate.described import described
from safecot_eval.aggregate.provenance import provenance
from safecot_eval.generate import cards, presets
from safecot_eval.generate.model_under_test import ModelUnderTest
from safecot_eval.records.run import Run, find_runs
from tests.conftest import make_doc, write_run


def run_with(folder: Path, content: Any) -> Run:
    write_run(folder, [(make_doc(), "No.")])
    (folder / "20260101_000000_run.json").write_text(json.dumps(content), encoding="utf-8")
    (run,) = find_runs([folder])
    return run


def test_a_card_and_a_preset(tmp_path: Path) -> None:
    card = cards.find("llava-1.5-7b")[0][1]
    subject = ModelUnderTest(card.backend, card.arguments, card, presets.load("ecso"))
    steps: Any = {"checked": 7, "answered_again": 2}
    run = run_with(tmp_path, {"command": ["safecot", "run", "--card", "x y"], **subject.labels({}, steps)})
    assert run.model == "llava-1.5-7b-hf + ECSO-like self-check"
    said = dict(map(tuple, described(run)))
    assert said["Model"].startswith("LLaVA team; Llama 2 Community License (unverified); 2023-10")
    assert said["Image size"] == "336 x 336 pixels, the middle of the image after scaling (unverified)"
    assert said["Prompting preset"].endswith("; checked 7, answered again 2")
    assert provenance(run)["command"] == "safecot run --card 'x y'"


@pytest.mark.parametrize(
    "content", [{}, {"card": [], "preset": 3}, {"card": {"differences": "x", "unverified": 4}}, []]
)
def test_what_is_damaged_says_nothing(tmp_path: Path, content: Any) -> None:
    assert described(run_with(tmp_path, content)) == []


def test_hostile_text_is_cut_and_printable(tmp_path: Path) -> None:
    ((_, said),) = described(run_with(tmp_path, {"card": {"provider": "a\u202e\x1b[31m" + "b" * 5000}}))
    assert said.isprintable()
    assert len(said) <= 400
