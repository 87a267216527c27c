"""How many processes run; asked before anything heavy is imported, because some launchers silently start one."""

from __future__ import annotations

import os

from safecot_eval.util.errors import SafecotError


def require_world_size(expected: int | None, actual: int | None = None) -> None:
    """Compare the number of processes with what was asked for.

    Args:
        expected: What the user gave; None for whatever runs.
        actual: Number of processes; from the launcher's environment by default.

    Raises:
        SafecotError: they differ.
    """
    found = int(os.environ.get("WORLD_SIZE", "1")) if actual is None else actual
    if expected is not None and found != expected:
        raise SafecotError(
            f"--world-size {expected} was given but {found} process(es) run; start with `torchrun --nproc_per_node "
            f"{expected} -m safecot_eval train sft …` (on CPU, `accelerate launch` silently starts one process)."
        )


def is_first_process() -> bool:
    """Whether this process is the one that speaks."""
    return os.environ.get("RANK", "0") == "0"
