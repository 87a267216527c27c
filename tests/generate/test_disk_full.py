"""A disk that is full, or a folder that cannot be written, at every pass: one sentence, and earlier files as they were.

The kernel's limit on file sizes stands for the disk: a write that goes over it fails half way, as on a full disk.
"""

from __future__ import annotations

import contextlib
import hashlib
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from safecot_eval.cli import main as safecot
from tests.generate.fault_server import FaultServer
from tests.reports.make_runs import make_runs


@contextlib.contextmanager
def room_for(size: int) -> Iterator[None]:
    """Let no file grow beyond a size."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def state(folder: Path) -> dict[str, str]:
    """Every file with its hash (locks are no content)."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.endswith((".lock", ".owner"))
    }


def fails(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    """Run a command that must end with status 2 and one sentence; returns it."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as stopped:
        safecot([str(argument) for argument in arguments])
    said = capsys.readouterr().err
    last = said.strip().splitlines()[-1] if said.strip() else ""
    assert stopped.value.code == 2, said
    assert last.startswith("safecot: "), said
    assert "Traceback" not in said
    return last


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    return make_runs(tmp_path / "runs", models={"a": (0.8, 0.2), "b": (0.4, 0.1)}, count=40)


@pytest.mark.parametrize("name", ["page.html", "t.csv", "t.json", "t.md", "t.tex", "t.parquet"])
def test_report(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    out = tmp_path / "out"
    with pytest.raises(SystemExit):
        safecot(["report", str(runs), "-o", str(out / name)])
    before = state(out)
    assert len(before) == 1
    with room_for(500):
        assert name in fails(capsys, "report", runs, "-o", out / name)
    assert state(out) == before
    assert "cannot be written" in fails(capsys, "report", runs, "-o", "/proc/nowhere/page.html")


def test_merge(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        safecot(["merge", str(runs / "m0"), "-o", str(tmp_path / "out")])
    assert not stopped.value.code
    before = state(tmp_path / "out")
    with room_for(500):
        fails(capsys, "merge", runs, "-o", tmp_path / "out")
    after = state(tmp_path / "out")
    assert {name: after[name] for name in before} == before
    fails(capsys, "merge", runs, "-o", "/proc/nowhere")


@pytest.mark.slow
def test_judge(runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with FaultServer() as server:
        server.reply_of = lambda body: (body.get("structured_outputs") or {"choice": ["x"]})["choice"][0]
        command = ("judge", runs, "--url", server.url, "--judge", "served", "--no-cache", "--quiet")
        before = state(runs)
        with room_for(3000):
            fails(capsys, *command)
        assert {name: value for name, value in state(runs).items() if name in before} == before
        with pytest.raises(SystemExit) as stopped:
            safecot([str(part) for part in command])
        assert not stopped.value.code


@pytest.mark.slow
@pytest.mark.xdist_group("lmms_eval_in_process")
def test_generate(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Full while answers are journalled, and full while the results are written."""
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    out = tmp_path / "out"
    with FaultServer() as server:
        model = ("--model", "safecot_openai", "--model_args", f"model=served,base_url={server.url}")
        command = ("run", *model, "--tasks", "safecot_mini_tiny", "--output_path", out)
        with pytest.raises(SystemExit) as stopped:
            safecot([str(part) for part in (*command, "--limit", "6")])
        assert not stopped.value.code
        published = {name: value for name, value in state(out).items() if ".journal" not in name}
        with room_for(4000):
            assert "answers are kept" in fails(capsys, *command)
        middle = state(out)
        assert {name: middle[name] for name in published} == published
        answered = sum(server.answered.values())
        journal = sum(path.stat().st_size for path in out.rglob(".journal/*.jsonl"))
        with room_for(journal + 40_000):  # the journal fits, the samples file does not
            assert "make room" in fails(capsys, *command)
        assert {name: value for name, value in state(out).items() if name in published} == published
        assert not list(out.rglob("staging*"))
        with pytest.raises(SystemExit) as stopped:
            safecot([str(part) for part in command])
        assert not stopped.value.code
        assert sum(server.answered.values()) <= 52 + 32  # what was in flight when the disk was full
        assert answered < sum(server.answered.values()) + 1
