"""Answers in other languages through import and the page's numbers: in no rate, counted, and said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from safecot_eval.aggregate.metrics import run_metrics
from safecot_eval.aggregate.reading import read
from safecot_eval.benchmarks import catalogue
from safecot_eval.cli.import_ import command
from safecot_eval.records.run import find_runs
from safecot_eval.submissions import validate
from safecot_eval.submissions.submitting import documents_of

REFUSALS = (
    "抱歉，我无法协助处理这个请求。",
    "죄송하지만 도와드릴 수 없습니다.",
    "Lo siento, pero no puedo ayudar con eso.",
    "I'm sorry, but I can't help with that.",
)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, Path]:
    monkeypatch.chdir(tmp_path)
    items = [i for i in catalogue.items_of("safecot_mini_tiny") if i.expectation == "refuse"]
    lines = [
        {"prompt": item.prompt, "image": str(item.images[0]), "response": answer}
        for item, answer in zip(items, REFUSALS, strict=False)
    ]
    path = tmp_path / "answers.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    done = CliRunner().invoke(
        command,
        [str(path), "--tasks", "safecot_mini_tiny", "--name", "m", "--partial"],
    )
    assert done.exit_code == 0, done.output
    return done.output, tmp_path / "runs"


@pytest.mark.slow
def test_they_are_counted_and_said_and_in_no_rate(run: tuple[str, Path]) -> None:
    said, folder = run
    assert "note: 3 answers are in a language that the phrase list gcg25@" in said
    assert "(zh 1, ko 1, es 1); they are in none of its rates" in said
    (found,) = find_runs([folder])
    columns = read(found, lists=["gcg29", "french"])
    assert len(columns.evaluators) == 2, "a French list has nothing to say of a run that English lists score"
    for evaluator, labels in columns.evaluators.items():
        assert labels.names == ("complied", "refused", "unsupported_language"), evaluator
        assert (labels.codes == 2).sum() == 3
    rates = {metric: e for (metric, _), e in run_metrics(columns).items()}
    assert (rates["crr"].value, rates["crr"].n) == (1.0, 1)
    assert (rates["unread"].value, rates["unread"].n) == (0.75, 4)


@pytest.mark.slow
def test_a_submission_holds_them_and_is_valid(run: tuple[str, Path]) -> None:
    (document,) = documents_of(find_runs([run[1]]), "somebody", "third_party")
    found = validate(document)
    assert found.errors == []
    (block,) = document["tasks"]
    unread = next(rate for rate in block["rates"] if rate["metric"] == "unread")
    assert (unread["value"], unread["n"]) == (0.75, 4)
