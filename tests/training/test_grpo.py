"""GRPO by TRL's trainer: rewards are earned, failures are left out, runs resume, and what cannot be trained is one sentence."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from safecot_eval.util.errors import SafecotError
from safecot_training.sft.card import reward_summary

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("training")]


@pytest.fixture
def make_group_recipe(make_recipe):
    def make(architecture: str = "qwen2_5_vl", **changes):
        values = {
            "objective": "grpo",
            "max_steps": 2,
            "batch_size": 8,
            "gradient_accumulation": 1,
            "generations": 4,
            "max_completion_tokens": 12,
            "rewards": {"expectation": 1, "format": 0, "acceptance": 0.5},
        }
        return make_recipe(architecture, **{**values, **changes})

    return make


def test_an_answer_without_a_reward_that_its_question_has_is_left_out() -> None:
    from safecot_training.preference.grpo import incomplete

    nan = torch.nan
    rewards = torch.tensor([[1.0, nan], [nan, nan], [0.0, nan], [1.0, 0.0], [0.0, nan], [0.5, 0.5]])
    to_answer = torch.tensor([False, False, False, True, True, True])
    found = incomplete(rewards, to_answer, torch.tensor([False, True]))
    assert found.tolist() == [False, True, False, False, True, False]
    unread = torch.full((3, 2), nan)
    unread[:, 1] = 0.5  # a judge that told of nobody whether he refuses, and a reward that every question has
    assert incomplete(unread, to_answer[:3], torch.tensor([False, False])).all()


@pytest.mark.parametrize(
    "architecture", [pytest.param("llava", marks=pytest.mark.full), "qwen2_5_vl", "idefics3"]
)
def test_rows_with_and_without_pictures(
    architecture: str, make_group_recipe, data_folder: Path, tmp_path: Path, train, monkeypatch
) -> None:
    from safecot_training.sft import prepared as module

    load = module.load_rows

    def some_without(recipe):
        rows, manifest = load(recipe)
        for row in rows[::2]:
            row["images"] = []
        return rows, manifest

    monkeypatch.setattr(module, "load_rows", some_without)
    result = train(make_group_recipe(architecture, max_samples=8), tmp_path / "out")
    assert len(result.card.rewards["history"]) == 2
    assert 0 <= result.card.rewards["last"]["expectation"] <= 1
    readme = (tmp_path / "out/merged/README.md").read_text()
    assert "Tuned by rewards (GRPO)" in readme
    assert "last mean rewards (1 is all) | expectation" in readme


@pytest.mark.parametrize(
    ("method", "beta"), [pytest.param("lora", 0.0, marks=pytest.mark.full), ("full", 0.02)]
)
def test_a_reward_is_earned_and_a_resumed_run_is_the_same_run(
    method: str, beta: float, make_group_recipe, tmp_path: Path, train, monkeypatch
) -> None:
    """A reward that random weights can earn at once: odd numbers among its tokens."""
    from safetensors.torch import load_file

    from safecot_training.preference import grpo

    def odd(self, name: str):
        def reward(completions, completion_ids, **_):
            return [sum(token % 2 for token in ids) / len(ids) for ids in completion_ids]

        reward.__name__ = name
        return reward

    monkeypatch.setattr(grpo.RewardFunctions, "_function", odd)
    recipe = make_group_recipe(
        method=method, beta=beta, max_steps=16, save_steps=4, max_samples=6, batch_size=16, learning_rate=1e-2,
        wordings="once",
    )  # fmt: skip
    result = train(recipe, tmp_path / "straight")
    rewards = [value for _, value in result.card.rewards["history"]]
    assert sum(rewards[-4:]) / 4 > sum(rewards[:4]) / 4 + 0.05
    assert train(recipe, tmp_path / "straight").was_finished
    shutil.copytree(tmp_path / "straight/trainer", tmp_path / "stopped/trainer")
    shutil.rmtree(tmp_path / "stopped/trainer/checkpoint-16")
    resumed = train(recipe, tmp_path / "stopped")
    assert resumed.resumed_from == "checkpoint-12"
    assert resumed.card.rewards == result.card.rewards
    a, b = (load_file(tmp_path / name / "merged/model.safetensors") for name in ("straight", "stopped"))
    assert all(torch.equal(a[name], b[name]) for name in a)


def test_answers_that_nobody_can_read_are_counted_and_teach_nothing(
    make_group_recipe, bases, tmp_path: Path, train, monkeypatch
) -> None:
    from safetensors.torch import load_file

    from safecot_training.preference import rewards

    monkeypatch.setitem(rewards.REWARDS, "expectation", lambda answer: None)
    recipe = make_group_recipe(rewards={"expectation": 1, "format": 0, "acceptance": 0}, max_samples=4)
    result = train(recipe, tmp_path / "out")
    assert result.card.rewards["left_out"] == 1.0
    assert result.card.rewards["history"] == []
    before = load_file(bases["qwen2_5_vl"] / "model.safetensors")
    after = load_file(tmp_path / "out/merged/model.safetensors")
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_the_summary_of_a_log() -> None:
    log = [
        {"step": 1, "left_out": 0.5, "reward": None, "rewards/format/mean": None},
        {"step": 2, "left_out": 0.0, "reward": 0.25, "rewards/format/mean": 0.5},
        {"step": 2, "train_runtime": 1.0},
    ]
    assert reward_summary(log) == {"history": [[2, 0.25]], "last": {"format": 0.5}, "left_out": 0.25}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"batch_size": 6}, "should be a multiple of 'generations'"),
        ({"rewards": {"expectation": 0, "format": 0, "acceptance": 0}}, "should be above 0"),
        ({"rewards": {"kindness": 1}}, "unknown key 'kindness'"),
        ({"rewards": {"by": "taste"}}, "rewards.by"),
        ({"validation_samples": 4}, "GRPO has no loss to compare"),
        ({"rejected": "x.jsonl"}, "samples its own answers"),
        ({"objective": "kto", "rejected": "x.jsonl", "failures": "runs"}, "leave one out"),
        ({"generations": 1}, "generations"),
        ({"max_completion_tokens": 4096}, "leave room for a prompt"),
        ({"objective": "dpo", "beta": 0}, "'beta' should be above 0"),
    ],
)
def test_recipes_that_are_refused(changes: dict, words: str, make_group_recipe) -> None:
    with pytest.raises(SafecotError, match=words):
        make_group_recipe(**changes)


def test_too_few_questions_and_too_long_ones(make_group_recipe, tmp_path: Path, train) -> None:
    with pytest.raises(SafecotError, match="1 question, fewer than the 2 of one step"):
        train(make_group_recipe(max_samples=1), tmp_path / "few")
    with pytest.raises(SafecotError, match=r"tokens and max_tokens is 8"):
        train(make_group_recipe(max_tokens=20), tmp_path / "long")
