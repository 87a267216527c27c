"""``python -m MODULE`` in a process of its own, forked from one that has imported lmms-eval, torch and transformers already.

The imports take seven to ten seconds of processor time. What a user's process has, this one has, too: its own environment,
folder, arguments, output and exit status.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from multiprocessing.context import ForkServerContext
from pathlib import Path


class Started:
    """A module that runs as ``python -m`` runs it.

    Args:
        command: Its name, and what follows it on the command line.
        cwd: Folder to run in.
        env: The whole environment; the caller's if not given.
    """

    def __init__(self, *command: str, cwd: Path, env: Mapping[str, str] | None = None) -> None:
        self.command = command
        self._said = tempfile.TemporaryDirectory()
        self._paths = [str(Path(self._said.name, name)) for name in ("stdout", "stderr")]
        environment = dict(os.environ if env is None else env)
        self.process = _server().Process(target=_run, args=(command, str(cwd), environment, *self._paths))
        self.process.start()

    @property
    def said(self) -> str:
        """What it has said so far, on stdout and on stderr."""
        paths = [Path(path) for path in self._paths]
        return "".join(path.read_text(encoding="utf-8", errors="replace") for path in paths if path.exists())

    def wait(self, timeout: float = 300) -> subprocess.CompletedProcess[str]:
        """Its end; killed after ``timeout`` seconds."""
        self.process.join(timeout)
        if late := self.process.exitcode is None:
            self.process.kill()
            self.process.join()
        said = [Path(path).read_text(encoding="utf-8") for path in self._paths]
        self._said.cleanup()
        if late:
            raise subprocess.TimeoutExpired(self.command, timeout, *said)
        return subprocess.CompletedProcess(self.command, self.process.exitcode, *said)


def python_m(
    *command: str, cwd: Path, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Start a module and wait for its end."""
    return Started(*command, cwd=cwd, env=env).wait()


def start_ranks(*command: str, cwd: Path) -> list[Started]:
    """Two processes that belong together, with the variables that torchrun gives its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    shared = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}
    shared |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    return [Started(*command, cwd=cwd, env={**shared, "RANK": n, "LOCAL_RANK": n}) for n in ("0", "1")]


def instead_of_run(command: Sequence[str], **_: object) -> subprocess.CompletedProcess[str]:
    """In the place of ``subprocess.run``, for code of ours that starts ``[sys.executable, "-m", …]``."""
    assert list(command[:2]) == [sys.executable, "-m"]
    return python_m(*command[2:], cwd=Path.cwd())


@cache
def _server() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.preloaded"])
    return context


def _run(command: tuple[str, ...], cwd: str, environment: dict[str, str], stdout: str, stderr: str) -> None:
    for number, path in ((1, stdout), (2, stderr)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), number)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(cwd)
    sys.path.insert(0, cwd)
    sys.argv = list(command)
    runpy.run_module(command[0], run_name="__main__", alter_sys=True)
