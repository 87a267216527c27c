"""Interruption, damage, and several processes: the numbers are those of the undisturbed run of one process."""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from safetensors.torch import load_file

from safecot_training.sft.card import read_card
from safecot_training.sft.checkpoints import INTEGRITY, newest_whole
from tests.processes import Started, python_m, start_ranks

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("training")]
STEPS = 40


def written(recipe, path: Path) -> Path:
    path.write_text(yaml.safe_dump(recipe.as_dict()))
    return path


def largest_difference(a: Path, b: Path) -> float:
    first, second = (load_file(folder / "merged/model.safetensors") for folder in (a, b))
    assert first.keys() == second.keys()
    return max(float((first[name] - second[name]).abs().max()) for name in first)


@pytest.mark.parametrize("method", ["full", "lora"])
def test_kill_9_at_a_random_step_changes_nothing(method: str, make_recipe, tmp_path: Path, train) -> None:
    recipe = make_recipe(method=method, max_steps=STEPS, save_steps=4, logging_steps=2)
    undisturbed = train(recipe, tmp_path / "undisturbed")
    step = random.SystemRandom().randint(6, STEPS - 4)
    given = ("--recipe", str(written(recipe, tmp_path / "recipe.yaml")), "--out", str(tmp_path / "killed"))
    started = Started("safecot_eval", "train", "sft", *given, cwd=tmp_path)
    while started.process.is_alive():
        if any(int(number) >= step for number in re.findall(r"(?m)^step (\d+)/", started.said)):
            started.process.kill()
            break
        time.sleep(0.005)
    ended = started.wait(60)
    assert ended.returncode == -signal.SIGKILL, ended.stderr[-2000:]
    assert not (tmp_path / "killed/merged").exists()
    resumed = train(recipe, tmp_path / "killed")
    assert resumed.resumed_from
    assert abs(resumed.card.train_loss - undisturbed.card.train_loss) < 1e-3, f"killed at step {step}"
    assert len(resumed.card.loss_history) == len(undisturbed.card.loss_history) == STEPS // 2
    for (_, a), (_, b) in zip(undisturbed.card.loss_history, resumed.card.loss_history, strict=True):
        assert abs(a - b) < 1e-3
    assert largest_difference(tmp_path / "undisturbed", tmp_path / "killed") < 1e-3


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("optimizer.pt", "checkpoint-6: optimizer.pt is damaged"),
        ("model.safetensors", "checkpoint-6: model.safetensors is missing"),
        (INTEGRITY, "checkpoint-6 was not finished"),
    ],
)
def test_a_damaged_checkpoint_is_named_and_the_one_before_is_used(
    file: str, words: str, make_recipe, tmp_path: Path, train
) -> None:
    recipe = make_recipe(max_steps=6)
    first = train(recipe, tmp_path / "out")
    path = tmp_path / "out/trainer/checkpoint-6" / file
    if file == "optimizer.pt":
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1  # one bit
        path.write_bytes(content)
    else:
        path.unlink()
    shutil.rmtree(tmp_path / "out/merged")  # a finished run would be left as it is
    second = train(recipe, tmp_path / "out")
    assert second.damaged == (words,)
    assert second.resumed_from == "checkpoint-4"
    assert abs(second.card.train_loss - first.card.train_loss) < 1e-3
    assert newest_whole(tmp_path / "out/trainer").path == tmp_path / "out/trainer/checkpoint-6"


def test_the_command_tells_of_damage(make_recipe, tmp_path: Path, train) -> None:
    from click.testing import CliRunner

    from safecot_eval.cli.train import command

    recipe = make_recipe(max_steps=4)
    train(recipe, tmp_path / "out")
    (tmp_path / "out/trainer/checkpoint-4/scheduler.pt").write_bytes(b"x")
    shutil.rmtree(tmp_path / "out/merged")
    arguments = ["sft", "--recipe", str(written(recipe, tmp_path / "r.yaml")), "--out", str(tmp_path / "out")]
    done = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert done.exit_code == 0
    assert "Checkpoint not used: checkpoint-4: scheduler.pt is damaged." in done.output
    assert "Resumed from checkpoint-2." in done.output


def test_two_processes_train_as_one(make_recipe, tmp_path: Path, train) -> None:
    """Data parallel over gloo: same steps, losses, weights and probed rates, and the world size is asserted."""
    given = {"max_steps": 8, "save_steps": 8, "validation_samples": 16, "probe_samples": 6, "probe_tokens": 8}
    one = train(make_recipe(gradient_accumulation=2, **given), tmp_path / "one")
    recipe = written(make_recipe(gradient_accumulation=1, **given), tmp_path / "recipe.yaml")
    command = ("safecot_eval", "train", "sft", "--recipe", str(recipe), "--out", str(tmp_path / "two"))
    two_ranks = start_ranks(*command, "--world-size", "2", cwd=tmp_path)
    ended = [process.wait() for process in two_ranks]
    assert [one.returncode for one in ended] == [0, 0], ended[0].stderr[-3000:]
    assert "2 processes" in ended[0].stdout
    two = read_card(tmp_path / "two/merged")
    for (_, a), (_, b) in zip(one.card.loss_history, two.loss_history, strict=True):
        assert abs(a - b) < 1e-3
    assert largest_difference(tmp_path / "one", tmp_path / "two") < 1e-3
    assert two.assistant_tokens == one.card.assistant_tokens
    assert two.probe_history == one.card.probe_history
    assert [point[0] for point in two.probe_history["template"]] == [8]


def test_one_process_in_the_place_of_two_is_caught(make_recipe, tmp_path: Path) -> None:
    recipe = written(make_recipe(), tmp_path / "recipe.yaml")
    given = ("--recipe", str(recipe), "--out", str(tmp_path / "two"), "--world-size", "2")
    assert_caught(python_m("safecot_eval", "train", "sft", *given, cwd=tmp_path), tmp_path / "two")


@pytest.mark.full
def test_a_launcher_that_starts_one_process_is_caught(make_recipe, tmp_path: Path) -> None:
    """``accelerate launch --cpu --num_processes 2`` starts one process without a word."""
    recipe = written(make_recipe(), tmp_path / "recipe.yaml")
    command = ["-m", "safecot_eval", "train", "sft", "--recipe", str(recipe), "--out", str(tmp_path / "two")]
    launcher = ["-m", "accelerate.commands.accelerate_cli", "launch", "--cpu", "--num_processes", "2"]
    done = subprocess.run(
        [sys.executable, *launcher, *command, "--world-size", "2"],
        capture_output=True,
        text=True,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
        timeout=300,
        check=False,
    )
    assert_caught(done, tmp_path / "two")


def assert_caught(done: subprocess.CompletedProcess[str], out: Path) -> None:
    assert done.returncode != 0
    assert "--world-size 2 was given but 1 process(es) run" in done.stderr
    assert "torchrun" in done.stderr
    assert not (out / "merged").exists()
