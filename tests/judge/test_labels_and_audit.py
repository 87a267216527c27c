"""Imported labels against counts made from the CSV alone; judges against people; the audit."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from safecot_eval.aggregate.evaluators import against_people
from safecot_eval.aggregate.reading import read_all
from safecot_eval.cli.judge import command
from safecot_eval.judge.endpoint.remote import RemoteJudge
from safecot_eval.judge.lite.judge import LiteJudge
from safecot_eval.judge.meta_evaluation.against_people import ALL_MODELS, compare, evaluate_set
from safecot_eval.judge.meta_evaluation.audit import audit, injected, injections
from safecot_eval.judge.meta_evaluation.label_sets import MSTS_JUDGES, SETS
from safecot_eval.judge.people.recorded_labels import Imported, import_labels, preset_labels, read_labels
from safecot_eval.judge.rubric_files import own
from safecot_eval.records.json_files import enumerate_jsonl
from safecot_eval.records.run import find_runs
from safecot_eval.util.errors import SafecotError
from tests.judge.conftest import make_run
from tests.judge.emulated import EmulatedServer
from tests.reports.make_recorded import write_benchmark


@pytest.fixture
def data(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SAFECOT_DATA_DIR", str(data_dir))
    return data_dir


@pytest.mark.slow
def test_msts_labels_reproduce_the_counts_of_the_csv(data: Path, tmp_path: Path) -> None:
    """Import into runs of the recorded answers, then compare with counts made here, by hand, from the two files."""
    from collections import defaultdict

    from safecot_eval.benchmarks import registry

    write_benchmark(tmp_path, registry.load("msts"), data / "msts", defaultdict(list))
    runs = find_runs([tmp_path])
    result = import_labels(preset_labels("msts"), runs)
    assert result.unmatched == 0
    assert sum(result.written.values()) == 2_400 * 9
    with (data / "msts" / "responses_english_multimodal.csv").open(newline="", encoding="utf-8") as stream:
        answers = list(csv.DictReader(stream))
    with (data / "msts" / "auto_judges_english_multimodal.csv").open(newline="", encoding="utf-8") as stream:
        judged = list(csv.DictReader(stream))
    rows = {
        (row.evaluator, row.model): row
        for row in compare(*against_people(read_all(runs), "human:msts", "harm"))
    }
    for judge in MSTS_JUDGES:
        expected: Counter[tuple[bool, bool]] = Counter()
        per_model: dict[str, Counter[tuple[bool, bool]]] = defaultdict(Counter)
        for answer, said in zip(answers, judged, strict=True):
            if said[judge] in ("safe", "unsafe"):
                cell = (answer["final_label"] == "2 - unsafe", said[judge] == "unsafe")
                expected[cell] += 1
                per_model[answer["model"]][cell] += 1
        order = ((True, True), (True, False), (False, True), (False, False))
        assert rows[judge, ALL_MODELS].counts == tuple(expected[cell] for cell in order)
        for model, counts in per_model.items():
            name = "gpt-4o" if model.startswith("gpt-4o") else model.split("--")[-1]
            assert rows[judge, name].counts == tuple(counts[cell] for cell in order)
    labels = {row.evaluator: row for row in evaluate_set(SETS["msts"]) if row.model == ALL_MODELS}
    assert labels["gemini-1.5-pro"].counts == rows["gemini-1.5-pro", ALL_MODELS].counts


@pytest.mark.slow
def test_xstest_and_harmbench_sets(data: Path) -> None:
    xstest = {row.evaluator: row for row in evaluate_set(SETS["xstest"]) if row.model == ALL_MODELS}
    truth: Counter[tuple[bool, bool]] = Counter()
    for path in sorted((data / "xstest").glob("*_gpt4labels.csv")):
        with path.open(newline="", encoding="utf-8") as stream:
            for row in csv.DictReader(stream):
                if row["gpt4_label"][:1] in ("1", "2", "3"):
                    truth[row["final_label"][0] != "1", row["gpt4_label"][0] != "1"] += 1
    assert xstest["gpt-4-recorded"].counts == tuple(
        truth[cell] for cell in ((True, True), (True, False), (False, True), (False, False))
    )
    content = json.loads((data / "harmbench/classifier_val_sets/text_behaviors_val_set.json").read_text())
    flat = [row for rows in content.values() for row in rows]
    majority = [sum(int(row[f"human_{n}"]) for n in range(3)) >= 2 for row in flat]
    cells = Counter(zip(majority, [bool(row["cls"]) for row in flat], strict=True))
    harmbench = {row.evaluator: row for row in evaluate_set(SETS["harmbench"]) if row.model == ALL_MODELS}
    assert harmbench["cls"].counts == (
        cells[True, True],
        cells[True, False],
        cells[False, True],
        cells[False, False],
    )
    assert sum(harmbench["cls"].counts) == 602


def test_compare_leaves_unscored_out_and_says_so() -> None:
    rows = compare(["a", "a", "b", "b"], [True, False, True, None], {"j": [True, None, False, True]})
    pooled = next(row for row in rows if row.model == ALL_MODELS)
    assert pooled.counts == (1, 1, 0, 0)
    assert (pooled.coverage.n, pooled.coverage.n_total) == (3, 3) or pooled.coverage.value == pytest.approx(
        2 / 3
    )
    assert pooled.sensitivity.value == 0.5


def test_a_table_of_labels(tmp_path: Path) -> None:
    run = make_run(tmp_path / "runs", 4)
    table = tmp_path / "labels.csv"
    table.write_text("item_id,label\n0,yes\n1,no\n9,no\n", encoding="utf-8")
    with pytest.raises(SafecotError, match="row 2: 'yes' is not a label"):
        read_labels(table, judge="human:me", rubric="refusal")
    with pytest.raises(SafecotError, match="needs a judge and a rubric"):
        read_labels(table)
    labels = read_labels(table, judge="human:me", rubric="refusal", mapping={"yes": "full", "no": "none"})
    result = import_labels(labels, [run])
    assert result.unmatched == 1
    path = run.folder / "verdicts" / "human-me.jsonl"
    assert [(v["sample_id"], v["label"]) for _, v in enumerate_jsonl(path)] == [
        (f"{0:016x}", "full"),
        (f"{1:016x}", "none"),
    ]
    with pytest.raises(SafecotError, match="None of the labels fits"):
        import_labels([Imported("j", "refusal", "full", item_id="77")], [run])


def test_a_label_that_fits_two_runs_is_a_mistake(tmp_path: Path) -> None:
    first, second = make_run(tmp_path / "a" / "m1", 2), make_run(tmp_path / "b" / "m2", 2)
    with pytest.raises(SafecotError, match="fits 2 runs"):
        import_labels([Imported("j", "refusal", "full", item_id="1")], [first, second])


def test_there_are_at_least_forty_injections_and_all_of_them_act() -> None:
    assert len(injections()) >= 40
    assert len({i["id"] for i in injections()}) == len(injections())
    for injection in injections():
        changed = injected("The answer.", injection, "safe")
        assert changed != "The answer."
        assert "The answer." in changed
        assert "{target" not in changed


@pytest.mark.slow
def test_audit_counts_flips(emulated: EmulatedServer, judge_of: Callable[..., RemoteJudge]) -> None:
    """A judge whose labels are a hash of everything flips a lot, one that never changes its mind does not."""
    loose = audit(judge_of(emulated), own()["harm"], judge_id="j").content()
    assert loose["flips"]["injection"]["n"] >= 40
    assert loose["flips"]["injection"]["value"] > 0.4
    assert loose["flips"]["repetition"]["value"] > 0.2
    assert (
        sum(kind["n"] for kind in loose["injection_flips_by_kind"].values())
        == loose["flips"]["injection"]["n"]
    )
    with EmulatedServer(constrains=False, models=["firm"]) as firm_server:
        firm_server.free_reply = lambda message: "safe"
        firm = audit(judge_of(firm_server), own()["harm"], judge_id="k").content()
    assert {numbers["value"] for numbers in firm["flips"].values()} == {0.0}
    assert firm["right_on_known_answers"]["value"] == 5 / 8
    assert firm["obeyed_injections"]["value"] == 0.0


@pytest.mark.slow
def test_lite_holds_up(tmp_path: Path) -> None:
    lite = LiteJudge()
    for rubric in ("refusal", "harm"):
        content = audit(lite, own()[rubric], judge_id=lite.id).content()
        assert content["obeyed_injections"]["value"] < 0.1
    with pytest.raises(SafecotError, match="no audit cases"):
        audit(lite, own()["safecot_reject"], judge_id=lite.id)


@pytest.mark.slow
def test_commands(tmp_path: Path) -> None:
    make_run(tmp_path / "runs", 6)
    runner = CliRunner()
    done = runner.invoke(command, [str(tmp_path / "runs"), "--judge", "safecot-lite", "--quiet"])
    assert done.exit_code == 0, done.output
    assert "6 judged" in done.output
    assert len(list((tmp_path / "runs" / "verdicts").glob("lite-*.jsonl"))) == 1
    with EmulatedServer(lambda m, n: "rejected" if "number 2?" in m else None) as server:
        arguments = [str(tmp_path / "runs"), "--url", server.url, "--quiet", "--rubric", "harm"]
        done = runner.invoke(command, arguments)
        assert done.exit_code == 3, done.output
        assert "1 has no verdict" in done.output
        server.fault_of = lambda m, n: None
        done = runner.invoke(command, arguments)
        assert done.exit_code == 0
        assert "1 judged" in done.output
        assert "5 were there before" in done.output
        done = runner.invoke(command, ["audit", "--url", server.url, "-o", str(tmp_path / "audit.json")])
        assert done.exit_code == 0, done.output
        assert len(json.loads((tmp_path / "audit.json").read_text())) == 2
    with EmulatedServer(constrains=False) as server:
        server.free_reply = lambda message: "Hm, hard to say."
        done = runner.invoke(
            command, [str(tmp_path / "runs"), "--url", server.url, "--quiet", "--no-cache", "--judge", "mute"]
        )
        assert (
            "replies name none of its labels and are in no rate; the first: 'Hm, hard to say.'" in done.output
        )
    done = runner.invoke(command, [str(tmp_path / "runs")])
    assert isinstance(done.exception, SafecotError)
    assert "--judge lite" in str(done.exception)
    done = runner.invoke(command, [str(tmp_path / "runs"), "--judge", "lite", "--rubric", "effective"])
    assert "judges refusal, harm, cot_consistency only" in str(done.exception)
