"""In-run judging in this process: all at once, trouble becomes a label, nothing without a judge."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from safecot_eval.benchmarks.documents import documents
from safecot_eval.generate import task
from safecot_eval.judge import in_run
from safecot_eval.records.check import record_problem
from safecot_eval.records.repeats import records_of
from safecot_eval.scoring import refusal
from safecot_eval.scoring.record import make_record
from safecot_eval.scoring.sample_metrics import sample_metrics
from safecot_eval.util.errors import SafecotError
from tests.conftest import make_doc
from tests.judge.emulated import EmulatedServer


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SAFECOT_CACHE_DIR", str(tmp_path / "cache"))
    for name in ("_judged", "_said", "_broken"):
        monkeypatch.setattr(in_run, name, type(getattr(in_run, name))())


def records(count: int, **changes: Any) -> list[dict[str, Any]]:
    docs = [
        make_doc(
            sample_id=f"{n:016x}", item_id=str(n), prompt=f"Q{n}?", rubrics=["refusal", "harm"], **changes
        )
        for n in range(count)
    ]
    return [
        make_record(doc, f"Answer {n}.", refusal_list=refusal.load_list("gcg25"))
        for n, doc in enumerate(docs)
    ]


def test_without_a_judge_nothing_is_added() -> None:
    in_run.prefetch([])
    assert in_run.describe() is None
    in_run.check()
    assert in_run.verdicts(records(1)[0]) == []
    assert any("no *_judge metrics" in sentence for sentence in in_run._said)


def test_all_samples_are_judged_together(monkeypatch: pytest.MonkeyPatch) -> None:
    with EmulatedServer(latency_s=0.2) as server:
        monkeypatch.setenv("SAFECOT_JUDGE_URL", server.url)
        in_run.check()
        found = records(60)
        in_run.prefetch(found)
        assert server.judged == 120
        assert server.most_at_once > 50
        for record in found:
            record["verdicts"] = in_run.verdicts(record)
        assert server.judged == 120
    assert all({v["rubric"] for v in r["verdicts"]} == {"refusal", "harm"} for r in found)
    assert {v["judge"] for r in found for v in r["verdicts"]} == {"emulated-judge"}
    metrics = sample_metrics(found[0])
    assert {"judge_coverage"} <= metrics.keys()
    assert any(
        name.endswith("_judge") and name.startswith(("crr", "asr"))
        for r in found
        for name in sample_metrics(r)
    )


def test_trouble_loses_no_generation(monkeypatch: pytest.MonkeyPatch) -> None:
    """The judge dies in the middle: the verdicts it gave stay, the others are missing and say why."""
    with EmulatedServer(lambda message, before: "refuse" if "Q3?" in message else None) as server:
        monkeypatch.setenv("SAFECOT_JUDGE_URL", server.url)
        found = records(10)
        in_run.prefetch(found)
        labels = {v["label"] for v in in_run.verdicts(found[3])}
        assert labels == {"judge_refused"}
    later = records(3, benchmark_version="2.0", category="other")
    for record in later:
        record["sample_id"] = "f" + record["sample_id"][1:]
        record["raw"] = record["answer"] = "Something else."
    in_run.prefetch(later)
    for record in later:
        record["verdicts"] = in_run.verdicts(record)
        assert {v["label"] for v in record["verdicts"]} == {"missing"}
        assert all("does not answer" in v["failure"] for v in record["verdicts"])
        metrics = sample_metrics(record)
        assert metrics["judge_coverage"]["score"] == 0.0
        assert not {"asr_judge", "crr_judge", "car_judge"} & metrics.keys()


def test_a_judge_that_does_not_answer_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAFECOT_JUDGE_URL", "http://127.0.0.1:9/v1")
    with pytest.raises(SafecotError, match="does not answer"):
        in_run.check()
    assert "unusable" in str(in_run.describe())
    monkeypatch.setenv("SAFECOT_JUDGE_URL", "ftp://nowhere")
    with pytest.raises(SafecotError, match="SAFECOT_JUDGE_URL"):
        in_run.check()


def test_leaving_the_machine_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAFECOT_JUDGE_URL", "http://judge.example:8000/v1")
    monkeypatch.setenv("SAFECOT_JUDGE_MODEL", "org/m")
    monkeypatch.setenv("SAFECOT_JUDGE_KEY", "k-123")
    described = str(in_run.describe())
    assert "sent to that host" in described
    assert "k-123" not in described
    monkeypatch.setenv("SAFECOT_JUDGE_URL", "http://user:pw@judge.example/v1")
    with pytest.raises(SafecotError, match="without a user name"):
        in_run.check()


def test_every_answer_of_repeats_is_judged_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """What lmms-eval hands over after its filter, which keeps the first answer, and what scoring makes of it."""
    docs = list({row["prompt"]: row for row in documents("safecot_mini_tiny")}.values())[:2]
    instances = [
        SimpleNamespace(resps=["Yes.", "No.", "Yes."], filtered_resps={"none": "Yes."}, doc_id=n)
        for n in range(2)
    ]
    config = SimpleNamespace(process_results=task.process_results)
    with EmulatedServer() as server:
        monkeypatch.setenv("SAFECOT_JUDGE_URL", server.url)
        task.score_together(SimpleNamespace(config=config, instances=instances, eval_docs=docs))
        asked = server.judged
        assert asked == 8, "two items, two different answers, two rubrics"
        scored = [
            task.process_results(doc, one.filtered_resps["none"])
            for doc, one in zip(docs, instances, strict=True)
        ]
        assert server.judged == asked
    for line in scored:
        found = list(records_of(line))
        assert [record["answer"] for record in found] == ["Yes.", "No.", "Yes."]
        assert all({v["rubric"] for v in record["verdicts"]} == {"refusal", "harm"} for record in found)
        assert record_problem(line) is None
        assert len(line["judge_coverage"]["scores"]) == 3
