"""docs/fidelity.md: every benchmark has its line, every "equal" a test, and some of those tests."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from safecot_eval.benchmarks import registry
from safecot_eval.scoring.sample_metrics import pair_kind
from safecot_eval.util.paths import tasks_dir

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "fidelity.md").read_text(encoding="utf-8")
OURS = {"mini", "quick"}
COLUMNS = 8


class _Loader(yaml.SafeLoader):
    """Reads lmms-eval's task files, functions as their names."""


_Loader.add_constructor("!function", lambda loader, node: str(node.value))


def lines() -> dict[str, list[str]]:
    """Benchmark (or task without prefix) to its cells."""
    found = re.findall(r"^\| `(\w+)` \|(.+)\|$", PAGE, flags=re.MULTILINE)
    return {name: [cell.strip() for cell in rest.split(" | ")] for name, rest in found}


def test_every_benchmark_has_a_line_with_every_cell() -> None:
    assert set(registry.names()) - OURS <= set(lines())
    for name, cells in lines().items():
        assert len(cells) == COLUMNS - 1, name
        assert all(cells), name


def test_every_equal_has_a_test_that_is_there() -> None:
    tests = dict(re.findall(r"^(\d+)\. (.+)$", PAGE, flags=re.MULTILINE))
    for name, cells in lines().items():
        for cell in cells[:-1]:
            equal = re.findall(r"\bequal\b( \[(\d+)\])?", cell)
            assert all(number in tests for _, number in equal), (name, cell)
    named = [one for line in tests.values() for one in re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", line)]
    assert len(named) > 20
    for file, function in named:
        text = (ROOT / file).read_text(encoding="utf-8")
        assert not function or f"def {function}(" in text, (file, function)


@pytest.mark.parametrize(
    ("task_name", "tokens"),
    [
        ("multitrust/safecot_multitrust_nsfw_description", 150),
        ("multitrust/safecot_multitrust_risk_identification", 150),
        ("multitrust/safecot_multitrust_toxic_text", 512),
        ("multitrust/safecot_multitrust_crossmodal_negative", 512),
        ("vlguard/safecot_vlguard_unsafes", 256),
        ("vlguard/safecot_vlguard_safe_safes", 256),
        ("mis/safecot_mis_hard", 1024),
        ("comicjailbreak/safecot_comicjailbreak_speech", 2048),
        ("safemt/safecot_safemt_8turn", 1024),
        ("siuo/safecot_siuo", 500),
        ("siuo/safecot_siuo_mcqa_official", 5),
    ],
)
def test_decoding_is_the_authors(task_name: str, tokens: int) -> None:
    """Lengths: mmte/configs/task/safety at a067801, VLGuard_eval.py at a2f85c9, SIUO's eval/ at 18974b6."""
    common, own = (
        yaml.load((tasks_dir() / name).read_text(encoding="utf-8"), _Loader)
        for name in ("_safecot_leaf", f"{task_name}.yaml")
    )
    kept = own.get("generation_kwargs") or common["generation_kwargs"]
    assert kept["max_new_tokens"] == tokens
    assert (kept["do_sample"], kept["temperature"], kept["until"]) == (False, 0, [])


def test_a_control_group_is_right_only_if_both_sides_are() -> None:
    """LVLM-SafeR's README at 003c061."""
    kinds = {
        (refused, declined): pair_kind({"refuse": refused, "answer": declined})
        for refused in (True, False)
        for declined in (True, False)
    }
    assert [sides for sides, kind in kinds.items() if kind == "both_right"] == [(True, False)]
