"""Every task through lmms-eval's own command, on invented records: listed, run once, scored, and its images shown."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from safecot_eval.benchmarks import catalogue, registry
from safecot_eval.records.run import find_runs
from tests.processes import python_m
from tests.tasks.conftest import only_by_name

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("benchmarks")]


def test_every_task_and_tag_is_listed(tmp_path: Path) -> None:
    done = python_m("lmms_eval", "--tasks", "list", cwd=tmp_path)
    listed = {line.strip().removeprefix("- ") for line in (done.stdout + done.stderr).splitlines()}
    assert set(registry.task_names()) <= listed
    assert {
        "safecot",
        "safecot_core",
        "safecot_overrefusal",
        "safecot_jailbreak",
        "safecot_contextual",
        "safecot_paper",
    } <= listed


def test_lmms_evals_task_manager_reads_wildcards_tags_and_the_group_as_tasks(
    invented: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lmms_eval.tasks import TaskManager

    from safecot_eval.benchmarks import selection
    from safecot_eval.generate import lmms_eval
    from safecot_eval.util.paths import tasks_dir

    assert lmms_eval.install_hooks()
    (invented / "mossbench" / "information.json").unlink()
    for path in (invented / "vlsbench" / "imgs").iterdir():
        path.unlink()
    catalogue.why_not_ready.cache_clear()
    lacking = {
        "safecot_mossbench",
        "safecot_mossbench_twins",
        "safecot_mossbench_contrast",
        "safecot_vlsbench",  # no images on disk
        *(task_name for task_name in registry.task_names() if task_name.startswith("safecot_msts")),
    }
    own = [str(path) for path in (tasks_dir(),)]
    manager = TaskManager(include_path=own, include_defaults=False, model_name="safecot_hf")
    everything = set(registry.task_names()) - lacking - only_by_name()
    assert set(manager.match_tasks(["safecot_*"])) == everything
    assert len(manager.match_tasks(["safecot_*"])) == len(everything)
    assert set(manager.match_tasks(["*"])) == everything
    tagged = set(selection.tags()["safecot_overrefusal"]) - lacking
    assert set(manager.match_tasks(["safecot_overref*"])) == tagged
    assert manager.match_tasks(["safecot_overrefusal"]) == ["safecot_overrefusal"]
    assert set(manager.task_index["safecot_overrefusal"]["task"]) == tagged
    assert manager.match_tasks(["safecot"]) == ["safecot"]
    assert set(manager.task_index["safecot-leaf"]["task"]) == everything
    recorded = TaskManager(include_path=own, include_defaults=False, model_name="safecot_replay")
    assert "safecot_vlsbench" in recorded.match_tasks(["safecot_*"]), "recorded answers need no images"
    assert manager.match_tasks(["safecot_mossbench"]) == ["safecot_mossbench"], (
        "named in full, it says itself why not"
    )


def test_every_task_is_run_once_and_scored(invented: Path, tmp_path: Path) -> None:
    """A wildcard that matches tags, a tag by its own name, and a task by its own name ask for each task once."""
    done = python_m(
        "lmms_eval",
        "--model",
        "safecot_baseline",
        "--model_args",
        "policy=refuse_all",
        "--tasks",
        ",".join(["safecot_*", "safecot_core", "safecot_figstep", *sorted(only_by_name())]),
        "--limit",
        "60",
        "--output_path",
        "runs",
        "--log_samples",
        cwd=tmp_path,
    )
    runs = find_runs([tmp_path / "runs"])
    assert {run.task for run in runs} == set(registry.task_names()), done.stderr[-2000:]
    for run in runs:
        items = catalogue.items_of(run.task)
        records = list(run.samples())
        assert Counter(record["item_id"] for record in records) == Counter(
            item.item_id for item in items[: len(records)]
        ), run.task
        assert len(records) == min(60, len(items)), run.task
        assert {record["status"] for record in records} == {"ok"} or run.task == "safecot_mossbench"
        scored = {
            record["expectation"]: record["refusal"]["matched"]
            for record in records
            if record["status"] == "ok"
        }
        assert set(scored.values()) == {True}
    aggregated = json.loads(runs[0].results_path.read_text(encoding="utf-8"))["results"]
    for task, wanted in {
        "safecot_vlguard_safe_safes": {"car_template,none": 0.0},
        "safecot_vlguard_unsafes": {"crr_template,none": 1.0},
        "safecot_mssbench_chat": {
            "pair_refuses_both_template,none": 1.0,
            "pair_both_right_template,none": 0.0,
        },
        "safecot_mssbench_chat_first": {"crr_template,none": 1.0, "pair_refuses_both_template,none": 1.0},
        "safecot_siuo": {"crr_template,none": 1.0, "refusal_share_template,none": 1.0},
        "safecot_lvlm_safer_t1": {"pair_refuses_both_template,none": 1.0},
        "safecot_vscbench_image": {"crr_template,none": 1.0, "car_template,none": 0.0},
        "safecot_spavl_eval_help": {"refusal_share_template,none": 1.0},
    }.items():
        for metric, value in wanted.items():
            assert aggregated[task][metric] == value, (task, metric)
