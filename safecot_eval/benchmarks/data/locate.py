"""Find an item's image below a data folder: by its recorded name, whatever its ending, never outside the folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from safecot_eval.records.samples import ImageSource
from safecot_eval.util.errors import SafecotError

IMAGE_SUFFIXES = (".jpg", ".png", ".jpeg", ".webp", ".bmp", ".gif")

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
