"""Make a benchmark's data ready: fetch what is missing, check it, write replay files."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from safecot_eval.benchmarks import catalogue, registry
from safecot_eval.benchmarks.data import download, protocols, safecot_history, unpack
from safecot_eval.benchmarks.data.replays import write_replays
from safecot_eval.benchmarks.data.roots import cached, folder_of, present
from safecot_eval.benchmarks.data.sources import Source, source
from safecot_eval.benchmarks.data.verify import verify
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.paths import cache_dir

_BOOKKEEPING = (".gitignore", "CACHEDIR.TAG")
"""What the hub client writes into a folder before it has data."""


@dataclass(frozen=True)
class Prepared:
    """What is ready after preparing.

    Attributes:
        name: What was asked for.
        root: The data folder.
        task_names: Task name to its number of items, or to the sentence that says what it lacks.
        replays: Replay files that were written.
        unreadable: The tasks whose items cannot be read.
        bad_images: Task name to the sentence that says which of its images are missing or no images.
    """

    name: str
    root: Path
    task_names: dict[str, int | str]
    replays: list[Path]
    unreadable: tuple[str, ...] = ()
    bad_images: dict[str, str] = field(default_factory=dict)


def prepare(name: str, archive: Path | None = None) -> Prepared:
    """Make one benchmark (or data folder) ready.

    Args:
        name: A benchmark, or a data folder that belongs to none.
        archive: An official zip that the user downloaded.

    Raises:
        SafecotError: unknown name, or data that cannot be had (the sentence says how to obtain them).
    """
    folder = folder_of(name)
    known = source(folder) if folder else None
    root = cache_dir() / name if folder is None else present(folder)
    if folder and known:
        with _no_empty_folder(cached(folder)):
            if archive is not None:
                root = _writable(root or cached(folder))
                download.unpack_official(archive, known, root)
            if root is None or not _enough(known, root):
                root = _obtain(known, root)
    if root is None:
        raise SafecotError(f"Nothing is known about where to get {name}; put its data at {folder}/ yourself.")
    if name not in registry.names():
        return Prepared(name, root, {}, [])
    benchmark = registry.load(name)
    catalogue.why_not_ready.cache_clear()
    task_names: dict[str, int | str] = {}
    unreadable: list[str] = []
    bad_images: dict[str, str] = {}
    for variant in benchmark.variants:
        task_name = benchmark.task_name(variant)
        try:
            count = len(catalogue.items_of(task_name))
            task_names[task_name] = (
                catalogue.lacking_images(task_name) if benchmark.images_from else None
            ) or count
            if (bad := catalogue.bad_images(task_name, opened=True)) is not None:
                bad_images[task_name] = bad
        except SafecotError as error:
            task_names[task_name] = str(error)
            unreadable.append(task_name)
    replays = write_replays(benchmark, root) if len(unreadable) < len(task_names) else []
    return Prepared(name, root, task_names, replays, tuple(unreadable), bad_images)


def first_time(folder: str) -> bool:
    """Whether licence and warning of a folder were not shown before; remembers that they are now."""
    marker = cache_dir() / "data" / ".shown" / folder
    if marker.exists():
        return False
    marker.parent.mkdir(parents=True, exist_ok=True)
    marker.touch()
    return True


@contextmanager
def _no_empty_folder(target: Path) -> Iterator[None]:
    """Take a cache folder away again that a failure leaves without data: an empty one would count as data that are there."""
    try:
        yield
    except BaseException:
        files = [path for path in target.rglob("*") if path.is_file()]
        if target.is_dir() and not target.is_symlink() and all(path.name in _BOOKKEEPING for path in files):
            shutil.rmtree(target)
        raise


def _enough(known: Source, root: Path) -> bool:
    report = verify(known, root)
    if report.changed:
        raise SafecotError(
            f"{root}: {', '.join(report.changed[:3])} {'differs' if len(report.changed) == 1 else 'differ'} from the "
            f"pinned {'hash' if len(report.changed) == 1 else 'hashes'}; remove what differs and prepare again."
        )
    if known.hub and root == cached(known.folder) and not (root / download.REVISION_FILE).is_file():
        return False  # a download of ours that was interrupted
    if known.gated and not known.needed:
        return root.is_dir() and any(root.iterdir())
    return report.complete


def _obtain(known: Source, incomplete: Path | None) -> Path:
    if known.by_hand:
        raise SafecotError(known.by_hand)
    # Texts that the user's own copy lacks come from the cache (``protocols.texts``); other data are of one folder.
    target = _writable(cached(known.folder) if known.extracted else incomplete or cached(known.folder))
    if known.extracted and not verify(known, target).complete:
        protocols.prepare(cached(".archives") / "protocols", target)
    if known.upstream:
        files = download.fetch_files(known, cached(".archives") / f"{known.folder}-{known.commit[:7]}")
        safecot_history.convert(known.folder, files, target)
    elif known.github and not _pinned_files_there(known, target):
        url = download.GITHUB_ARCHIVE.format(repository=known.github, commit=known.commit)
        archive = cached(".archives") / f"{known.folder}-{known.commit}.zip"
        if not archive.is_file():
            download.fetch(url, archive)
        download.place_archive(archive, known, target)
        if known.commit == download.NEWEST:
            download.note_commit(archive, known, target)
            archive.unlink()  # another day's newest is another archive
    if known.hub:
        download.fetch_hub(known, target)
        unpack.unpack_archives(known, target)
        unpack.export_tables(known, target)
        unpack.export_images(known, target)
    report = verify(known, target)
    if not report.complete:
        lacking = [*report.missing, *report.changed, *report.short]
        raise SafecotError(
            f"{target}: still incomplete after downloading ({', '.join(lacking[:3])}"
            f"{', …' if len(lacking) > 3 else ''}); see docs/data.md for what cannot be downloaded."
        )
    return target


def _pinned_files_there(known: Source, target: Path) -> bool:
    report = verify(known, target)
    if known.hub is None and report.short:
        return False
    return bool(known.sha256) and not (report.missing or report.changed)


def _writable(target: Path) -> Path:
    """A folder in the cache; the user's own copy is never written to."""
    if target != cached(target.name):
        raise SafecotError(
            f"{target} is incomplete, and SAFECOT_DATA_DIR is never written to; add there what "
            f"`safecot data verify {target.name}` lists, or unset SAFECOT_DATA_DIR to have a copy downloaded."
        )
    target.mkdir(parents=True, exist_ok=True)
    return target
