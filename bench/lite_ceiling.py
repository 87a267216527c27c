"""What can be learned of the recorded judge and of XSTest's people, and what cannot. Writes ``bench/results/lite_ceiling.md``.

    SAFECOT_DATA_DIR=… python bench/lite_ceiling.py [WORD IN A SECTION'S TITLE …] [--encoder FOLDER]

Three fine-tuned runs of SafeCoT stay under κ 0.85 and XSTest under 0.92. Is the judge at odds with itself? Do other runs lack
what would be needed? Would another model of the same words do better? Takes about four minutes on one core, and as long again
with an encoder (``--encoder``: a folder with all-MiniLM-L6-v2 as transformers saves it; needs torch).
"""

from __future__ import annotations

import argparse
import functools
from collections.abc import Callable
from pathlib import Path

from bench_lite import section
from lite_ceiling_judge import by_closing, closings, judges, judges_by_closing
from lite_ceiling_people import on_people
from lite_ceiling_readers import encoded, readers
from lite_other_sets import data_root

from safecot_eval.judge.lite.data import load_runs

OUTPUT = Path(__file__).parent / "results" / "lite_ceiling.md"
ENCODED = "A pretrained encoder"


def main() -> None:
    """Run the sections whose title contains one of the arguments (all without any); the others stay as they are."""
    parser = argparse.ArgumentParser(description="Measure what lite can learn.")
    parser.add_argument(
        "words", nargs="*", help="Sections whose title contains one of these words; all by default."
    )
    parser.add_argument(
        "--encoder", type=Path, help="Folder of a pretrained BERT; without it that section stays."
    )
    arguments = parser.parse_args()
    given = arguments.words
    rows = load_runs(data_root())
    part = functools.partial
    sections: tuple[tuple[str, str, Callable[[], list[str]]], ...] = (
        (
            "One judge or several",
            "The judge reads nothing but the answer, and the same answer has nearly the same probability in all runs but a few: those "
            "must have been judged by another wording or model. (Runs with ten shared answers or more; what is near is bf16's rounding.)",
            part(judges, rows),
        ),
        (
            "One judge or several, by last sentence",
            "Common last refusals of v2 checkpoints, with five answers or more in three runs.",
            part(judges_by_closing, rows),
        ),
        (
            "Answers that are nearly alike",
            "Pairs of v2 answers with the same last sentence, one of the common refusals. The judge is not at odds with itself.",
            part(closings, rows),
        ),
        (
            "What the three runs' errors are",
            "A reader that calls all of these refused makes so many errors by them alone.",
            part(by_closing, rows),
        ),
        (
            "Readers of the same words",
            "κ with the recorded judge by readers that learn its logits on answers of v2 checkpoints and base models; in brackets with "
            "the threshold chosen on the tested run itself, an upper bound.",
            part(readers, rows),
        ),
        (
            ENCODED,
            "all-MiniLM-L6-v2, frozen: its states of the last sentence and of what stands before, read linearly, without the other "
            "judge's runs.",
            part(encoded, rows, arguments.encoder),
        ),
        (
            "XSTest, other ways to fit the same features",
            "Each model left out, fixed settings (nothing calibrated). κ 0.92 is 53 errors of 1,350; the sampling error of such a count is 7.",
            on_people,
        ),
    )
    done = written()
    for title, text, make in sections:
        if title == ENCODED and arguments.encoder is None:
            continue
        if not given or any(word.lower() in title.lower() for word in given):
            done[title] = section(title, text, make)
            known = [done[name] for name, _, _ in sections if name in done]
            head = "# What lite can and cannot learn\n\nWritten by `python bench/lite_ceiling.py`; do not edit.\n"
            OUTPUT.write_text("\n".join([head, *known]), encoding="utf-8")


def written() -> dict[str, str]:
    """Sections of the results file as it is, by title."""
    if not OUTPUT.exists():
        return {}
    parts = OUTPUT.read_text(encoding="utf-8").split("\n## ")[1:]
    return {part.partition("\n")[0]: f"## {part.rstrip()}\n" for part in parts}


if __name__ == "__main__":
    main()
