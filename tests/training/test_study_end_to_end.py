"""The mini study from nothing to its report, with a handful of steps and items, through the real lmms-eval."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from safecot_eval.util.paths import CHECKPOINT_CARD
from tests.processes import python_m

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("study")]

PROGRAM = """
import sys
from dataclasses import replace
from pathlib import Path
from safecot_training.study import plan, report, study
out = Path(sys.argv[1])
less = plan.Factor("b", "wordings", (plan.Level("1-wording", "1 wording", (("wordings", 1),)),), plan.V2_ONLY)
small = replace(plan.LONG, shipped=plan.Setting(size=40, steps=3), factors=(less,), extra=(), seeds=(0,),
                mixtures=(plan.Mixture.TWINS,), eye_steps=6, general=96, base_epochs=1.0, task="safecot_mini_tiny", trained=4)
report.FEW = 40
study.run(small, out, out / "runs")
report.write(small, out, out / "runs", out / "docs" / "study.md")
"""


def _study(out: Path) -> str:
    out.joinpath("small_study.py").write_text(PROGRAM, encoding="utf-8")
    done = python_m("small_study", str(out), cwd=out)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def studied(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    out = tmp_path_factory.mktemp("study")
    return out, _study(out)


def test_every_run_is_evaluated_by_lmms_eval_with_both_tasks(studied: tuple[Path, str]):
    out, _ = studied
    names = {path.name for path in (out / "runs").iterdir()}
    shipped = {f"mini-{variant}-twins-40-s0" for variant in ("v0", "v1", "v2")}
    assert names == {"mini-base", *shipped, "mini-v2-twins-40-s0-1-wording"}
    for name in names:
        (samples,) = (out / "runs" / name).glob("*_samples_safecot_mini_tiny.jsonl")
        assert len(samples.read_text(encoding="utf-8").splitlines()) == 52
        (results,) = (out / "runs" / name).glob("*_results.json")
        content = json.loads(results.read_text(encoding="utf-8"))
        assert 0 <= content["results"]["mini_general"]["exact_match,none"] <= 1
        pretrained = Path(content["config"]["model_args"].partition("pretrained=")[2].partition(",")[0])
        card = json.loads((pretrained / CHECKPOINT_CARD).read_text(encoding="utf-8"))
        assert card["variant"] == name.split("-")[1]


def test_data_were_checked_against_every_evaluation_item(studied: tuple[Path, str]):
    out, _ = studied
    manifests = sorted((out / "data").glob("*/manifest.json"))
    assert manifests
    for manifest in manifests:
        checked = json.loads(manifest.read_text(encoding="utf-8"))["contamination"]
        assert checked["checked"] == [{"set": "safecot_mini_tiny", "items": 52, "without_pictures": 0}]
        assert checked["dropped"] == 0


def test_report_and_figures_are_written(studied: tuple[Path, str]):
    out, _ = studied
    text = (out / "docs" / "study.md").read_text(encoding="utf-8")
    assert "## The six directions" in text
    assert text.count("\n| v0 | ") == text.count("\n| v1 | ") == 2
    for figure in ("study-plane", "study-factor-b", "study-slices-twins"):
        assert f"img/{figure}.svg" in text
        assert (out / "docs" / "img" / f"{figure}.svg").stat().st_size > 1000
    assert list(out.glob("report-*.md"))
    assert str(out) not in text


def test_a_second_start_repeats_nothing(studied: tuple[Path, str]):
    out, _ = studied
    before = {path: path.stat().st_mtime_ns for path in (out / "checkpoints").rglob("*.safetensors")}
    told = _study(out)
    assert "(1 of 4)" not in told
    assert "4 are finished" in told
    assert {path: path.stat().st_mtime_ns for path in before} == before
