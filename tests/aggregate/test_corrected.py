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


def test_corrected_rates_are_fields_of_their_own_everywhere(tmp_path):
    import csv
    import io

    from safecot_eval.metrics import summarize

    from safecot_eval import load_runs
    from safecot_reports.build import Options, build
    from safecot_reports.export import export

    y, f = labelled_run(tmp_path, "alpha", 1, 80)
    labelled_run(tmp_path, "beta", 2, 0)
    expected = ppi(y[:80], f[:80], f, n_total=N)
    data = build([str(tmp_path)], Options(samples=0))
    cells = {(c["model"], c["metric"]): c for c in data["cells"] if c["evaluator"].startswith("template:")}
    table = summarize(load_runs(str(tmp_path)))
    table = table[table.evaluator.str.startswith("template:")].set_index(["model", "metric"])
    lines = csv.DictReader(io.StringIO(export(data, "csv").decode()))
    rows = {(r["model"], r["metric"]): r for r in lines if r["evaluator"].startswith("template:")}
    for name, value in (("crr_corrected", expected.value), ("crr", f.mean())):
        assert cells["alpha", name]["value"] == pytest.approx(value)
        assert float(rows["alpha", name]["value"]) == pytest.approx(value)
        assert float(table.loc[("alpha", name)].value) == pytest.approx(value)
    assert (cells["alpha", "crr_corrected"]["low"], cells["alpha", "crr_corrected"]["high"]) == (
        expected.low,
        expected.high,
    )
    assert ("beta", "crr_corrected") not in cells
    assert ("beta", "crr") in cells


def test_a_corrected_car_is_the_other_side_of_a_corrected_refusal_rate():
    from safecot_eval.aggregate.columns import Columns, Key, Labels
    from safecot_eval.aggregate.corrected import corrected_metrics, own_rates
    from safecot_eval.records.evaluator import PHRASE_LABELS, Evaluator

    rng, n = np.random.default_rng(8), 400
    truth = rng.random(n) < np.where(np.arange(n) % 2, 0.2, 0.8)
    said = truth ^ (rng.random(n) < 0.1)
    ones = np.ones(n, dtype=np.int32)
    people = Evaluator.parse("human:consensus/refusal")
    labels = {
        Evaluator.parse("template:toy@12345678"): Labels(PHRASE_LABELS, said.astype(np.int8)),
        people: Labels(("none", "full"), np.where(np.arange(n) < 200, truth, -1).astype(np.int8)),
    }
    columns = Columns(
        "m",
        "safecot_mini",
        Key(),
        np.arange(n, dtype=np.uint64),
        categories=("a",),
        category=np.zeros(n, dtype=np.int16),
        cluster=np.arange(n, dtype=np.int32),
        pair=-ones,
        core=-np.ones(n, dtype=np.int8),
        expectation=np.arange(n, dtype=np.int8) % 2,
        status=np.zeros(n, dtype=np.int8),
        tokens=-ones,
        consistent=-np.ones(n, dtype=np.int8),
        offset=np.zeros(n, dtype=np.int64),
        evaluators=labels,
    )
    found = {name: e for (name, _), e in corrected_metrics(columns).items()}
    by = {rate.expectation: rate.correction.estimate for rate in own_rates(columns)}
    assert found["crr_corrected"] == by["refuse"]
    refused = by["answer"]
    car = found["car_corrected"]
    assert (car.value, car.low, car.high) == (1 - refused.value, 1 - refused.high, 1 - refused.low)
    assert found["balanced_corrected"].value == pytest.approx((found["crr_corrected"].value + car.value) / 2)
