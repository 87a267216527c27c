"""Find what belongs to a data folder: an item's image by its recorded name, and a file that lies a folder too deep.

Images are found whatever their ending, and never outside the folder.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from safecot_eval.records.samples import ImageSource
from safecot_eval.util.errors import SafecotError

IMAGE_SUFFIXES = (".jpg", ".png", ".jpeg", ".webp", ".bmp", ".gif")

_DEPTH, _MOST_FOLDERS = 3, 1000
"""How far below a data folder a misplaced file is looked for."""

Found = tuple[tuple[Path, ...], ImageSource]


def find_image(folders: Sequence[Path], recorded: str, where: str) -> Found:
    """Look for one image in several folders.

    Args:
        folders: Where it may be, the first choice first.
        recorded: The path as the benchmark writes it; a copy with another ending (a smaller JPEG of a PNG) counts.
        where: File and record, for the message.

    Returns:
        The arguments ``images`` and ``image_source`` of an item: the file and ``official``, or nothing and
        ``absent`` if no folder has it.

    Raises:
        SafecotError: the recorded path leads out of the folder.
    """
    relative = PurePosixPath(recorded)
    if relative.is_absolute() or ".." in relative.parts:
        raise SafecotError(f"{where}: the image path {recorded!r} leads out of the data folder.")
    for folder in folders:
        path = folder / relative
        candidates = (path, *(path.with_name(path.stem + ending) for ending in IMAGE_SUFFIXES))
        if (found := next((candidate for candidate in candidates if candidate.is_file()), None)) is not None:
            return (found,), ImageSource.OFFICIAL
    return (), ImageSource.ABSENT


def misplaced(folder: Path, names: Sequence[str]) -> str:
    """A sentence for a file that is not where it belongs: it lies further down, as zips unpack, or has capital letters.

    Args:
        folder: Where it belongs.
        names: What it may be called, the first choice first.

    Returns:
        The sentence with a blank before it, or nothing where there is no such file.
    """
    if not folder.is_dir():
        return ""
    wanted = {name.casefold(): name for name in reversed(names)}
    for number, (place, below, files) in enumerate(os.walk(folder)):
        relative = Path(place).relative_to(folder)
        below[:] = sorted(name for name in below if not name.startswith((".", "__MACOSX")))
        if len(relative.parts) >= _DEPTH:
            below.clear()
        for name in sorted(files):
            right = wanted.get(name.casefold())
            if right is None or (relative == Path() and name == right):
                continue
            if relative == Path():
                return f" {name} is there: rename it to {right}."
            there = (relative / name).as_posix()
            return f" {there} is there: move what {relative.as_posix()}/ holds to {folder}."
        if number >= _MOST_FOLDERS:
            return ""
    return ""
