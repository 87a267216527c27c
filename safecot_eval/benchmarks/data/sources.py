"""What is known about each data folder: origin, licence, warning, pinned hashes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import yaml

_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Source:
    """One entry of ``sources.yaml``, with the hashes of ``checksums/<folder>.sha256``.

    Attributes:
        folder: Name of the data folder.
        licence: One line.
        warning: What in it may hurt the reader.
        github: ``owner/name``, or None.
        commit: The pinned commit of it.
        by_name: Layout path (or folder/) to archive path (or folder/), for files taken by name.
        hub: Data set on the Hugging Face hub, or None.
        revision: The pinned revision of it.
        patterns: What is taken from it.
        tables: Exported JSON-lines file to the pattern of the Parquet files it comes from.
        image_tables: Pattern of Parquet files to the pattern of the image files that come from them.
        unpack: Patterns of zips and tars of the hub set that are unpacked in place.
        needed: Files (or folders/) that must be there beyond the pinned ones.
        gated: The sentence for data that need an agreement.
        by_hand: The sentence for data that nothing downloads.
        extracted: Its texts are taken out of files of other repositories (:mod:`safecot_eval.benchmarks.data.protocols`).
        archive_sha256: Hash of an official zip that the user downloads.
        counts: Number of files that must be in a folder, beyond the pinned ones.
        sha256: Layout path to hash.
        upstream: Upstream path to hash, for sources of which single files are fetched and converted
            (:mod:`safecot_eval.benchmarks.data.safecot_history`).
    """

    folder: str
    licence: str
    warning: str
    github: str | None = None
    commit: str = ""
    by_name: Mapping[str, str] = field(default_factory=dict)
    hub: str | None = None
    revision: str = ""
    patterns: tuple[str, ...] = ()
    tables: Mapping[str, str] = field(default_factory=dict)
    image_tables: Mapping[str, str] = field(default_factory=dict)
    unpack: tuple[str, ...] = ()
    needed: tuple[str, ...] = ()
    gated: str | None = None
    by_hand: str | None = None
    extracted: bool = False
    archive_sha256: str | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    sha256: Mapping[str, str] = field(default_factory=dict)
    upstream: Mapping[str, str] = field(default_factory=dict)

    def may_differ(self, path: str) -> bool:
        """Whether a file's upstream bytes differ from the pinned ones (it is taken by name).

        >>> sources()["msts"].may_differ("responses_english_multimodal.csv")
        True
        """
        return any(path == name or (name.endswith("/") and path.startswith(name)) for name in self.by_name)


@cache
def sources() -> dict[str, Source]:
    """All data folders, by name."""
    raw = yaml.safe_load((_HERE / "sources.yaml").read_text(encoding="utf-8"))
    return {
        folder: Source(
            folder=folder,
            sha256=_checksums(_HERE / "checksums" / f"{folder}.sha256"),
            upstream=_checksums(_HERE / "checksums" / f"{folder}.upstream.sha256"),
            **{**entry, **{key: tuple(entry.get(key, ())) for key in ("patterns", "unpack", "needed")}},
        )
        for folder, entry in raw.items()
    }


def source(folder: str) -> Source | None:
    """What is known about a data folder; None for one that nobody described."""
    return sources().get(folder)


def _checksums(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    return {name: digest for digest, name in (line.split("  ", 1) for line in lines if line)}
