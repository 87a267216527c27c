"""``safecot run --models`` with everything imported already: the process of each model is a fork of this one."""

from __future__ import annotations

import os
import subprocess
import sys
import traceback
from collections.abc import Sequence
from types import SimpleNamespace

from safecot_eval.cli import main
from safecot_eval.generate import matrix


class Fork:
    """What the matrix needs of ``subprocess.Popen``."""

    def __init__(self, command: Sequence[str], env: dict[str, str]) -> None:
        assert list(command[:3]) == [sys.executable, "-m", "safecot_eval"]
        sys.stdout.flush()
        self.pid = os.fork()
        if self.pid == 0:
            os._exit(_status(list(command[3:])))

    def wait(self, timeout: float | None = None) -> int:
        """Its exit status; negative for a signal."""
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def _status(arguments: list[str]) -> int:
    sys.argv = ["safecot", *arguments]
    status: object = 1
    try:
        main(arguments)
        status = 0
    except SystemExit as stop:
        status = stop.code or 0
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    return status if isinstance(status, int) else 1


if __name__ == "__main__":
    os.setsid()  # a Ctrl-C of the test reaches this process and its models, and nobody else
    matrix.subprocess = SimpleNamespace(Popen=Fork, TimeoutExpired=subprocess.TimeoutExpired)  # type: ignore[assignment]
    main(sys.argv[1:])
