"""Write a file whole or not at all: a reader never sees half of it, and a full disk leaves what was there."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from safecot_eval.errors import SafecotError


def write_whole(path: Path, content: bytes) -> None:
    """Write bytes to a file by way of a temporary one beside it.

    Args:
        path: The file; its folder is created where needed.
        content: What to write.

    Raises:
        SafecotError: it cannot be written; the file is as it was, and nothing is left beside it.
    """
    scratch: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:80]}.")
        scratch = Path(name)
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
        scratch.chmod(0o644)
        os.replace(scratch, path)
        scratch = None
    except OSError as error:
        raise SafecotError(f"{path}: cannot be written ({error.strerror}).") from error
    finally:
        if scratch is not None:
            scratch.unlink(missing_ok=True)
