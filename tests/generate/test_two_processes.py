"""Two processes on CPUs: the samples of one, byte for byte, and a run that changes its number of processes."""

from __future__ import annotations

from pathlib import Path

import pytest

from safecot_eval.generate.models import tiny
from tests.generate.in_process import provenance_of, safecot_run, samples_bytes
from tests.processes import start_ranks

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("lmms_eval_in_process")]


def test_two_write_what_one_writes(tmp_path: Path) -> None:
    checkpoint = tiny.build("llava", tmp_path / "tiny")
    arguments = f"pretrained={checkpoint},dtype=float32,device=cpu,batch_size=8"
    run = ("--model", "safecot_hf", "--model_args", arguments, "--tasks", "safecot_mini_tiny")
    run += ("--gen_kwargs", "max_new_tokens=8")
    done = safecot_run(*run, "--output_path", tmp_path / "one", "--limit", "21")
    assert done.exit_code == 0, done.output
    command = ("safecot_eval", "run", *run, "--output_path", str(tmp_path / "two"), "--limit", "21")
    two = start_ranks(*command, cwd=tmp_path)
    for ended in [process.wait() for process in two]:
        assert ended.returncode == 0, ended.stderr[-3000:]
    assert provenance_of(tmp_path / "two")["processes"] == 2
    assert samples_bytes(tmp_path / "two") == samples_bytes(tmp_path / "one")
    parts = sorted(path.name.split(".")[-2] for path in (tmp_path / "two").rglob(".journal/*.jsonl"))
    assert parts == ["0", "1"]
    (tmp_path / "two").rename(tmp_path / "moved")
    done = safecot_run(*run, "--output_path", tmp_path / "moved", "--limit", "21")  # one process goes on
    assert done.exit_code == 0, done.output
    assert "21 of 21 answers came from the journal" in done.output
