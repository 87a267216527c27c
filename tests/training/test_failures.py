"""Failures that the harness found: which answers of a run become pairs, by whose verdict, and that no test item gets in."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from safecot_eval.cli.train import command
from safecot_eval.records.samples import Expectation
from safecot_eval.util.errors import SafecotError
from safecot_training.cot.targets import Variant
from safecot_training.cot.variants import write_variant
from safecot_training.data import dataset, drawing
from safecot_training.data.examples import Example
from safecot_training.preference.failures import read_failures
from safecot_training.sft.card import CheckpointCard
from tests.conftest import make_doc, write_run
from tests.training.conftest import draw

BENCHMARK, TASK = "mmsafetybench", "safecot_mmsafetybench_sd"
REFUSAL = "I'm sorry, but I cannot help with that."


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 examples of a benchmark's questions, every fourth to answer; the rest of 32 is held out."""
    root = tmp_path_factory.mktemp("failures")
    examples = []
    for number in range(32):
        draw(root / f"{number}.png", number)
        to_answer = number % 4 == 3
        examples.append(
            Example(
                example_id=f"{BENCHMARK}:sd:{number}",
                query=f"What would you do with thing number {number} of the shelf?",
                category="06-Fraud",
                expectation=Expectation.ANSWER if to_answer else Expectation.REFUSE,
                answer=f"Put thing {number} away." if to_answer else "",
                images=(root / f"{number}.png",),
                source=BENCHMARK,
                cluster_id=f"{BENCHMARK}/{number}",
                task_name=TASK,
                item_id=str(number),
            )
        )
    dataset.build(examples, [], root / "data", drawing.Plan(ratio=(1, 0), holdout=0.25))
    write_variant(root / "data", Variant.V1)
    return root / "data"


def rows_of(data: Path) -> list[dict]:
    return [json.loads(line) for line in (data / "v1.jsonl").read_text().splitlines()]


def document(number: int, **changes) -> dict:
    return make_doc(
        **{
            "sample_id": f"{number:016x}",
            "item_id": str(number),
            "benchmark": BENCHMARK,
            "variant": "sd",
            "cluster_id": str(number),
            "expectation": "answer" if number % 4 == 3 else "refuse",
            "prompt": f"What would you do with thing number {number} of the shelf?",
            **changes,
        }
    )


def run_of(folder: Path, says, **changes) -> Path:
    """A run over all 32 items; ``says`` is what the checkpoint says to one."""
    write_run(
        folder,
        [(document(number, **changes), says(number)) for number in range(32)],
        task=TASK,
        max_new_tokens=512,
    )
    return folder


def test_answers_to_training_questions_are_used_and_no_others(data: Path, tmp_path: Path) -> None:
    trained = {row["id"] for row in rows_of(data)}
    run = run_of(tmp_path / "run", lambda number: REFUSAL)
    found = read_failures(run, data, rows_of(data))
    assert set(found.own) == trained
    assert found.left_out == {"held out": 32 - len(trained)}
    assert {name: answer.met for name, answer in found.own.items()} == {
        name: int(name.rpartition(":")[2]) % 4 != 3 for name in trained
    }


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"prompt": "And now?"}, "asked in other words"),
        ({"variant": "typo"}, "no training example"),
        ({"benchmark": "figstep"}, "no training example"),
    ],
)
def test_what_is_no_training_question_is_told(changes: dict, reason: str, data: Path, tmp_path: Path) -> None:
    with pytest.raises(SafecotError, match=rf"no answer to a question .*\d+ {reason}"):
        read_failures(run_of(tmp_path / "run", lambda _: REFUSAL, **changes), data, rows_of(data))


def test_runs_of_two_models_are_not_mixed(data: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_run(tmp_path / "runs" / name, [(document(0), REFUSAL)], task=TASK, model=name)
    with pytest.raises(
        SafecotError, match=r"runs: holds runs of 2 models \(one, two\); give the folder of the one"
    ):
        read_failures(tmp_path / "runs", data, rows_of(data))


@pytest.mark.slow
@pytest.mark.xdist_group("training")
def test_runs_of_other_weights_are_refused(data: Path, bases, tmp_path: Path) -> None:
    """A copy, and the adapter beside its merged form, are the same checkpoint; an endpoint's model cannot be told."""
    run = run_of(tmp_path / "run", lambda _: REFUSAL)
    results = next(run.glob("*_results.json"))

    def asked(arguments: str, base: Path) -> int:
        content = json.loads(results.read_text())
        content["config"] = {"model": "safecot_hf", "model_args": arguments}
        results.write_text(json.dumps(content))
        return len(read_failures(run, data, rows_of(data), base=str(base)).own)

    shutil.copytree(bases["llava"], tmp_path / "copy")
    assert asked(f"pretrained={tmp_path / 'copy'}", bases["llava"])
    with pytest.raises(
        SafecotError, match=r"answers of .*copy, and base_model is .*qwen2_5_vl; evaluate the checkpoint"
    ):
        asked(f"pretrained={tmp_path / 'copy'}", bases["qwen2_5_vl"])
    assert asked("model=served,base_url=http://127.0.0.1:1", bases["llava"])
    for form, seed in (("adapter", 0), ("merged", 0), ("other", 1)):
        card = CheckpointCard(
            variant="v1", samples=2, train_loss=1.0, loss_history=[], recipe={}, recipe_hash=str(seed), data_manifest_hash="0",
            seed=seed, base_model="x", in_distribution_categories=[], in_distribution_benchmarks=[],
        )  # fmt: skip
        card.write(tmp_path / form)
    assert asked(f"pretrained=x,peft={tmp_path / 'adapter'}", tmp_path / "merged")
    with pytest.raises(SafecotError, match="answers of .*adapter, and base_model is .*other"):
        asked(f"pretrained=x,peft={tmp_path / 'adapter'}", tmp_path / "other")


def test_a_benchmark_that_must_not_be_trained_on_is_refused(data: Path, tmp_path: Path) -> None:
    run = run_of(tmp_path / "run", lambda _: REFUSAL, benchmark="mossbench")
    with pytest.raises(SafecotError, match="MOSSBench must not be trained on"):
        read_failures(run, data, rows_of(data))


def test_a_judge_decides_where_it_is_named(data: Path, tmp_path: Path) -> None:
    run = run_of(tmp_path / "run", lambda _: "Certainly not.")  # no phrase of the list
    (run / "verdicts").mkdir()
    hashes = {"rubric_hash": "0a1b2c3d", "judge": "j", "task": TASK}
    verdicts = [
        {"sample_id": f"{number:016x}", "rubric": rubric, "label": label, **hashes}
        for number in range(32)
        for rubric, label in (("refusal", "unsure" if number == 0 else "full"), ("harm", "safe"))
    ]
    text = "".join(json.dumps(verdict) + "\n" for verdict in verdicts)
    (run / "verdicts/j.jsonl").write_text(text)
    rows = rows_of(data)
    to_answer = {row["id"] for row in rows if row["expectation"] == "answer"}
    by_phrases = read_failures(run, data, rows).own
    assert {name for name, answer in by_phrases.items() if answer.met} == to_answer
    judged = read_failures(run, data, rows, "j/refusal").own
    assert {name for name, answer in judged.items() if answer.met is False} == to_answer
    first = judged.get(f"{BENCHMARK}:sd:0")
    assert first is None or first.met is None
    by_harm = read_failures(run, data, rows, "j/harm@0a1b2c3d").own
    assert {name for name, answer in by_harm.items() if answer.met is None} == to_answer
    with pytest.raises(SafecotError, match=r"no verdicts by k/refusal; there are j/harm@0a1b2c3d, j/refusal"):
        read_failures(run, data, rows, "k/refusal")
    with pytest.raises(SafecotError, match="says neither"):
        read_failures(run, data, rows, "j/effective")


@pytest.mark.slow
@pytest.mark.xdist_group("training")
def test_the_command_tunes_on_failures(data: Path, bases, make_recipe, tmp_path: Path) -> None:
    import yaml

    run_of(tmp_path / "run", lambda number: "Take it and go." if number % 2 else REFUSAL)
    values = make_recipe("qwen2_5_vl", data=str(data), max_steps=1, gradient_accumulation=1).as_dict()
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(values))
    arguments = ["dpo", "--recipe", str(tmp_path / "recipe.yaml"), "--failures", str(tmp_path / "run")]
    done = CliRunner().invoke(command, [*arguments, "--out", str(tmp_path / "out")], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert "held out." in done.stderr
    card = json.loads((tmp_path / "out/merged/safecot_checkpoint.json").read_text())
    kept = [row for row in rows_of(data) if int(row["id"].rpartition(":")[2]) % 4 == 1]
    assert card["samples"] == len(kept)  # it answered what was to be refused
    assert card["recipe"]["failures"] == str(tmp_path / "run")
