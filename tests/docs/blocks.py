"""Shell blocks of the documentation and what a comment before each says about it.

``<!-- test: run -->``        a test executes the block, blocks of one page one after the other in one folder;
``<!-- test: tests/… -->``    a test of that file executes these commands;
``<!-- test: docs/… -->``     a page of tests/docs executes it with files that it needs;
``<!-- needs: gpu -->``       nothing here can execute it; also ``endpoint``, ``network``, ``data``, ``files``, ``cluster``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
NEEDS = {"gpu", "endpoint", "network", "data", "files", "cluster", "docker"}
_MARK = re.compile(r"^<!--\s*(test|needs):\s*(.+?)\s*-->$")
_COMMAND = re.compile(
    r"^\s*(?:\$ )?(?:[A-Z_]+=\S+ )*(?:safecot|lmms-eval|make|pip|uv|python3?|docker|git|accelerate|sbatch|srun|vllm|ray|curl)\b",
    re.MULTILINE,
)


@dataclass(frozen=True)
class Block:
    """One shell block: where it starts, its text, and the mark before it (kind and value), if any."""

    page: str
    line: int
    text: str
    kind: str | None
    value: str


def pages() -> list[Path]:
    """README and every page of docs/ (the template repository has its own readers)."""
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(path: Path) -> Iterator[Block]:
    """Shell blocks of a page: fenced as bash, sh, shell or console, or unnamed with a command in it."""
    lines = path.read_text(encoding="utf-8").splitlines()
    fence: tuple[int, str, str] | None = None
    body: list[str] = []
    for number, line in enumerate(lines, start=1):
        found = re.match(r"^(\s*)(```+)\s*([\w+-]*)", line)
        if fence is None and found:
            fence, body = (number, found[2], found[3]), []
        elif fence is not None and line.strip() == fence[1]:
            text = "\n".join(body) + "\n"
            if fence[2] in ("bash", "sh", "shell", "console") or (not fence[2] and _COMMAND.search(text)):
                before = [text for text in (lines[i].strip() for i in range(fence[0] - 1)) if text]
                mark = _MARK.match(before[-1]) if before else None
                yield Block(
                    path.relative_to(ROOT).as_posix(),
                    fence[0],
                    text,
                    mark[1] if mark else None,
                    mark[2] if mark else "",
                )
            fence = None
        elif fence is not None:
            body.append(line)
