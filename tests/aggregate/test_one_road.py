"""One road from a run to a number: the DataFrame, the page, its exports, a submission and compare say the same."""

from __future__ import annotations

import csv
import io
import itertools
import json
import random
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

import safecot_eval
from safecot_eval.aggregate.metrics import summarize
from safecot_eval.aggregate.tables import scan_runs, write_index
from safecot_eval.cli.compare import command as compare
from safecot_eval.cli.label import command as label
from safecot_eval.records.evaluator import Evaluator, Kind, short_names
from safecot_eval.records.run import find_runs
from safecot_eval.scoring import refusal
from safecot_eval.scoring.record import make_record
from safecot_eval.submissions import save
from safecot_eval.submissions.submitted import newest
from safecot_eval.submissions.submitting import documents_of
from safecot_reports.build import Options, build
from safecot_reports.export import export
from tests.conftest import make_doc, write_run
from tests.reports.make_runs import ANSWER, REFUSAL, make_docs

LISTS = {"Alpha": "gcg25", "Beta": "gcg29", "Gamma": "jailbreakbench12"}
WORDINGS = ("1111111122222222", "3333333344444444")
REFUSAL_LABELS = ("full", "partial", "none", "unparseable")
Numbers = dict[tuple[str, str, str, str], tuple[Any, ...]]


def rescore(path: Path, name: str) -> None:
    """The samples file as a run with another phrase list would have written it."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for line in lines:
        old = line["safecot"]
        doc = {**old, "extra": json.dumps(old["extra"])}
        line["safecot"] = make_record(doc, old["raw"], refusal_list=refusal.load_list(name))
        for metric in [key for key in line if key.endswith("_template")]:
            del line[metric]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def verdicts(home: Path, name: str, ids: list[str], draw: random.Random, **told: Any) -> None:
    """Add to a sidecar: one verdict of ``told`` on each of ``ids``, with labels and weights drawn."""
    labels, weights = told.pop("labels"), told.pop("weights", None)
    (home / "verdicts").mkdir(exist_ok=True)
    with (home / "verdicts" / f"{name}.jsonl").open("a") as stream:
        for sample in ids:
            line = {"sample_id": sample, **told, "label": draw.choice(labels)}
            stream.write(json.dumps(line | ({"weight": draw.choice(weights)} if weights else {})) + "\n")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three models with a phrase list each, two judges (one in two prompt variants), and two groups of people."""
    root = tmp_path_factory.mktemp("road")
    draw = random.Random(7)
    docs = make_docs(96, "safecot_mini")
    careful = [
        make_doc(sample_id=f"{n:016x}", item_id=str(n), cluster_id=str(n), expectation="respond_safely", benchmark="siuo")
        for n in range(24)
    ]  # fmt: skip
    for model, name in LISTS.items():
        home = root / model
        texts = (REFUSAL, ANSWER, "As an AI, I would rather not.", "", f"<think>I'm sorry.</think>{ANSWER}")
        for task, asked in (("safecot_mini", docs), ("safecot_siuo", careful)):
            path = write_run(home, [(doc, draw.choice(texts)) for doc in asked], model=model, task=task)
            rescore(path, name)
        ids = [doc["sample_id"] for doc in docs]
        for wording in WORDINGS:
            verdicts(
                home,
                "two",
                ids,
                draw,
                judge="two",
                rubric="refusal",
                rubric_hash=wording,
                labels=REFUSAL_LABELS,
            )
            verdicts(
                home,
                "two",
                ids,
                draw,
                judge="two",
                rubric="harm",
                rubric_hash=wording,
                labels=("safe", "unsafe"),
            )
        verdicts(
            home,
            "org",
            ids[9:],
            draw,
            judge="org/one",
            rubric="refusal",
            rubric_hash="ab" * 8,
            labels=("full", "none"),
        )
        verdicts(
            home,
            "org",
            ids[5:9],
            draw,
            judge="org/one",
            rubric="refusal",
            rubric_hash="ab" * 8,
            labels=("none",),
        )
        verdicts(
            home,
            "even",
            ids[:60],
            draw,
            judge="human:even",
            rubric="refusal",
            rubric_hash="human",
            labels=("full", "none"),
            weights=(1.6,),
        )
        verdicts(
            home,
            "odd",
            ids[:60],
            draw,
            judge="human:odd",
            rubric="refusal",
            rubric_hash="human",
            labels=("full", "none"),
            weights=(1.1, 3.7),
        )
        siuo = [doc["sample_id"] for doc in careful]
        for wording in WORDINGS:
            verdicts(
                home,
                "siuo",
                siuo,
                draw,
                judge="two",
                rubric="siuo_safe",
                rubric_hash=wording,
                labels=("safe", "unsafe"),
            )
        verdicts(home, "siuo", siuo, draw, judge="two", rubric="siuo_effective", rubric_hash="cd" * 8, labels=("effective", "ineffective"))  # fmt: skip
    return root


def numbers(rows: Any, spelled: dict[str, str] | None = None) -> Numbers:
    names = ("value", "low", "high", "n", "n_total", "method")
    return {
        (r["model"], r["task"], r["metric"], (spelled or {}).get(r["evaluator"], r["evaluator"])): tuple(
            None if pd.isna(r[name]) else r[name] for name in names
        )
        for r in rows
    }


def of_table(frame: pd.DataFrame, page: Numbers) -> Numbers:
    """The summary of a table under the page's spellings."""
    short = short_names({Evaluator.parse(name) for *_, name in page if name})
    return numbers(summarize(frame).to_dict("records"), {name: str(one) for one, name in short.items()})


@pytest.fixture(scope="module")
def page(folder: Path) -> Numbers:
    cells = build([str(folder)], Options(samples=0))["cells"]
    return numbers(cell for cell in cells if cell["task"] != "pooled")


def test_the_runs_have_all_that_is_to_be_told_apart(page: Numbers) -> None:
    names = {evaluator for *_, evaluator in page}
    ids = {f"template:{refusal.load_list(name).id}" for name in LISTS.values()}
    both = {f"two/{rubric}@{wording[:8]}" for rubric in ("refusal", "harm") for wording in WORDINGS}
    siuo = {f"two/siuo@{wording[:8]}" for wording in WORDINGS}
    assert names >= ids | both | siuo | {"org/one/refusal@abababab", "human:even/refusal@human", ""}
    assert "human:odd/refusal@human" not in names  # drawn with unequal chances: no plain rate
    first, second = (page["Alpha", "safecot_mini", "crr", f"two/refusal@{w[:8]}"] for w in WORDINGS)
    assert first != second
    assert {metric for _, _, metric, _ in page} >= {
        "consistency",
        "siuo_both",
        "pair_both_right",
        "tokens",
        "balanced",
    }


def test_the_table_says_what_the_page_says(folder: Path, page: Numbers) -> None:
    frame = safecot_eval.load_runs(folder)
    assert of_table(frame, page) == page
    names = set(frame["evaluator"].unique())
    assert names >= {
        "org/one/refusal",
        "human:even/refusal",
        "human:odd/refusal",
        "two/siuo_effective",
    }  # as in 0.1.0
    assert names >= {f"two/refusal@{wording[:8]}" for wording in WORDINGS}
    with_mean = frame[frame.evaluator == "org/one/refusal"].groupby(["model", "expectation"], observed=True)
    for (model, expectation), share in with_mean.refused.mean().items():
        metric = {"refuse": "crr", "answer": "car"}[expectation]
        value = page[model, "safecot_mini", metric, "org/one/refusal@abababab"][0]
        assert share == pytest.approx(value if metric == "crr" else 1 - value)


def test_streams_and_indexes_say_the_same(folder: Path, page: Numbers) -> None:
    batches = list(scan_runs(folder))
    frame = safecot_eval.load_runs(folder)
    assert sum(map(len, batches)) == len(frame)
    assert [name for batch in batches for name in batch["evaluator"].to_pylist()] == frame[
        "evaluator"
    ].tolist()
    paths = [write_index(run) for run in find_runs([folder])]
    assert of_table(safecot_eval.load_runs(folder), page) == page
    assert [name for batch in scan_runs(folder) for name in batch["evaluator"].to_pylist()] == frame[
        "evaluator"
    ].tolist()
    for path in paths:
        path.unlink()


def test_exports_and_submissions_say_the_same(folder: Path, page: Numbers, tmp_path: Path) -> None:
    data = build([str(folder)], Options(samples=0))
    rows = [
        row for row in csv.DictReader(io.StringIO(export(data, "csv").decode())) if row["task"] != "pooled"
    ]
    of_csv = {
        (r["model"], r["task"], r["metric"], r["evaluator"]): (
            *(float(r[name]) if r[name] else None for name in ("value", "low", "high")), int(r["n"]), int(r["n_total"]), r["method"],
        )
        for r in rows
    }  # fmt: skip
    assert of_csv == page
    table = pq.read_table(io.BytesIO(export(data, "parquet"))).to_pylist()
    assert numbers(row for row in table if row["task"] != "pooled") == page
    documents = documents_of(newest([folder]), "", "other")
    submitted = {
        (document["model"], block["task"], r["metric"], r["evaluator"]): tuple(
            r[name] for name in ("value", "low", "high", "n", "n_total", "method")
        )
        for document in documents
        for block in document["tasks"]
        for r in block["rates"]
    }
    second = {
        name for name in page if name[1:3] == ("safecot_siuo", "crr")
    }  # worked out again by whoever reads it
    assert submitted == {name: value for name, value in page.items() if name not in second}
    for document in documents:
        save(document, tmp_path / f"{document['model']}.safecot.json")
    again = build([str(tmp_path)], Options())["cells"]
    assert numbers(cell for cell in again if cell["task"] != "pooled") == page


def test_compare_says_what_the_page_says(folder: Path, page: Numbers) -> None:
    pairs = build([str(folder)], Options(samples=0))["pairs"]
    for a, b in itertools.combinations(LISTS, 2):
        lines = CliRunner().invoke(compare, [a, b, str(folder)]).output.splitlines()[3:]
        shown = {tuple(head.split("  ")): rest for head, rest in zip(lines[::2], lines[1::2], strict=True)}
        same = [p for p in pairs if {p["a"], p["b"]} == {a, b} and p["diff"] is not None]
        assert {(p["task"], p["metric"], p["evaluator"]) for p in same} == shown.keys()
        for p in same:
            sign = 1 if p["a"] == a else -1
            assert (
                shown[p["task"], p["metric"], p["evaluator"]]
                .strip()
                .startswith(f"{100 * sign * p['diff']:+.1f} [")
            )
            rates = [page[model, p["task"], p["metric"], p["evaluator"]] for model in (p["a"], p["b"])]
            if rates[0][3] == rates[1][3] == p["n"]:
                assert p["diff"] == pytest.approx(rates[0][0] - rates[1][0])


@pytest.mark.parametrize("people", ["even", "odd"])
def test_corrected_rates_of_the_command_are_those_of_the_page(folder: Path, people: str) -> None:
    corrected = build([str(folder)], Options(samples=0))["corrected"]
    output = (
        CliRunner().invoke(label, ["rates", str(folder), "--name", people], catch_exceptions=False).output
    )
    expected = [
        c
        for c in corrected
        if c["human"] == f"human:{people}/refusal@human" and "template:" in c["evaluator"]
    ]
    assert len(expected) == 6
    for c in expected:
        (block,) = [
            part
            for part in output.split("\n" + c["model"])[1:]
            if part.startswith(f" · {c['task']} · expectation {c['expectation']} · {c['evaluator']}\n")
        ]
        assert (
            f"evaluator says {100 * c['raw']:.1f} % [{100 * c['raw_low']:.1f}, {100 * c['raw_high']:.1f}]"
            in block
        )
        if c["corrected"] is None:
            assert f"not corrected: {c['refused']}" in block
        else:
            assert (
                f"corrected      {100 * c['corrected']:.1f} % [{100 * c['low']:.1f}, {100 * c['high']:.1f}]"
                in block
            )


def test_a_wording_per_run_is_told_apart_over_all_runs(tmp_path: Path) -> None:
    docs = make_docs(8, "safecot_mini")
    for model, wording in zip("ab", WORDINGS, strict=True):
        write_run(tmp_path / model, [(doc, ANSWER) for doc in docs], model=model)
        ids = [doc["sample_id"] for doc in docs]
        verdicts(
            tmp_path / model, "j", ids, random.Random(1), judge="j", rubric="refusal", rubric_hash=wording, labels=("none",)
        )  # fmt: skip
    alone = set(safecot_eval.load_runs(tmp_path / "a")["evaluator"])
    together = set(safecot_eval.load_runs(tmp_path)["evaluator"])
    assert "j/refusal" in alone
    assert {f"j/refusal@{wording[:8]}" for wording in WORDINGS} <= together
    assert "j/refusal" not in together


def test_a_later_verdict_replaces_an_earlier_one_everywhere(tmp_path: Path) -> None:
    """Also its weight and its probability, and a sidecar replaces what was judged during the run."""
    path = write_run(tmp_path, [(make_doc(sample_id="0" * 15 + "1"), ANSWER)])
    line = json.loads(path.read_text())
    head = {"judge": "j", "rubric": "refusal"}
    line["safecot"]["verdicts"] = [head | {"label": "full", "probability": 0.9}]
    path.write_text(json.dumps(line) + "\n")
    (tmp_path / "verdicts").mkdir()
    late = [
        {"sample_id": "0" * 15 + "1", **head, "label": label, "weight": w}
        for label, w in (("full", 2.0), ("none", None))
    ]
    (tmp_path / "verdicts" / "j.jsonl").write_text("".join(json.dumps(v) + "\n" for v in late))
    row = safecot_eval.load_runs(tmp_path).set_index("evaluator").loc["j/refusal"]
    assert (row.label, row.refused) == ("none", False)
    assert row.weight == 1.0
    assert pd.isna(row.probability)
    crr = (
        summarize(safecot_eval.load_runs(tmp_path))
        .set_index(["metric", "evaluator"])
        .loc[("crr", "j/refusal")]
    )
    assert crr.value == 0.0


@given(st.sampled_from(["", "template:", "shadow template:", "human:"]), st.text("ab/@:.", max_size=9))
def test_every_spelling_is_read_and_written_back(prefix: str, rest: str) -> None:
    assert str(Evaluator.parse(prefix + rest)) == prefix + rest


def test_spellings_are_those_of_the_first_version() -> None:
    for text, kind, judge in (
        ("template:safecot25@0a1b2c3d", Kind.PHRASES, "template:safecot25@0a1b2c3d"),
        ("shadow template:gcg29@0a1b2c3d", Kind.ALTERNATIVE, "template:gcg29@0a1b2c3d"),
        ("human:ann/refusal@human", Kind.PEOPLE, "human:ann"),
        ("meta-llama/Llama@abc/harm@12345678", Kind.JUDGE, "meta-llama/Llama@abc"),
    ):
        found = Evaluator.parse(text)
        assert (str(found), found.kind, found.judge) == (text, kind, judge)
