"""Verdicts whose text holds U+2028 survive merging, again and again."""

from __future__ import annotations

import json
from pathlib import Path

from safecot_eval.records.merging import merge
from safecot_eval.records.run import find_runs
from tests.conftest import make_doc, write_run


def verdict(number: int, **changes: str) -> dict[str, str]:
    said = "unsafe\u2028because it gives steps\u0085and more"
    return {
        "sample_id": f"{number:016x}",
        "rubric": "harm",
        "judge": "j",
        "label": "unsafe",
        "raw": said,
        **changes,
    }


def job(folder: Path, timestamp: str, numbers: range, task: str) -> Path:
    docs = [(make_doc(sample_id=f"{n:016x}", item_id=str(n)), "Steps.") for n in numbers]
    write_run(folder, docs, timestamp=timestamp, task=task)
    return folder


def write_verdicts(folder: Path, verdicts: list[dict[str, str]]) -> None:
    (folder / "verdicts").mkdir(exist_ok=True)
    text = "".join(json.dumps(v, ensure_ascii=False) + "\n" for v in verdicts)
    (folder / "verdicts" / "j.jsonl").write_text(text, encoding="utf-8", newline="")


def test_verdicts_with_line_separators(tmp_path: Path) -> None:
    first = job(tmp_path / "jobs/1", "20260101_000000", range(3), "safecot_mini")
    merged = tmp_path / "merged"
    merge([first], merged)
    (own,) = find_runs([merged])
    write_verdicts(own.folder, [verdict(n, task=own.task, stamp=own.timestamp) for n in range(3)])
    third = job(tmp_path / "jobs/3", "20260101_000001", range(10, 12), "safecot_siuo")
    write_verdicts(third, [verdict(n, task="safecot_siuo", stamp="20260101_000001") for n in range(10, 12)])
    assert merge([tmp_path / "jobs"], merged).verdicts == 2
    runs = find_runs([merged])
    assert sorted(len(list(run.verdicts())) for run in runs) == [2, 3]
    assert {v["raw"] for run in runs for v in run.verdicts()} == {verdict(0)["raw"]}
    assert merge([tmp_path / "jobs"], merged).verdicts == 0  # nothing is doubled


def test_a_cut_last_line_does_not_spoil_what_follows(tmp_path: Path) -> None:
    first = job(tmp_path / "jobs/1", "20260101_000000", range(3), "safecot_mini")
    write_verdicts(first, [verdict(0)])
    merged = tmp_path / "merged"
    merge([first], merged)
    (own,) = find_runs([merged])
    with (own.folder / "verdicts/j.jsonl").open("a", encoding="utf-8") as stream:
        stream.write('{"sample_id": "00')
    write_verdicts(first, [verdict(0), verdict(1)])
    assert merge([first], merged).verdicts == 1
    assert len(list(find_runs([merged])[0].verdicts())) == 2
