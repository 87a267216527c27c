"""Run folders of plain lmms-eval, without our wrapper: recorded with 0.7.2 and 0.7.3 on our own mild benchmark."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import safecot_eval
from safecot_eval.records.run import find_runs
from safecot_reports.build import Options, build

LAYOUTS = Path(__file__).parent / "layouts"


@pytest.mark.parametrize(("version", "refused"), [("0.7.2", 0), ("0.7.3", 4)])
def test_recorded_layouts_are_read(version: str, refused: int) -> None:
    folder = LAYOUTS / f"lmms_eval_{version}"
    (run,) = find_runs([folder])
    assert run.provenance == {}
    assert run.max_new_tokens == 128
    assert run.model == {"0.7.2": "answer_all", "0.7.3": "refuse_all"}[version]
    table = safecot_eval.load_runs(folder)
    assert (len(table), int(table.refused.sum())) == (4, refused)
    cells = {(c["metric"], c["evaluator"][:8]): c["value"] for c in build([str(folder)], Options())["cells"]}
    results = run.results["results"]["safecot_mini_tiny"]
    assert cells["crr", "template"] == results["crr_template,none"]


def test_both_together_and_shapes_that_lmms_eval_has_had(tmp_path: Path) -> None:
    """Answers as bare text or in lists, ``resps`` there or not, token counts absent: all are the same run."""
    for version in ("0.7.2", "0.7.3"):
        shutil.copytree(LAYOUTS / f"lmms_eval_{version}", tmp_path / version)
    assert sorted(run.model for run in find_runs([tmp_path])) == ["answer_all", "refuse_all"]
    path = find_runs([tmp_path])[0].samples_path
    before = safecot_eval.load_runs(tmp_path)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for number, line in enumerate(lines):
        text = line["filtered_resps"]
        if number % 2:
            line["filtered_resps"], line["resps"] = [text], [[text]]
            del line["token_counts"]
        else:
            line["doc"] = {"large": "x" * 100}
            line["token_counts"] = [{"input_tokens": 5}]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert safecot_eval.load_runs(tmp_path).equals(before)
