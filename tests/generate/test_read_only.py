"""Output on a file system that cannot be written: one sentence from every pass, nothing changed.

Root may write anywhere that a mount does not forbid, so the folder is a mount of our own.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.reports.make_runs import make_runs

COMMANDS = {
    "judge": "judge runs --judge lite",
    "report": "report runs -o runs/page.html",
    "merge": "merge runs -o runs/merged",
    "label": "label export runs -o runs/labels.csv",
    "generate": "run --model safecot_baseline --model_args policy=refuse_all --tasks safecot_mini_tiny "
    "--output_path runs/more",
}


def read_only(folder: Path, command: str) -> subprocess.CompletedProcess[str]:
    """Run a shell command beside ``folder``, which is mounted read-only for it; skips where mounts are not allowed."""
    mount = f"mount --bind {folder} {folder} && mount -o remount,bind,ro {folder}"
    if subprocess.run(["unshare", "-rm", "bash", "-c", mount], capture_output=True).returncode:
        pytest.skip("this machine does not allow mount namespaces")
    return subprocess.run(
        ["unshare", "-rm", "bash", "-c", f"{mount} && {command}"],
        cwd=folder.parent,
        capture_output=True,
        text=True,
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_every_pass_says_so_and_changes_nothing(name: str, tmp_path: Path) -> None:
    runs = make_runs(tmp_path / "runs", models={"a": (0.8, 0.2)}, count=20)
    before = {path: path.read_bytes() for path in runs.rglob("*") if path.is_file()}
    done = read_only(runs, f"{sys.executable} -m safecot_eval {COMMANDS[name]}")
    assert done.returncode == 2, done.stderr
    assert done.stderr.splitlines()[-1].startswith("safecot: ")
    assert "Read-only file system" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert {path: path.read_bytes() for path in runs.rglob("*") if path.is_file()} == before
