"""One input through one target, and the inputs that are kept of it."""

from __future__ import annotations

import shutil
import traceback
import warnings
import zipfile
from pathlib import Path

from safecot_eval.util.errors import SafecotError
from tests.fuzz import targets

CORPUS = Path(__file__).parent / "corpus"


def run(target: targets.Target, data: bytes, scratch: Path) -> str:
    """Call a target in an emptied folder; returns its outcome: its own description, or where it refused the input.

    Raises:
        Exception: anything but a :class:`SafecotError`, which is what a fuzzer looks for.
    """
    for path in scratch.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return "fine: " + target(data, scratch)
    except SafecotError as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        return f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno}"


def kept(name: str) -> list[bytes]:
    """A target's sound inputs, what once crashed it (``corpus/NAME/``), and what fuzzing found (``corpus/NAME.zip``)."""
    crashed = [path.read_bytes() for path in sorted((CORPUS / name).glob("*"))]
    return [*targets.seeds()[name][1], *crashed, *found(name).values()]


def found(name: str) -> dict[str, bytes]:
    """What fuzzing found, by file name."""
    path = CORPUS / f"{name}.zip"
    if not path.exists():
        return {}
    with zipfile.ZipFile(path) as archive:
        return {member: archive.read(member) for member in archive.namelist()}


def keep(name: str, folder: Path) -> int:
    """Replace what fuzzing found by the files of a folder; returns how many. The same files give the same bytes."""
    paths = sorted(folder.iterdir())
    with zipfile.ZipFile(CORPUS / f"{name}.zip", "w") as archive:
        for path in paths:
            archive.writestr(zipfile.ZipInfo(path.name), path.read_bytes(), zipfile.ZIP_DEFLATED, 9)
    return len(paths)
