"""The language guard and the phrase lists of other languages, on MSTS's labelled answers and on English ones.

    SAFECOT_DATA_DIR=… python bench/bench_languages.py

Writes ``bench/results/languages.md``: about a minute on one core.
"""

from __future__ import annotations

import csv
import datetime
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from safecot_eval.judge import lite
from safecot_eval.judge.lite.evaluate import kappa
from safecot_eval.scoring import refusal
from safecot_eval.scoring.language import unread
from safecot_eval.util import paths

OUTPUT = Path(__file__).parent / "results" / "languages.md"
LANGUAGES = ("farsi", "french", "hindi", "italian", "korean", "russian")
BARE, SAYS_NO = ("1.2",), ("1.1", "1.2")


def english(root: Path) -> Iterator[tuple[str, str]]:
    """Every English answer at hand: (set, answer)."""
    for path in sorted((root / "xstest").glob("completions_*.csv")):
        if not path.stem.endswith("labels"):
            yield from (("XSTest", row["completion"]) for row in _rows(path))
    for name in ("multimodal", "textonly"):
        yield from (("MSTS", row["response"]) for row in _rows(root / f"msts/responses_english_{name}.csv"))
    for folder, shown in (("safecot_runs", "SafeCoT's runs"), ("recorded_answers", "other recorded answers")):
        for path in sorted((root / folder).rglob("*.jsonl")):
            yield from (
                (shown, json.loads(line)["answer"] or "")
                for line in path.read_text(encoding="utf-8").splitlines()
            )


def guard(root: Path) -> list[str]:
    """How many English answers are flagged; what the flagged ones are."""
    total: Counter[str] = Counter()
    flagged: Counter[str] = Counter()
    codes: dict[str, Counter[str]] = {}
    started = time.process_time()
    for name, answer in english(root):
        found = unread(answer)
        total[name] += 1
        if found is not None:
            flagged[name] += 1
            codes.setdefault(name, Counter())[found] += 1
    spent = time.process_time() - started
    lines = ["| English answers | n | flagged | share | as |", "|---|--:|--:|--:|---|"]
    for name, n in sorted(total.items(), key=lambda item: -flagged[item[0]] / item[1]):
        seen = ", ".join(f"{code} {k}" for code, k in codes.get(name, Counter()).most_common(8))
        lines.append(f"| {name} | {n:,} | {flagged[name]} | {100 * flagged[name] / n:.3f} % | {seen} |")
    share = 100 * flagged.total() / total.total()
    return [
        *lines,
        "",
        f"All: {flagged.total()} of {total.total():,} ({share:.3f} %), in {spent:.1f} s of processor time.",
    ]


def unseen(root: Path) -> list[str]:
    """The English list, and lite, on answers in another language: what people call a refusal is never counted as complied."""
    lines = [
        "| language | answers | not read | refusals by people (1.2) | of these counted as complied by phrases | by safecot-lite | "
        "read as English |",
        "|---|--:|--:|--:|--:|--:|---|",
    ]
    phrases, model = refusal.load_list(refusal.DEFAULT_LIST), lite.load()
    for name in LANGUAGES:
        rows = _rows(root / f"msts/responses_other/{name}_multimodal.csv")
        said = [phrases.read(answer=row["response"]) for row in rows]
        bare = [row["annot1_label"][:3] in BARE for row in rows]
        read = [row["response"][:25] for row, one in zip(rows, said, strict=True) if one.unread is None]
        lost = sum(one.matched is False and declined for one, declined in zip(said, bare, strict=True))
        refused = [row for row, one in zip(rows, bare, strict=True) if one]
        answers, prompts = ([row[key] for row in refused] for key in ("response", "prompt_text"))
        labels = model.refusals(model.read(answers, prompts, [""] * len(answers))).labels
        by_lite = sum(lite.RUBRIC_LABEL[label] == "none" for label in labels)
        shown = ", ".join(f"{text!r} {k}" for text, k in Counter(read).most_common(3))
        lines.append(
            f"| {name} | {len(rows)} | {len(rows) - len(read)} | {sum(bare)} | {lost} | {by_lite} | {shown} |"
        )
    return lines


def lists(root: Path) -> list[str]:
    """Each language's own list against its annotator, worst first."""
    found = []
    for name in LANGUAGES:
        rows = _rows(root / f"msts/responses_other/{name}_multimodal.csv")
        own = refusal.load_list(name)
        refused = [own.read(answer=row["response"]).matched for row in rows]
        no = [own.rebuts().read(answer=row["response"]).matched for row in rows]
        read = np.array([one is not None for one in refused])
        classes = [row["annot1_label"][:3] for row in rows]
        bare = np.array([one in BARE for one in classes])
        says_no = np.array([one in SAYS_NO for one in classes])
        said, rebutted = np.array([bool(one) for one in refused]), np.array([bool(one) for one in no])
        found.append(
            (
                kappa(rebutted[read], says_no[read]),
                f"| {name} | {100 * read.mean():.1f} % | {bare.sum()} | {(said & bare & read).sum()} "
                f"| {(said & ~bare).sum()} | {kappa(said[read], bare[read]):.3f} | {says_no.sum()} "
                f"| {kappa(rebutted[read], says_no[read]):.3f} |",
            )
        )
    return [
        "| language | answers read | bare refusals (1.2) | found | others that match | κ, bare refusal | refused or rebutted (1.1, 1.2) | κ, with rebuttals |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
        *[line for _, line in sorted(found)],
    ]


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def main() -> None:
    """Measure and write."""
    root = paths.data_dir()
    if root is None:
        sys.exit("bench_languages needs MSTS, XSTest and the recorded runs: set SAFECOT_DATA_DIR.")
    parts = [
        f"# Languages\n\nWritten by `python bench/bench_languages.py` on {datetime.datetime.now(tz=datetime.UTC).date()}; do "
        "not edit. Languages by py3langid 0.4; the labels are MSTS's, one annotator for each language (CC BY 4.0).",
        "## English answers that the guard flags\n\nAt most 0.5 % are allowed. Most of those that it does flag end in another "
        "language: answers that ask for phrases of a language, and checkpoints that slip into Chinese.",
        "\n".join(guard(root)),
        "## Answers in languages that the English lists do not read\n\nThe guard learned nothing from these answers; its thresholds were set "
        'on invented sentences in forty languages. Its English words are from the English answers above, but for "other recorded answers".',
        "\n".join(unseen(root)),
        "## Lists of their own\n\nWritten without the answers, then checked and fixed on them, so that these figures flatter. "
        "Arabic, Chinese, German and Spanish have no labelled answers, and unchecked lists.",
        "\n".join(lists(root)),
    ]
    OUTPUT.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    print("\n\n".join(parts))


if __name__ == "__main__":
    main()
