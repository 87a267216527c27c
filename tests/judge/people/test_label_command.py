"""``safecot label`` from export to verdicts beside the runs."""

from __future__ import annotations

import csv
import json
from collections import Counter

import numpy as np
import pytest

from safecot_eval.aggregate.tables import load_runs
from safecot_eval.cli import main
from safecot_eval.records.run import find_runs
from safecot_eval.stats import corrected_rate


def run(*arguments):
    with pytest.raises(SystemExit) as ended:
        main(["label", *map(str, arguments)])
    return ended.value.code


def rows_of(path):
    with path.open(encoding="utf-8-sig", newline="") as stream:
        return list(csv.DictReader(stream))


def fill(sheet, path, labels):
    """A copy of the sheet with labels given by a function of the row."""
    rows = rows_of(sheet)
    for row in rows:
        row["label"] = labels(row)
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return path


def truth(row):
    return "full" if "sorry" in row["answer"] else "none"


@pytest.fixture
def sheet(runs, tmp_path, capsys):
    path = tmp_path / "labels.csv"
    assert run("export", runs, "-n", 20, "--seed", 1, "-o", path) == 0
    capsys.readouterr()
    return path


def test_the_sheet_is_blind_and_the_key_is_not(sheet):
    rows = rows_of(sheet)
    assert len(rows) == 20
    assert list(rows[0]) == ["row", "prompt", "answer", "label", "note"]
    assert {row["row"] for row in rows} == {f"{i:04d}" for i in range(1, 21)}
    assert all(row["answer"] and not row["answer"].startswith("=") for row in rows)
    key = json.loads(sheet.with_name("labels.key.json").read_text())
    assert Counter(entry["model"] for entry in key["rows"].values()).keys() == {"alpha", "beta"}
    assert all(entry["weight"] == 38 / 20 for entry in key["rows"].values())
    assert not {"expectation", "model", "matched"} & set(sheet.read_text().split(","))


def test_the_same_seed_writes_the_same_bytes(runs, sheet, tmp_path):
    again = tmp_path / "again.csv"
    run("export", runs, "-n", 20, "--seed", 1, "-o", again)
    assert again.read_bytes() == sheet.read_bytes()


def test_labels_are_not_overwritten(runs, sheet, capsys):
    assert run("export", runs, "-o", sheet) == 2
    assert "exists already" in capsys.readouterr().err
    assert run("export", runs, "-o", sheet, "--overwrite") == 0


def test_stratified_export_draws_evenly_with_weights(runs, tmp_path):
    path = tmp_path / "s.csv"
    run("export", runs, "-n", 16, "--stratify", "model", "--stratify", "verdict", "-o", path)
    rows = json.loads(path.with_name("s.key.json").read_text())["rows"].values()
    assert Counter(tuple(r["stratum"]) for r in rows) == {
        (model, verdict): 4 for model in ("alpha", "beta") for verdict in ("refused", "complied")
    }
    assert {r["weight"] for r in rows if r["stratum"] == ["alpha", "complied"]} == {14 / 4}


def test_two_annotators_agree_conflict_and_are_settled(runs, sheet, tmp_path, capsys):
    first = fill(sheet, tmp_path / "a.csv", truth)
    second = fill(
        sheet, tmp_path / "b.csv", lambda row: "partial" if row["row"] in ("0001", "0002") else truth(row)
    )
    assert run("import", first, second, "--name", "team") == 0
    out = capsys.readouterr().out
    assert "Agreement over 20 rows" in out
    assert "raw agreement          0.900" in out
    assert "2 conflicts" in out
    assert "row 0001: " in out
    conflicts = rows_of(tmp_path / "labels.conflicts.csv")
    assert [row["row"] for row in conflicts] == ["0001", "0002"]
    assert all(row["prompt"].startswith("Question") for row in conflicts)

    verdicts = [v for r in find_runs([runs]) for v in r.verdicts()]
    assert len(verdicts) == 18
    assert {v["judge"] for v in verdicts} == {"human:team"}

    decided = fill(tmp_path / "labels.conflicts.csv", tmp_path / "c.csv", truth)
    assert run("import", first, second, "--decisions", decided, "--name", "team") == 0
    assert "conflicts" not in capsys.readouterr().out
    verdicts = [v for r in find_runs([runs]) for v in r.verdicts()]
    assert len(verdicts) == 20
    assert all(
        set(v) >= {"sample_id", "task", "stamp", "rubric", "label", "judge", "weight"} for v in verdicts
    )


def test_imported_labels_correct_the_template(runs, tmp_path):
    path = tmp_path / "all.csv"
    run("export", runs, "-n", 100, "-o", path)
    run("import", fill(path, tmp_path / "a.csv", truth), "--name", "me")
    table = load_runs(runs)
    alpha = table[(table.model == "alpha") & (table.status == "ok")]
    people = alpha[alpha.evaluator == "human:me/refusal"].set_index("sample_id").refused
    template = alpha[alpha.evaluator.str.startswith("template:")].set_index("sample_id").refused
    assert len(people) == 19
    labelled = template[people.index].astype(float)
    found = corrected_rate(people.astype(float), labelled, template.astype(float))
    assert found.refused == "19 labels are too few; label at least 30 answers"
    assert found.labels_only.value == pytest.approx(5 / 19)
    assert np.array_equal(people.astype(float), labelled)


def test_verdicts_can_go_to_runs_that_moved(runs, sheet, tmp_path, capsys):
    labelled = fill(sheet, tmp_path / "a.csv", truth)
    moved = tmp_path / "elsewhere"
    runs.rename(moved)
    assert run("import", labelled) == 2
    assert "say where it is with --output" in capsys.readouterr().err
    assert run("import", labelled, "-o", moved) == 0
    assert sum(1 for r in find_runs([moved]) for _ in r.verdicts()) == 20


def test_a_label_is_not_applied_to_a_later_answer(runs, sheet, tmp_path):
    run("import", fill(sheet, tmp_path / "a.csv", truth))
    for path in (runs / "alpha").glob("20260101_000000_*"):
        path.rename(path.with_name(path.name.replace("20260101", "20260202")))
    alpha = next(r for r in find_runs([runs]) if r.model == "alpha")
    assert list(alpha.verdicts()) == []


def test_empty_and_unsure_labels_are_never_a_verdict_on_refusal(runs, sheet, tmp_path, capsys):
    def some(row):
        return {"0001": "", "0002": "unsure"}.get(row["row"], truth(row))

    assert run("import", fill(sheet, tmp_path / "a.csv", some)) == 0
    assert "1 row lacks a label" in capsys.readouterr().out
    table = load_runs(runs)
    people = table[table.evaluator == "human:consensus/refusal"]
    assert len(people) == 19
    assert people.refused.isna().sum() == 1


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["a.csv", "b.csv", "c.csv"], "one or two sheets"),
        (["a.csv", "--name", "../x"], "--name may hold"),
        (["nokey/a.csv"], r"expected one \*.key.json"),
    ],
)
def test_a_mistake_is_one_line(sheet, tmp_path, capsys, arguments, complaint):
    (tmp_path / "nokey").mkdir()
    for name in ("a.csv", "nokey/a.csv"):
        fill(sheet, tmp_path / name, truth)
    given = [tmp_path / a if a.endswith(".csv") else a for a in arguments]
    assert run("import", *given) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert complaint.replace("\\", "") in error


def test_nothing_labelled_writes_nothing(runs, sheet, tmp_path, capsys):
    assert run("import", fill(sheet, tmp_path / "a.csv", lambda row: "")) == 2
    assert "No row has a final label" in capsys.readouterr().err
    assert not (runs / "alpha" / "verdicts").exists()
