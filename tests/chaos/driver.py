"""A process that has imported everything and forks a ``safecot`` command when told to: starts cost nothing.

Reads lines of JSON (``{"argv": [...], "log": path}``) and answers each with two: the child's process id, and its exit status
(negative for a signal). It computes nothing itself, so that a fork is safe.
"""

from __future__ import annotations

import json
import os
import sys
import traceback


def child(argv: list[str], log: str) -> None:
    """Become the command; never returns."""
    stream = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(stream, 1)
    os.dup2(stream, 2)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    status = 1
    try:
        from safecot_eval.cli import main

        main(argv)
        status = 0
    except SystemExit as stop:
        status = stop.code if isinstance(stop.code, int) else 1
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def main() -> None:
    """Import, say so, and serve."""
    import lmms_eval.__main__
    import lmms_eval.evaluator
    import lmms_eval.models  # noqa: F401
    import torch
    import transformers.models.auto  # noqa: F401

    torch.set_num_threads(1)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for line in sys.stdin:
        order = json.loads(line)
        process = os.fork()
        if process == 0:
            child(order["argv"], order["log"])
        sys.stdout.write(f"{process}\n")
        sys.stdout.flush()
        _, status = os.waitpid(process, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
