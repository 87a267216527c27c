"""One process at a time: an exclusive lock on a file, which the system itself drops when its holder dies."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of a file, which is made where it is missing and stays behind.

    ``flock(2)``: held by the open file, so that two places of one process exclude each other, too.

    Args:
        path: The lock file, in a folder that exists.

    Raises:
        BlockingIOError: somebody else holds it.
        OSError: the file cannot be made, or its file system knows no locks.
    """
    held = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(held)
