"""The English words by which the language guard tells that a short answer is not English.

    SAFECOT_DATA_DIR=… python bench/english_words.py

Writes ``safecot_eval/scoring/english_words.txt``: every word of three letters and more that five answers of XSTest, MSTS or
SafeCoT's runs have, or five questions and generations of benchmarks about harm, whose words are rare elsewhere. The other
recorded answers are left out, so that what the guard flags there is told on unseen ones.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from bench_languages import english

from safecot_eval.scoring.language import ENGLISH_WORDS, words_of
from safecot_eval.util import paths

LEAST_TEXTS = 5
LEAST_LETTERS = 3
LEFT_OUT = "other recorded answers"
ABOUT_HARM = ("harmbench", "strongreject", "siuo", "mm_safetybench", "vlguard", "figstep", "mossbench")


def texts(root: Path) -> Iterator[str]:
    """Answers, and lines of the benchmarks' tables."""
    yield from (answer for name, answer in english(root) if name != LEFT_OUT)
    for folder in ABOUT_HARM:
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in (".csv", ".json", ".jsonl"):
                yield from path.read_text(encoding="utf-8", errors="replace").splitlines()


def main() -> None:
    """Count and write."""
    root = paths.data_dir()
    if root is None:
        sys.exit(
            "english_words needs MSTS, XSTest, the recorded runs and the benchmarks: set SAFECOT_DATA_DIR."
        )
    found: Counter[str] = Counter()
    for text in texts(root):
        found.update({word for word in words_of(text) if len(word) >= LEAST_LETTERS and word.isascii()})
    words = sorted(word for word, n in found.items() if n >= LEAST_TEXTS)
    ENGLISH_WORDS.write_text("\n".join(words) + "\n", encoding="utf-8")
    print(f"{len(words):,} words")


if __name__ == "__main__":
    main()
