"""Commands that are killed at random moments, and what they must leave behind."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest


class Driver:
    """Starts ``safecot`` commands by forking a process that has imported everything."""

    def __init__(self, folder: Path) -> None:
        self.log = folder / "chaos.log"
        environment = {**os.environ, "SAFECOT_CACHE_DIR": str(folder / "cache")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.driver"],
            cwd=Path(__file__).parents[2],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._line() == "ready"

    def run(self, *argv: str | Path, kill: Callable[[float], bool] | None = None) -> tuple[int, float]:
        """Run a command to its end, or until ``kill(seconds so far)`` says so (then by SIGKILL).

        Returns:
            Exit status (-9 for a kill), and the seconds it took.
        """
        started = time.monotonic()
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"argv": [str(a) for a in argv], "log": str(self.log)}) + "\n")
        self.process.stdin.flush()
        child = int(self._line())
        done = threading.Event()

        def watch() -> None:
            while not done.is_set():
                if kill is not None and kill(time.monotonic() - started):
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(child, signal.SIGKILL)
                    return
                time.sleep(0.002)

        watcher = threading.Thread(target=watch, daemon=True)
        if kill is not None:
            watcher.start()
        status = int(self._line())
        done.set()
        return status, time.monotonic() - started

    def tail(self) -> str:
        """The end of what the commands said."""
        return self.log.read_text(errors="replace")[-3000:] if self.log.exists() else ""

    def close(self) -> None:
        """End the process."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(timeout=30)

    def _line(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"the driver died; {self.tail()}"
        return line.strip()


@pytest.fixture(scope="session")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Driver]:
    found = Driver(tmp_path_factory.mktemp("chaos"))
    yield found
    found.close()
