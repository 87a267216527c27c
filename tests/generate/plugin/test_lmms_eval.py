"""The real lmms-eval, started the ways people start it, finds and runs our tasks with nothing but the package."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import safecot_eval
from safecot_eval.records.run import find_runs
from tests.processes import python_m

pytestmark = pytest.mark.slow

BASELINE = ["--model", "safecot_baseline", "--model_args", "policy=refuse_all"]


def clean(**environment: str) -> dict[str, str]:
    """An environment without any variable of ours but the cache."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("SAFECOT_", "LMMS_"))}
    return {**kept, "SAFECOT_CACHE_DIR": os.environ["SAFECOT_CACHE_DIR"], **environment}


def run(arguments: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Start a Python module from a foreign folder."""
    return python_m(*arguments, cwd=folder, env=clean())


def lmms_eval_command() -> str:
    return str(Path(sys.executable).parent / "lmms-eval")


def test_flat_form_with_wildcard_runs_each_task_once(tmp_path: Path) -> None:
    """Tasks without data are left out with their sentence; those that draw their own data run once."""
    arguments = ["--tasks", "safecot_mini*", "--output_path", "runs", "--log_samples", "--limit", "4"]
    command = [sys.executable, "-m", "lmms_eval", *BASELINE, *arguments]
    done = subprocess.run(command, cwd=tmp_path, env=clean(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    runs = find_runs([tmp_path / "runs"], newest_only=False)
    task_names = ["safecot_mini", "safecot_mini_tiny"]  # dialogues are run by name only
    assert sorted(run.task for run in runs) == task_names
    table = safecot_eval.load_runs(tmp_path / "runs")
    assert len(table) == 4 * len(task_names)
    assert table.refused.all()


def test_eval_command_leaves_out_what_has_no_data(tmp_path: Path) -> None:
    """`lmms-eval eval` with the widest wildcard: what lacks data is named with its remedy, the rest is scored."""
    arguments = ["--tasks", "safecot_*", "--output_path", "runs", "--log_samples", "--limit", "2"]
    done = subprocess.run(
        [lmms_eval_command(), "eval", *BASELINE, *arguments],
        cwd=tmp_path,
        env={k: v for k, v in os.environ.items() if k != "SAFECOT_DATA_DIR"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    said = done.stdout + done.stderr
    assert "safecot_figstep is left out:" in said
    assert "safecot data prepare figstep" in said
    assert {run.task for run in find_runs([tmp_path / "runs"])} >= {"safecot_mini"}


def test_simple_evaluate(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(
        "from lmms_eval.evaluator import simple_evaluate\n"
        "import json\n"
        "out = simple_evaluate(model='safecot_baseline', model_args='policy=answer_all',\n"
        "                      tasks=['safecot_mini_tiny'], limit=6)\n"
        "print('RESULT', json.dumps(out['results']['safecot_mini_tiny']['invalid_rate,none']))\n"
    )
    done = run(["script"], tmp_path)
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("RESULT")] or [
        done.stderr[-2000:]
    ]
    assert json.loads(line.removeprefix("RESULT")) == 0.0


def test_a_named_task_without_data_ends_with_a_sentence(tmp_path: Path) -> None:
    done = run(["lmms_eval", *BASELINE, "--tasks", "safecot_figstep"], tmp_path)
    assert done.returncode == 1
    assert "safecot data prepare figstep" in done.stderr
    assert "Traceback" not in done.stderr.split("safecot:")[-1]


def test_safecot_run_tells_the_truth(tmp_path: Path) -> None:
    given = ["safecot_eval", "run", *BASELINE, "--tasks", "safecot_mini_tiny", "--output_path", "runs"]
    done = run([*given, "--limit", "4", "--refusal-list", "jailbreakbench12"], tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "Next: safecot report" in done.stdout
    (found,) = find_runs([tmp_path / "runs"])
    assert found.model == "refuse_all"
    assert next(iter(found.samples()))["refusal"]["list"].startswith("jailbreakbench12@")


def test_safecot_run_exits_non_zero_when_lmms_eval_fails(tmp_path: Path) -> None:
    """lmms-eval itself exits 0 here."""
    broken = ["--model", "no_such_back_end", "--tasks", "safecot_mini_tiny"]
    done = run(["safecot_eval", "run", *broken, "--limit", "2"], tmp_path)
    assert done.returncode == 1
    assert "lmms-eval failed" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([*BASELINE, "--tasks", "safecot_nimi"], "did you mean safecot_mini"),
        (["--model", "safecot_baseline", "--model_args", "policy=perhaps"], "policy"),
        (["--model", "safecot_replay", "--model_args", "responses=gone.jsonl"], "is not a file"),
        ([*BASELINE, "--output_path", "/proc/nowhere"], "cannot be written to"),
        ([*BASELINE, "--refusal-list", "nonsense"], "neither a file nor one of"),
    ],
)
def test_a_mistake_is_one_sentence(tmp_path: Path, arguments: list[str], says: str) -> None:
    if "--tasks" not in arguments:
        arguments = [*arguments, "--tasks", "safecot_mini_tiny"]
    done = run(["safecot_eval", "run", *arguments], tmp_path)
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.strip().splitlines()[-1].startswith("safecot: ")


def test_a_changed_lmms_eval_gives_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    import types

    from loguru import logger

    from safecot_eval.generate import lmms_eval

    fake = types.ModuleType("lmms_eval.tasks")
    monkeypatch.setitem(sys.modules, "lmms_eval.tasks", fake)
    said: list[str] = []
    sink = logger.add(lambda message: said.append(str(message)), level="WARNING")
    try:
        assert lmms_eval.install_hooks() is False
    finally:
        logger.remove(sink)
    assert lmms_eval.FALLBACK in said[0]


def test_every_patch_has_its_place_and_its_reason() -> None:
    """A newer lmms-eval is read again before it is patched."""
    from importlib.metadata import version

    from safecot_eval.generate import lmms_eval

    assert version("lmms-eval") == lmms_eval.SEEN_IN
    assert len(lmms_eval.PATCHES) >= 9
    for target, reason in lmms_eval.PATCHES.items():
        assert hasattr(*lmms_eval._place(target)), target
        assert len(reason.split()) > 8


def test_patches_for_a_run_are_taken_back() -> None:
    from safecot_eval.generate import lmms_eval

    places = [lmms_eval._place(target) for target in (lmms_eval.MODEL, lmms_eval.TRACKER, lmms_eval.BARS)]
    before = [vars(holder)[name] for holder, name in places]

    def interrupted() -> None:
        with (
            lmms_eval.built_models(lambda model: model),
            lmms_eval.written_to(Path("x")),
            lmms_eval.without_bars(),
        ):
            assert not any(vars(holder)[name] in before for holder, name in places)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert [vars(holder)[name] for holder, name in places] == before
