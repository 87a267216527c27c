"""``safecot run`` in this process: lmms-eval is imported once for many runs."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from safecot_eval.records.run import find_runs
from tests.generate.fault_server import FaultServer


def safecot_run(*arguments: str | Path) -> Result:
    """Call the command; the caller's environment is restored afterwards."""
    from safecot_eval.cli.run import command

    before = dict(os.environ)
    try:
        return CliRunner().invoke(command, [str(argument) for argument in arguments])
    finally:
        os.environ.clear()
        os.environ.update(before)


def asked_twice(output: Path, *arguments: str) -> list[dict[str, Any]]:
    """Run against a stand-in endpoint, and again: all that was sent, which is nothing the second time."""
    with FaultServer() as server:
        model = f"model=served,base_url={server.url},api_key=sk-test,num_concurrent=4"
        command = ("--model", "safecot_openai", "--model_args", model, "--output_path", output, *arguments)
        sent = []
        for _ in range(2):
            done = safecot_run(*command)
            assert done.exit_code == 0, done.output
            sent.append(len(server.bodies))
        assert sent[0] == sent[1], "every answer came from the journal"
        return list(server.bodies)


def records_of(folder: Path) -> dict[str, dict[str, Any]]:
    """Records of the newest run by sample id."""
    (run,) = find_runs([folder])
    return {record["sample_id"]: record for record in run.samples()}


def samples_bytes(folder: Path) -> bytes:
    """The newest samples file below a folder."""
    (run,) = find_runs([folder])
    return run.samples_path.read_bytes()


def provenance_of(folder: Path) -> dict[str, Any]:
    """The newest ``_run.json`` below a folder."""
    found: dict[str, Any] = json.loads(sorted(folder.rglob("*_run.json"))[-1].read_text(encoding="utf-8"))
    return found
