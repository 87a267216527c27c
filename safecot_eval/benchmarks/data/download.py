"""Fetch files: resumed where the server allows, checked, and put in place whole or not at all."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
import zipfile
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path, PurePosixPath
from urllib.parse import quote

from safecot_eval.benchmarks.data.sources import Source
from safecot_eval.util import http_client
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.files import replacing
from safecot_eval.util.files import sha256 as file_sha256
from safecot_eval.util.progress import Progress
from safecot_eval.util.proxies import applied_to_environment

GITHUB_ARCHIVE = "https://codeload.github.com/{repository}/zip/{commit}"
GITHUB_FILE = "https://raw.githubusercontent.com/{repository}/{commit}/{path}"
AT_ONCE = 8
"""Single files fetched at the same time."""
ATTEMPTS = 4
_TIMEOUT_S = 60.0
MAX_UNPACKED_BYTES = 4 * 2**30
REVISION_FILE = "REVISION"
"""Written into a folder when a hub download is complete; names the commit."""

NEWEST = "main"
"""The revision of a source of which no commit could be confirmed; the file ``REVISION`` notes what was taken."""


def fetch(url: str, path: Path, *, sha256: str | None = None, pause_s: float = 1.0) -> Path:
    """Download a file; a partial download beside it is continued.

    Args:
        url: What to fetch.
        path: Where it belongs.
        sha256: The content's hash where it is known.
        pause_s: Wait before a second attempt; doubles each time.

    Raises:
        SafecotError: the server cannot be reached, refuses, or sends other bytes.
    """
    import aiohttp

    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".part")
    problem = ""
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(pause_s * 2 ** (attempt - 1))
        try:
            status = http_client.download(url, partial, timeout_s=_TIMEOUT_S)
        except (aiohttp.ClientError, OSError) as error:
            problem = type(error).__name__
            continue
        if status in (200, 206):
            break
        problem = f"status {status}"
        if status == 416:  # nothing left, or another file: begin again
            partial.unlink()
        elif status < 500:
            raise SafecotError(f"{url}: the server answers {status}; download it by hand to {path}.")
    else:
        raise SafecotError(
            f"{url}: not reachable after {ATTEMPTS} attempts ({problem}); try again to resume."
        )
    if sha256 is not None and file_sha256(partial) != sha256:
        partial.unlink()
        raise SafecotError(f"{url}: the download does not have the pinned hash {sha256[:12]}…; try again.")
    partial.replace(path)
    return path


def fetch_files(source: Source, folder: Path) -> dict[str, Path]:
    """Download a source's single files; those that an earlier call fetched are not asked for again.

    Args:
        source: A source with ``upstream`` files.
        folder: Where they go, each named by its hash: not every upstream path is a path everywhere.

    Returns:
        Upstream path to the file on this machine.

    Raises:
        SafecotError: see :func:`fetch`.
    """

    def one(name: str) -> None:
        path, digest = folder / source.upstream[name], source.upstream[name]
        if not path.is_file() or file_sha256(path) != digest:
            url = GITHUB_FILE.format(repository=source.github, commit=source.commit, path=quote(name))
            fetch(url, path, sha256=digest)

    one_of_each = {digest: name for name, digest in source.upstream.items()}
    with (
        ThreadPoolExecutor(AT_ONCE) as pool,
        Progress(f"fetch {source.folder}", len(one_of_each), unit="files") as shown,
    ):
        waiting = [pool.submit(one, name) for name in one_of_each.values()]
        try:
            for finished in as_completed(waiting):
                finished.result()
                shown.advance(1)
        finally:
            for future in waiting:
                future.cancel()
    return {name: folder / digest for name, digest in source.upstream.items()}


def place_archive(archive: Path, source: Source, target: Path) -> list[str]:
    """Put the members of a repository archive where their hashes (or, for ``by_name``, their names) say.

    Returns:
        The layout paths that were written.

    Raises:
        SafecotError: the file is no zip, or unpacks to more than ``MAX_UNPACKED_BYTES``.
    """
    wanted = {digest: name for name, digest in source.sha256.items() if not source.may_differ(name)}
    name_of = _namer(source.by_name)
    written = []
    with open_zip(archive) as members:
        for member in members.infolist():
            if member.is_dir():
                continue
            inside = PurePosixPath(
                *PurePosixPath(member.filename).parts[1:]
            )  # without the archive's own folder
            name = name_of(str(inside))
            if name is None:
                with members.open(member) as content:
                    name = wanted.get(hashlib.file_digest(content, "sha256").hexdigest())  # type: ignore[arg-type]
            if name is None:
                continue
            with (
                members.open(member) as content,
                replacing(target / name) as scratch,
                scratch.open("wb") as stream,
            ):
                shutil.copyfileobj(content, stream)
            written.append(name)
    return written


def note_commit(archive: Path, source: Source, target: Path) -> None:
    """Write the file ``REVISION``: which commit an archive of the newest state is of (GitHub writes it into the zip's comment)."""
    with open_zip(archive) as members:
        commit = members.comment.decode("ascii", "replace").strip() or "of an unknown commit"
    (target / REVISION_FILE).write_text(f"{source.github} {commit}\n", encoding="utf-8")


def _namer(by_name: Mapping[str, str]) -> Callable[[str], str | None]:
    """Archive path to layout path by the ``by_name`` table; None where the table does not speak."""

    def name_of(inside: str) -> str | None:
        for layout, upstream in by_name.items():
            if inside == upstream:
                return layout
            if upstream.endswith("/") and inside.startswith(upstream) and "/" not in inside[len(upstream) :]:
                return layout + inside[len(upstream) :]
        return None

    return name_of


def unpack_official(archive: Path, source: Source, target: Path) -> int:
    """Check an official zip of images by its hash and unpack ``imgs/…`` of it below ``target``.

    Returns:
        Number of images written.

    Raises:
        SafecotError: there is no such zip for this source, or the hash is another.
    """
    if source.archive_sha256 is None:
        raise SafecotError(f"{source.folder} has no official archive; leave --archive out.")
    if not archive.is_file():
        raise SafecotError(f"--archive {archive}: there is no such file.")
    if file_sha256(archive) != source.archive_sha256:
        raise SafecotError(
            f"--archive {archive}: not the official file (its SHA-256 should begin {source.archive_sha256[:12]}…); "
            "download it again."
        )
    count = 0
    with open_zip(archive) as members:
        for member in members.infolist():
            parts = PurePosixPath(member.filename).parts
            if member.is_dir() or len(parts) < 3 or ".." in parts or not member.filename.endswith(".jpg"):
                continue
            path = target / "imgs" / Path(*parts[-3:])  # scenario / image type / id.jpg
            path.parent.mkdir(parents=True, exist_ok=True)
            with members.open(member) as content, path.open("wb") as stream:
                shutil.copyfileobj(content, stream)
            count += 1
    return count


def open_zip(archive: Path) -> zipfile.ZipFile:
    """Open a zip that unpacks to at most ``MAX_UNPACKED_BYTES``.

    Raises:
        SafecotError: it is no zip, or too large.
    """
    try:
        opened = zipfile.ZipFile(archive)
    except (zipfile.BadZipFile, OSError) as error:
        raise SafecotError(f"{archive}: not a zip file; delete it and try again.") from error
    size = sum(member.file_size for member in opened.infolist())
    if size > MAX_UNPACKED_BYTES:
        opened.close()
        raise SafecotError(f"{archive}: unpacks to {size // 2**20} MiB, over the limit.")
    return opened


def fetch_hub(source: Source, target: Path, *, endpoint: str | None = None) -> None:
    """Download the pinned revision of a hub data set (``REVISION`` in the folder names it); the hub client resumes and checks by itself.

    Raises:
        SafecotError: the set is gated and not granted, or the hub cannot be reached.
    """
    try:
        from huggingface_hub import HfApi
        from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError
    except ImportError as error:
        raise SafecotError("Hub data sets need huggingface_hub: pip install 'safecot-eval[hub]'.") from error

    address = endpoint or os.environ.get("HF_ENDPOINT") or "https://huggingface.co"
    try:
        with applied_to_environment(address):
            api = HfApi(endpoint=endpoint)
            revision = source.revision
            if revision == NEWEST:
                revision = str(api.dataset_info(str(source.hub), revision=NEWEST).sha)
            api.snapshot_download(
                str(source.hub),
                repo_type="dataset",
                revision=revision,
                allow_patterns=list(source.patterns),
                local_dir=target,
            )
        (target / REVISION_FILE).write_text(f"{source.hub} {revision}\n", encoding="utf-8")
    except SafecotError:
        raise
    except (GatedRepoError, RepositoryNotFoundError) as error:
        raise SafecotError(source.gated or f"{source.hub}: the hub knows no such data set.") from error
    except Exception as error:  # what its transport raises has another base class in each major version
        raise SafecotError(
            f"{source.hub}: the hub cannot be reached ({type(error).__name__}); unset HF_HUB_OFFLINE or try later."
        ) from error
