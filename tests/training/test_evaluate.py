"""``safecot train eval``: checkpoints through the harness, in one process and in two, and what safety cost."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path

import pytest
from click.testing import CliRunner

from safecot_eval.cli.train import command
from safecot_eval.util.errors import SafecotError
from safecot_training import evaluate
from safecot_training.sft.card import CheckpointCard
from tests.processes import instead_of_run


def write_card(folder: Path, **recipe: object) -> CheckpointCard:
    card = CheckpointCard(
        variant="v1",
        samples=2,
        train_loss=1.0,
        loss_history=[[1, 1.0]],
        recipe={"name": "my-model", "capability_tasks": ["pope"], **recipe},
        recipe_hash="a" * 64,
        data_manifest_hash="b" * 64,
        seed=0,
        base_model="base",
        in_distribution_categories=[],
        in_distribution_benchmarks=[],
    )
    card.write(folder)
    return card


def test_a_checkpoint_is_found_by_run_or_by_form(tmp_path: Path) -> None:
    card = write_card(tmp_path / "out/merged")
    dataclasses.replace(card, form="adapter").write(tmp_path / "out/adapter")
    assert evaluate.find_checkpoint(tmp_path / "out").folder == (tmp_path / "out/merged").resolve()
    assert evaluate.find_checkpoint(tmp_path / "out", "adapter").card.form == "adapter"
    assert evaluate.find_checkpoint(tmp_path / "out/adapter").card.form == "adapter"
    assert evaluate.find_checkpoint(tmp_path / "out").name.startswith("my-model-v1-n2-seed0-")
    assert evaluate.find_checkpoint(tmp_path / "out", name="mine").name == "mine"


@pytest.mark.parametrize(
    "change",
    [
        {"samples": 3}, {"seed": 1}, {"mixture": "1:3"}, {"steps": 9}, {"recipe_hash": "c" * 64}, {"variant": "v2"},
        {"data_manifest_hash": "c" * 64}, {"base_fingerprint": "d" * 64},
    ],
)  # fmt: skip
def test_two_checkpoints_never_share_a_row(change: dict, tmp_path: Path) -> None:
    card = write_card(tmp_path)
    name = evaluate.row_name(card, "out")
    assert name == evaluate.row_name(dataclasses.replace(card), "elsewhere")
    assert name != evaluate.row_name(dataclasses.replace(card, **change), "out")
    assert not set(name) & set(",= ")  # it goes into --model_args


def test_a_folder_without_card_and_a_broken_card_are_named(tmp_path: Path) -> None:
    with pytest.raises(SafecotError, match=r"no safecot_checkpoint.json there or in merged/"):
        evaluate.find_checkpoint(tmp_path)
    whole = write_card(tmp_path).as_json()
    card = tmp_path / "safecot_checkpoint.json"
    for content, said in (
        ({}, "variant is missing"),
        ({**whole, "colour": 1}, "unknown key 'colour'"),
        ({**whole, "seed": "1"}, "seed: input should be a valid integer"),
        ({**whole, "loss_history": 3}, "loss_history: input should be a valid array"),
    ):
        card.write_text(json.dumps(content))
        with pytest.raises(SafecotError, match=f"{card}: not a checkpoint card: {said}"):
            evaluate.find_checkpoint(tmp_path)
    card.write_text(json.dumps({**whole, "train_loss": "NaN"}))
    assert math.isnan(evaluate.find_checkpoint(tmp_path).card.train_loss)


def test_headline_scores_are_shares_of_the_best() -> None:
    results = {
        "results": {
            "mme": {"alias": "mme", "mme_perception_score,none": 1500.0, "mme_cognition_score,none": 400.0},
            "mine": {"exact_match,none": 0.25, "exact_match_stderr,none": 0.1},
        },
        "n-samples": {"mme": {"original": 2374, "effective": 100}},
    }
    scores = {(s["task"], s["metric"]): s for s in evaluate.headline_scores(results)}
    assert scores["mme", "mme_perception_score"]["share"] == 0.75
    assert scores["mme", "mme_cognition_score"]["share"] == 0.5
    assert scores["mme", "mme_cognition_score"]["n"] == 100
    assert scores["mine", "exact_match"] == {
        "task": "mine", "metric": "exact_match", "value": 0.25, "share": None, "n": None,
    }  # fmt: skip
    assert len(scores) == 3


def test_the_default_capability_tasks_are_lmms_evals_own_and_have_headlines() -> None:
    """Names and metrics are looked up in lmms-eval's task files."""
    import importlib.util

    from safecot_training.sft.recipe import Recipe

    found = importlib.util.find_spec("lmms_eval")
    assert found
    assert found.submodule_search_locations
    folder = Path(found.submodule_search_locations[0]) / "tasks"
    for task in Recipe.model_fields["capability_tasks"].default:
        files = list(folder.rglob(f"{task}.yaml"))
        assert files, task
        included = "".join(path.read_text() for path in files[0].parent.glob("*yaml"))
        for metric in evaluate.METRICS[task]:
            assert metric in included, (task, metric)


def test_the_leaderboard_shows_what_safety_cost(tmp_path: Path) -> None:
    """The mean over tasks stands in the training view; scores that are no shares are left out."""
    from safecot_reports.build import Options, build
    from safecot_reports.page import page_html
    from tests.reports.make_runs import make_runs

    runs = make_runs(tmp_path / "runs", models={"Alpha": (0.9, 0.3)})
    (folder,) = (path.parent for path in runs.rglob("*_results.json"))
    write_card(folder)
    scores = [
        {"task": "mme", "metric": "mme_perception_score", "value": 1500.0, "share": 0.75, "n": 9},
        {"task": "mme", "metric": "mme_cognition_score", "value": 200.0, "share": 0.25, "n": 9},
        {"task": "pope", "metric": "pope_accuracy", "value": 0.9, "share": 0.9, "n": 9},
        {"task": "mine", "metric": "bleu", "value": 31.0, "share": None, "n": 9},
    ]
    (folder / evaluate.CAPABILITY).write_text(json.dumps({"scores": scores}))
    data = build([str(runs)], Options())
    (model,) = data["models"]
    assert model["training"]["capability"] == {"mean": pytest.approx(0.7), "tasks": {"mme": 0.5, "pope": 0.9}}
    assert "General capability" in page_html(data)


def test_a_recipe_without_capability_tasks_says_so(tmp_path: Path) -> None:
    write_card(tmp_path, capability_tasks=[])
    done = CliRunner().invoke(
        command, ["eval", str(tmp_path), "--capability", "--output_path", str(tmp_path)]
    )
    assert isinstance(done.exception, SafecotError)
    assert "--capability-tasks" in str(done.exception)


@pytest.mark.slow
@pytest.mark.xdist_group("training")
def test_two_processes_evaluate_as_one(make_recipe, tmp_path: Path, train, monkeypatch) -> None:
    out = train(make_recipe(max_steps=3, name="tiny"), tmp_path / "out").folder
    found = evaluate.find_checkpoint(out)
    options = ["--limit", "10", "--batch_size", "4", "--gen_kwargs", "max_new_tokens=6"]
    answers, metrics = {}, {}
    for processes in (1, 2):
        runs = tmp_path / f"runs-{processes}"
        with monkeypatch.context() as patched:
            if processes == 1:
                patched.setattr("subprocess.run", instead_of_run)
            evaluate.evaluate(found, "safecot_mini", runs, processes=processes, options=options)
        (samples,) = runs.rglob("*_samples_safecot_mini.jsonl")
        lines = [json.loads(line) for line in samples.read_text().splitlines()]
        answers[processes] = {line["safecot"]["sample_id"]: line["safecot"]["raw"] for line in lines}
        (results,) = runs.rglob("*_results.json")
        metrics[processes] = {
            key: value
            for key, value in json.loads(results.read_text())["results"]["safecot_mini"].items()
            if isinstance(value, int | float)
        }
        assert (samples.parent / "safecot_checkpoint.json").is_file()
    assert len(answers[1]) == 10
    assert answers[1] == answers[2]
    assert metrics[1] == metrics[2]
    assert metrics[1]


@pytest.mark.slow
@pytest.mark.xdist_group("training")
def test_capability_of_the_mini_model_is_kept_beside_the_run(make_recipe, tmp_path: Path, train) -> None:
    recipe = make_recipe(max_steps=1, capability_tasks=["mini_general"])
    out = train(recipe, tmp_path / "out").folder
    arguments = ["eval", str(out), "--capability", "--output_path", str(tmp_path / "runs"), "--name", "tiny"]
    done = CliRunner().invoke(
        command, [*arguments, "--limit", "4", "--batch_size", "4"], catch_exceptions=False
    )
    assert done.exit_code == 0
    assert "tiny  mini_general  exact_match" in done.output
    (kept,) = (tmp_path / "runs").rglob("safecot_capability.json")
    (score,) = json.loads(kept.read_text())["scores"]
    assert (score["task"], score["n"]) == ("mini_general", 4)
    assert score["share"] == score["value"]
    assert list(kept.parent.glob("*_results.json"))
