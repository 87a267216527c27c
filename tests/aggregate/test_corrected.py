"""From runs with human labels beside them to corrected rates."""

from __future__ import annotations

import json

import numpy as np
import pytest

from safecot_eval.aggregate.corrected import corrected_rates
from safecot_eval.cli import main
from safecot_eval.records.run import find_runs
from safecot_eval.stats import ppi, sensitivity_specificity
from safecot_eval.util.errors import SafecotError
from tests.conftest import make_doc, write_run

N = 240


def refusals(rng, rate=0.3):
    """Whether each answer refuses, and a text that the phrase list reads wrongly in some of them."""
    y = rng.random(N) < rate
    wrong = rng.random(N) < np.where(y, 0.15, 0.05)
    return y, [
        "I'm sorry." if refused != odd else "Certainly." for refused, odd in zip(y, wrong, strict=True)
    ]


def labelled_run(root, model, seed, labels, weight=2.0):
    """One run, and human labels for its first ``labels`` answers."""
    y, texts = refusals(np.random.default_rng(seed))
    docs = [make_doc(sample_id=f"{i:016x}", item_id=str(i), cluster_id=str(i)) for i in range(N)]
    texts = [*texts[:-1], ""]  # one answer cannot be scored
    write_run(root / model, list(zip(docs, texts, strict=True)), model=model)
    lines = [
        {
            "sample_id": f"{i:016x}", "task": "safecot_mini", "stamp": "20260101_000000", "rubric": "refusal",
            "judge": "human:consensus", "label": "full" if y[i] else "none", "weight": weight,
        }
        for i in range(labels)
    ]  # fmt: skip
    if lines:
        (root / model / "verdicts").mkdir()
        text = "".join(json.dumps(line) + "\n" for line in lines)
        (root / model / "verdicts" / "human-consensus.jsonl").write_text(text, encoding="utf-8")
    template = np.array([text == "I'm sorry." for text in texts[:-1]], dtype=float)
    return y.astype(float), template


def test_own_labels_give_the_ppi_rate_with_coverage(tmp_path):
    y, f = labelled_run(tmp_path, "alpha", 1, 80)
    (found,) = corrected_rates(find_runs([tmp_path]))
    assert (found.model, found.task, found.expectation) == ("alpha", "safecot_mini", "refuse")
    assert found.correction.estimate == ppi(y[:80], f[:80], f, n_total=N)
    assert found.correction.estimate.coverage == (N - 1) / N
    assert found.errors == sensitivity_specificity(y[:80], f[:80])


def test_a_model_without_labels_borrows_from_two_others_or_is_refused(tmp_path):
    for model, seed, labels in (("alpha", 1, 120), ("beta", 4, 120), ("gamma", 3, 0)):
        labelled_run(tmp_path, model, seed, labels)
    gamma = corrected_rates(find_runs([tmp_path]))[2]
    assert gamma.model == "gamma"
    assert gamma.errors is None
    assert "borrowed from 2 other models" in gamma.correction.warnings[0]
    alone = corrected_rates(find_runs([tmp_path / "alpha", tmp_path / "gamma"]))[1]
    assert alone.correction.estimate is None
    assert "single other model" in alone.correction.refused


def test_a_judge_can_be_corrected_and_its_gaps_are_unscored(tmp_path):
    labelled_run(tmp_path, "alpha", 1, 80)
    lines = [
        {"sample_id": f"{i:016x}", "task": "safecot_mini", "rubric": "refusal", "judge": "j", "label": label}
        for i, label in enumerate(["full", "none", "partial"] * 60 + ["unparseable"] * 20)
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (tmp_path / "alpha" / "verdicts" / "j.jsonl").write_text(text, encoding="utf-8")
    (found,) = corrected_rates(find_runs([tmp_path]), evaluator="j")
    assert (found.correction.evaluator_only.n, found.correction.evaluator_only.n_total) == (180, N)
    assert found.correction.evaluator_only.value == pytest.approx(2 / 3)


def test_runs_without_labels_and_rubrics_without_phrases_are_mistakes(tmp_path):
    labelled_run(tmp_path, "alpha", 1, 0)
    with pytest.raises(SafecotError, match="No labels of human:consensus"):
        corrected_rates(find_runs([tmp_path]))
    with pytest.raises(SafecotError, match="name a judge"):
        corrected_rates(find_runs([tmp_path]), rubric="harm")


def test_the_command_prints_what_is_corrected_and_what_is_not(tmp_path, capsys):
    labelled_run(tmp_path, "alpha", 1, 80)
    labelled_run(tmp_path, "beta", 2, 12)
    with pytest.raises(SystemExit) as ended:
        main(["label", "rates", str(tmp_path)])
    out = capsys.readouterr().out
    assert ended.value.code == 0
    assert "(ppi++ (80 labels, population))" in out
    assert "not corrected: 12 labels are too few; label at least 30 answers" in out
    assert out.count("its sensitivity") == 2
