"""``safecot data prepare protocols``: the benchmarks' own judge prompts and phrase lists, taken from their repositories.

``protocols.yaml`` says where each text stands; the files are fetched at a pinned commit, what is in them is read as data
(no code of theirs is run), and every text must have the hash that it had when it was described (of one no hash was taken).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import yaml

from safecot_eval.benchmarks.data import download
from safecot_eval.benchmarks.data.protocols.extract import extract
from safecot_eval.benchmarks.data.reading import read_json
from safecot_eval.benchmarks.data.roots import cached
from safecot_eval.util import safe_yaml
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.files import content_hash, replacing, sha256_of
from safecot_eval.util.paths import data_dir

TABLE = Path(__file__).with_name("protocols.yaml")
FOLDER = "protocols"
FILE = "judge_prompts.json"


def table() -> dict[str, Any]:
    """What is taken from where: repositories with their commit, and in each the texts by key."""
    found: dict[str, Any] = safe_yaml.load(TABLE.read_text(encoding="utf-8"))
    return found


def hash_of(text: Any) -> str:
    """16 hexadecimal digits of a prompt, or of a list or table of texts, as it will be written."""
    return content_hash(text)[:16]


def official_text(key: str) -> Any:
    """A text of the prepared file by its key.

    Raises:
        SafecotError: no file has it, or a file cannot be read.
    """
    found = texts()
    if key not in found:
        raise SafecotError(f"The official wording {key} is not here: run `safecot data prepare protocols`.")
    return found[key]


def texts() -> dict[str, Any]:
    """All prepared texts by key: those of the user's own copy, and what it lacks from the cache.

    Raises:
        SafecotError: a file cannot be read, or holds no texts by key.
    """
    own = data_dir()
    found: dict[str, Any] = {}
    for folder in (cached(FOLDER), *((own / FOLDER,) if own else ())):
        if (folder / FILE).is_file():
            found |= _read_texts(folder / FILE)
    return found


def lacking(folder: Path) -> list[str]:
    """The texts that a folder's file lacks: an older version of safecot-eval wrote it, or it is another's.

    Raises:
        SafecotError: the file cannot be read.
    """
    there = _read_texts(folder / FILE) if (folder / FILE).is_file() else {}
    return [key for one in table().values() for key in one["texts"] if key not in there]


def _read_texts(path: Path) -> dict[str, Any]:
    found = read_json(path)
    if not isinstance(found, dict):
        raise SafecotError(
            f"{path}: an object of texts by key was expected; run `safecot data prepare protocols`."
        )
    return found


def prepare(folder: Path, target: Path) -> Path:
    """Fetch the files and write ``judge_prompts.json``.

    Args:
        folder: Where downloaded files are kept, for a later call.
        target: The data folder.

    Returns:
        The file that was written.

    Raises:
        SafecotError: a file cannot be had, or a text is not what was described (repository, file and key are named).
    """
    texts: dict[str, Any] = {}
    for repository, described in table().items():
        fetched: dict[str, str] = {}
        for key, how in described["texts"].items():
            name = how["file"]
            if name not in fetched:
                fetched[name] = _read(repository, described["commit"], name, folder)
            texts[key] = text_of(
                fetched[name], how, f"{repository}, {name} at {described['commit'][:7]}", key
            )
    target.mkdir(parents=True, exist_ok=True)
    with replacing(target / FILE) as scratch:
        scratch.write_text(json.dumps(texts, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return target / FILE


def text_of(content: str, how: Mapping[str, Any], where: str, key: str) -> Any:
    """One text out of a file's content, checked."""
    try:
        found = extract(content, how)
    except (LookupError, SyntaxError, TypeError, ValueError, yaml.YAMLError) as error:
        raise SafecotError(f"{where}: {key} is not where it was ({error}); please report this.") from error
    if hash_of(found) != how.get("sha256", hash_of(found)):
        raise SafecotError(f"{where}: {key} is not the text that was described; please report this.")
    return found


def _read(repository: str, commit: str, name: str, folder: Path) -> str:
    path = folder / sha256_of(f"{repository}@{commit}:{name}")[:32]
    if not path.is_file():
        url = download.GITHUB_FILE.format(repository=repository, commit=commit, path=quote(name))
        download.fetch(url, path)
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise SafecotError(f"{repository}, {name}: not a text file; please report this.") from error
