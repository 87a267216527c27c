"""Files of the upstream repository, by their paths in it, and what its user turns look like."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from safecot_eval.util.errors import SafecotError

Files = Mapping[str, Path]
"""Path in the repository to the file on this machine."""

_ASKED = re.compile(r"^(?P<head>.*?)\nQuestion: (?P<question>.*)\n\n$", re.DOTALL)


def files_below(folder: Path) -> dict[str, Path]:
    """The files of a checkout, by their paths in the repository."""
    return {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}


def file(files: Files, name: str) -> Path:
    """A file that must be there.

    Raises:
        SafecotError: it is not.
    """
    if name not in files:
        raise SafecotError(f"{name} is missing; is this the commit eafa278 of mjc-ma-01/mllm-safety-cot?")
    return files[name]


def asked(text: str, where: str) -> dict[str, str]:
    r"""Question and kind of prompt of a recorded user turn.

    Raises:
        SafecotError: there is no question in it.

    >>> asked("You should think step-by-step.\nQuestion: Why?\n\n", "here")
    {'question': 'Why?', 'prompt': 'cot'}
    """
    found = _ASKED.match(text)
    if found is None:
        raise SafecotError(f"{where}: the question has no line 'Question: …' after its prompt.")
    return {"question": found["question"], "prompt": "cot" if "step-by-step" in found["head"] else "plain"}
