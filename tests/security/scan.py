"""Look for keys in all tracked files (``make check``): patterns of common providers, and names of secrets beside random text.

    python -m tests.security.scan [FOLDER]

A line that must hold something that looks like a key says ``not a key`` (tests of masking do).
"""

from __future__ import annotations

import math
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

MAX_BYTES = 2 * 2**20
PATTERNS = {
    "private key": re.compile(r"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----"),
    "OpenAI or Anthropic key": re.compile(r"\bsk-(?:ant-|proj-)?[A-Za-z0-9_-]{32,}"),
    "Hugging Face token": re.compile(r"\bhf_[A-Za-z0-9]{30,}"),
    "GitHub token": re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{50,})"),
    "AWS key": re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"),
    "Google key": re.compile(r"\bAIza[A-Za-z0-9_-]{35}"),
    "Slack token": re.compile(r"\bxox[abprs]-[A-Za-z0-9-]{20,}"),
    "PyPI token": re.compile(r"\bpypi-[A-Za-z0-9_-]{40,}"),
    "web token": re.compile(r"\beyJ[A-Za-z0-9_-]{15,}\.eyJ[A-Za-z0-9_-]{15,}\."),
    "password in an address": re.compile(r"://[^/\s:@\"']{2,}:[^/\s:@\"'*]{6,}@"),
}
_NAMED = re.compile(
    r"(?i)\b\w*(?:api_?key|secret|passwd|password|auth_?token)\w*\s*[:=]\s*[\"']([A-Za-z0-9+/_=-]{24,})[\"']"
)
_ALLOWED = "not a key"


def entropy(text: str) -> float:
    """Bits per character.

    >>> entropy("aaaa"), entropy("abcd")
    (0.0, 2.0)
    """
    counts = Counter(text).values()
    return -sum(n / len(text) * math.log2(n / len(text)) for n in counts) + 0.0


def findings(path: Path) -> Iterator[tuple[int, str]]:
    """Yield line number and kind of what looks like a key in a file."""
    if path.is_symlink() or not path.is_file() or path.stat().st_size > MAX_BYTES:
        return
    for number, line in enumerate(path.read_bytes().decode("utf-8", "replace").splitlines(), start=1):
        if _ALLOWED in line:
            continue
        for kind, pattern in PATTERNS.items():
            if pattern.search(line):
                yield number, kind
        for found in _NAMED.finditer(line):
            if entropy(found[1]) > 3.5:
                yield number, "random text beside the name of a secret"


def tracked(folder: Path) -> list[Path]:
    """Files that git tracks or would add."""
    listed = subprocess.run(
        ["git", "-C", str(folder), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True,
        check=True,
    ).stdout
    return [folder / name.decode() for name in listed.split(b"\0") if name]


def main(argv: list[str]) -> int:
    """Scan; returns the exit status."""
    folder = Path(argv[0]) if argv else Path(__file__).parents[2]
    files = tracked(folder)
    found = [(path, number, kind) for path in files for number, kind in findings(path)]
    for path, number, kind in found:
        print(f"{path.relative_to(folder)}, line {number}: {kind}")
    print(f"secret scan: {len(files)} files, {len(found)} findings")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
