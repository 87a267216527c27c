"""Expanding tasks and saying what a run will do."""

from __future__ import annotations

from pathlib import Path

import pytest

from safecot_eval.benchmarks import selection
from safecot_eval.generate import plan
from safecot_eval.util.errors import SafecotError

pytestmark = pytest.mark.usefixtures("toy_tasks")


def test_wildcard_leaves_out_what_cannot_run() -> None:
    task_names, others, left_out = selection.expand_tasks("safecot_*", recorded=False)
    assert task_names == {"safecot_toy": 3}
    assert others == ()
    assert "toy shop" in left_out["safecot_toy_gone"]
    assert "safecot_replay" in left_out["safecot_toy_urls"]
    planned = plan.Plan(
        "m", {}, task_names, (), {"safecot_b": "no data.", "safecot_c": "no data."}, Path("runs")
    )
    assert "left out  safecot_b and 1 more: no data.\n" in planned.describe()


def test_recorded_answers_need_no_images() -> None:
    task_names, _, _ = selection.expand_tasks("safecot_toy_urls", recorded=True)
    assert task_names == {"safecot_toy_urls": 3}
    with pytest.raises(SafecotError, match="images are not on disk"):
        selection.expand_tasks("safecot_toy_urls", recorded=False)


def test_the_group_is_all_tasks_and_others_pass() -> None:
    task_names, others, _ = selection.expand_tasks("safecot,mme", recorded=True)
    assert list(task_names) == ["safecot_toy", "safecot_toy_urls"]
    assert others == ("mme",)


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ("safecot_toyy", "did you mean safecot_toy"),
        ("safecot_qqqq", "`safecot data list` shows all"),
        ("safecot_nothing_like_it_at_all", "safecot data list"),
        ("safecot_toy_gone", "toy shop"),
        ("safecot_*_gone", "nothing of it can run here"),
    ],
)
def test_what_cannot_be_asked(asked: str, says: str) -> None:
    with pytest.raises(SafecotError, match=says):
        selection.expand_tasks(asked, recorded=False)


def test_plan_masks_secrets() -> None:
    planned = plan.Plan("openai", {"model": "m", "api_key": "sk-1"}, {"safecot_toy": 3}, (), {}, Path("runs"))
    text = planned.describe()
    assert "sk-1" not in text
    assert "api_key=***" in text
    assert planned.task_argument == "safecot_toy"


@pytest.mark.parametrize("text", ["pretrained", "a=1,b"])
def test_model_args_must_be_pairs(text: str) -> None:
    with pytest.raises(SafecotError, match="not key=value"):
        plan.parse_model_args(text)
