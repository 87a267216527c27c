"""Tags, wildcards and the quick selection: every task once, and 500 items that are the same everywhere."""

from __future__ import annotations

import inspect
from collections import Counter
from pathlib import Path

import pytest

from safecot_eval.benchmarks import catalogue, registry, selection
from safecot_eval.records.samples import Expectation, Item
from safecot_eval.stats import estimates
from safecot_eval.util.errors import SafecotError
from tests.tasks.conftest import only_by_name

TAGS = (
    "safecot_core",
    "safecot_contextual",
    "safecot_jailbreak",
    "safecot_multilingual",
    "safecot_overrefusal",
    "safecot_paper",
)


def test_a_wildcard_runs_every_task_once() -> None:
    everything = selection.task_names_of("safecot_*")
    assert len(everything) == len(set(everything))
    assert {"safecot_quick", "safecot_mmsafetybench_question", "safecot_siuo_mcqa_official"} <= only_by_name()
    assert set(everything) == set(registry.task_names()) - only_by_name()
    assert selection.task_names_of("safecot") == everything == selection.task_names_of("safecot-leaf")


def test_tags_name_tasks_and_no_tag_is_a_task() -> None:
    tags = selection.tags()
    assert set(tags) == {"safecot-leaf", *TAGS}
    assert all(set(task_names) <= set(tags["safecot-leaf"]) for task_names in tags.values())
    assert not set(tags) & set(registry.task_names())
    core = {registry.task_parts(task_name)[0].name for task_name in tags["safecot_core"]}
    assert core == {"mmsafetybench", "multitrust", "siuo"}


@pytest.mark.slow
def test_over_refusal_tasks_have_benign_items(invented: Path) -> None:
    task_names = selection.tags()["safecot_overrefusal"]
    assert task_names
    for task_name in task_names:
        assert any(item.expectation is Expectation.ANSWER for item in catalogue.items_of(task_name)), (
            task_name
        )


def test_jailbreak_tasks_have_no_benign_items(invented: Path) -> None:
    only_jailbreak = set(selection.tags()["safecot_jailbreak"]) - set(selection.tags()["safecot_overrefusal"])
    assert only_jailbreak
    for task_name in only_jailbreak:
        assert all(item.expectation is Expectation.REFUSE for item in catalogue.items_of(task_name)), (
            task_name
        )


@pytest.mark.slow
def test_a_tag_asks_for_what_is_there(invented: Path) -> None:
    (invented / "mossbench" / "information.json").unlink()
    task_names, others, left_out = selection.expand_tasks("safecot_overrefusal", recorded=False)
    assert others == ()
    assert "safecot_xstest" in task_names
    assert "safecot_mossbench" in left_out
    assert set(task_names) | set(left_out) == set(selection.tags()["safecot_overrefusal"])


@pytest.mark.slow
def test_a_wildcard_that_matches_a_tag_and_tasks(invented: Path) -> None:
    task_names, _, _ = selection.expand_tasks("safecot_*,safecot_overrefusal,safecot_xstest", recorded=False)
    assert "safecot_quick" not in task_names
    assert list(task_names) == sorted(set(task_names))


def test_an_unknown_tag() -> None:
    with pytest.raises(SafecotError, match="there is no task 'safecot_overrefuse'"):
        selection.expand_tasks("safecot_overrefuse", recorded=False)


@pytest.fixture
def quick(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> list[Item]:
    monkeypatch.setenv("SAFECOT_DATA_DIR", str(data_dir))
    catalogue.why_not_ready.cache_clear()
    return catalogue.items_of("safecot_quick")


@pytest.mark.slow
def test_the_quick_selection_is_balanced(quick: list[Item]) -> None:
    assert Counter(item.expectation for item in quick) == {Expectation.REFUSE: 250, Expectation.ANSWER: 250}
    assert len({(item.expectation, item.cluster_id) for item in quick}) == 500
    per_category = Counter((item.category, item.expectation) for item in quick)
    mossbench = [
        n
        for (name, wanted), n in per_category.items()
        if name.startswith("mossbench") and wanted is Expectation.ANSWER
    ]
    assert mossbench == [50, 50, 50]
    assert {n for (name, _), n in per_category.items() if name.startswith("figstep")} == {5}


def test_what_the_quick_selection_promises(quick: list[Item]) -> None:
    """The half-widths in its README are those of the intervals that the leaderboard shows."""
    readme = (registry.load("quick").folder / "README.md").read_text(encoding="utf-8")
    half = {}
    for refused in (125, 225):
        low, high = estimates.wilson_interval(refused / 250, 250)
        half[refused] = 100 * (high - low) / 2
    assert half[125] == pytest.approx(6.15, abs=0.05)
    assert "at most 6.2 points" in readme
    assert half[225] == pytest.approx(3.75, abs=0.05)
    assert "3.8 at 90 %" in readme
    low, high = estimates.wilson_interval(0.5, 25)
    assert 100 * (high - low) / 2 == pytest.approx(18, abs=0.5)


def test_the_quick_selection_does_not_depend_on_order_or_luck() -> None:
    module = inspect.getmodule(registry.load("quick").yield_items)
    assert module is not None
    made = [Item(str(n), "?", "abc"[n % 3], Expectation.ANSWER, cluster_id=str(n // 2)) for n in range(60)]
    chosen = module.choose(made, Expectation.ANSWER, 12, "salt")
    assert chosen == module.choose(made[::-1], Expectation.ANSWER, 12, "salt")
    assert Counter(item.category for item in chosen) == {"a": 4, "b": 4, "c": 4}
    other = module.choose(made, Expectation.ANSWER, 12, "other salt")
    assert {item.item_id for item in other} != {item.item_id for item in chosen}


def test_the_quick_selection_wants_all_its_benchmarks(invented: Path) -> None:
    (invented / "figstep" / "safebench.csv").unlink()
    with pytest.raises(SafecotError, match=r"the quick selection needs safecot_figstep\. .*safebench\.csv"):
        catalogue.items_of("safecot_quick")
