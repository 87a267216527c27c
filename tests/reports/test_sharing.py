"""What goes out beside the page: title and logo, the picture for links, .eval_results, and a page that follows a matrix."""

from __future__ import annotations

import io
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from huggingface_hub import eval_result_entries_to_yaml, parse_eval_result_entries
from PIL import Image

from safecot_eval.cli import card, report
from safecot_eval.generate.matrix import Cell, Row, cells_of
from safecot_eval.records.matrix_state import FILE, JOURNAL, Outcome, StateFile, read_state
from safecot_eval.util.errors import SafecotError
from safecot_reports.page import logo_uri, page_html
from safecot_reports.social import SIZE, best
from safecot_reports.social import card as social_card
from safecot_reports.watching import watch
from tests.reports.make_runs import make_runs


@pytest.mark.slow
def test_a_page_of_ones_own_has_title_sentence_logo_and_picture(runs_dir: Path, tmp_path: Path) -> None:
    logo = tmp_path / "logo.png"
    Image.new("RGB", (20, 20), "teal").save(logo)
    arguments = [
        "--title",
        "Ours <b>",
        "--description",
        'We "compare"',
        "--logo",
        str(logo),
        "--samples-per-run",
        "1",
    ]
    arguments += ["--social-card", str(tmp_path / "card.png"), "-o", str(tmp_path / "page.html")]
    done = CliRunner().invoke(report.command, [str(runs_dir), *arguments])
    assert done.exit_code == 0, done.output
    text = (tmp_path / "page.html").read_text()
    assert "<h1><img" in text
    assert "Ours &lt;b&gt;</h1>" in text
    assert '<meta name="description" content="We &#34;compare&#34;">' in text
    assert '<meta property="og:image" content="card.png">' in text
    picture = Image.open(tmp_path / "card.png")
    assert picture.size == SIZE
    assert len(picture.convert("RGB").getcolors(1 << 20)) > 50


def test_a_logo_must_be_a_small_picture(tmp_path: Path) -> None:
    for name, content, said in (
        ("a.exe", b"", "give a"),
        ("none.png", None, "no such file"),
        ("b.svg", b"x" * 200_001, "at most"),
    ):
        if content is not None:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(SafecotError, match=said):
            logo_uri(tmp_path / name)


def test_the_picture_shows_the_best_models_and_survives_any_name(data: dict[str, Any]) -> None:
    assert [row[0] for row in best(data)] == ["Alpha", "Beta"]
    rates = {
        c["metric"]: c["value"]
        for c in data["cells"]
        if c["model"] == "Alpha" and c["evaluator"].startswith("toy-judge/refusal")
    }
    assert best(data)[0][1:] == (rates["crr"], rates["car"])
    odd = json.loads(json.dumps(data).replace("Alpha", "\\u202e\\ud83d\\ude00\\u0000" * 40))
    assert Image.open(io.BytesIO(social_card(odd))).size == SIZE
    assert Image.open(io.BytesIO(social_card({**data, "cells": []}))).size == SIZE


def test_eval_results_are_files_of_hub_data_sets_and_others_are_named(tmp_path: Path) -> None:
    make_runs(tmp_path / "runs", models={"Alpha": (0.9, 0.3)}, task="safecot_vlsbench")
    make_runs(tmp_path / "more", models={"Alpha": (0.9, 0.3)})
    out = tmp_path / ".eval_results"
    arguments = [
        str(tmp_path / "runs"),
        str(tmp_path / "more"),
        "--model",
        "Alpha",
        "--eval-results",
        str(out),
    ]
    done = CliRunner().invoke(card.command, arguments)
    assert done.exit_code == 0, done.output
    assert "no data set of the Hub" in done.output
    (path,) = out.iterdir()
    written = yaml.safe_load(path.read_text())
    assert eval_result_entries_to_yaml(parse_eval_result_entries(written)) == written
    (entry,) = written
    assert entry["dataset"] == {"id": "Foreshhh/vlsbench", "task_id": "default", "revision": "b56f6f6"}
    assert entry["date"] == "2026-01-01"
    assert "Balanced" in entry["notes"]
    assert re.search(rf"Balanced {entry['value']:.1f} \[", entry["notes"])


def matrix(folder: Path) -> tuple[StateFile, Row]:
    row = Row(
        None,
        "Alpha",
        [
            Cell("Alpha", "safecot_mini", Outcome.NOT_STARTED, items=80),
            Cell("Alpha", "safecot_siuo", Outcome.DONE_BEFORE, items=20),
        ],
    )
    return StateFile(folder), row


def test_the_state_of_a_matrix_counts_answers_as_they_come(tmp_path: Path) -> None:
    (tmp_path / JOURNAL).mkdir()
    journal = tmp_path / JOURNAL / "identity.0.jsonl"
    journal.write_text("{}\n" * 7)  # of an earlier run
    state, row = matrix(tmp_path)
    state.write(cells_of([row]))
    started = json.loads((tmp_path / FILE).read_text())["started"]
    with journal.open("a") as stream:
        stream.write("{}\n" * 40)
    found = read_state(tmp_path, now=started + 60)
    assert found is not None
    assert (found.runs, found.done, found.items, found.answers, found.over) == (2, 1, 100, 60, False)
    assert found.seconds_left == pytest.approx(60)
    row.cells[0].outcome = Outcome.FAILED
    state.write(cells_of([row]))
    found = read_state(tmp_path)
    assert found is not None
    assert (found.failed, found.over) == (1, True)
    (tmp_path / FILE).write_text('{"cells": [{"outcome": "odd"}]}')
    assert read_state(tmp_path) is None


def test_the_page_follows_a_matrix_to_its_end(tmp_path: Path) -> None:
    runs, target = tmp_path / "runs", tmp_path / "page.html"
    runs.mkdir()
    state, row = matrix(runs)
    state.write(cells_of([row]))
    said: list[str] = []
    written: list[dict[str, Any] | None] = []
    ready = make_runs(tmp_path / "ready", models={"Alpha": (0.9, 0.3)})

    def write(progress: dict[str, Any] | None) -> None:
        from safecot_reports.build import Options, build

        data = build([str(runs)], Options(samples=0))
        target.write_text(page_html(data, progress=progress))
        written.append(progress)

    def sleep(_: float) -> None:
        if not written and not (runs / "m0").exists():
            shutil.copytree(ready / "m0", runs / "m0")
        elif row.cells[0].outcome is Outcome.NOT_STARTED:
            text = target.read_text()
            assert '<meta http-equiv="refresh" content="5">' in text
            assert "1 of 2 runs is done; 20 of 100 answers" in text
            row.cells[0].outcome = Outcome.DONE
            state.write(cells_of([row]))
        else:
            raise AssertionError("it should have ended")

    watch([str(runs)], write, said.append, every=1, sleep=sleep)
    assert said[0].startswith("waiting: ")
    assert said[-1] == "2 of 2 runs are done; 100 of 100 answers"
    assert len(written) == 2
    assert written[-1] is None
    assert "refresh" not in target.read_text().split("<style>")[0]
