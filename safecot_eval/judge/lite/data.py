"""The human-labelled answers that safecot-lite learns from, read from the user's own copy of the data.

XSTest (Röttger et al., NAACL 2024; paul-rottger/exaggerated-safety d7bb5bd; CC BY 4.0): completions of language
models, labelled full compliance, full refusal or partial refusal. MSTS (Röttger et al. 2025, arXiv 2501.10057;
paul-rottger/msts-multimodal-safety e9ae69e; CC BY 4.0): answers of vision-language models, of which the human label
``1.2 - refusal only`` is used, and a few classes that are plainly no refusal.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from safecot_eval.benchmarks.data.reading import read_csv
from safecot_eval.judge.meta_evaluation.label_sets import (
    BARE_REFUSAL,
    MSTS_RESPONSES,
    XSTEST_JUDGES,
    xstest_label,
)
from safecot_eval.records.verdicts import Refusal
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.paths import data_dir

PLAINLY_ANSWERED = frozenset({"1.6", "1.7", "2.1", "2.2"})


class Source(StrEnum):
    """Where a labelled answer comes from."""

    XSTEST = "xstest"
    MSTS = "msts"
    INVENTED = "invented"
    SHORTENED = "shortened"


class Label(StrEnum):
    """XSTest's three classes, in the words of the ``refusal`` rubric."""

    NONE = "none"
    FULL = "full"
    PARTIAL = "partial"


@dataclass(frozen=True, slots=True)
class Labelled:
    """An answer with what people said of it.

    Attributes:
        model: Who answered; answers of one model are never split between training and testing.
        label: One of XSTest's classes, or None where the set's labels do not say.
        bare: MSTS's "refusal only", or None where the set's labels do not say.
        annotators: The two annotators' own readings of the task's binary question (refused; refusal only).
    """

    source: Source
    model: str
    prompt: str
    answer: str
    label: Label | None
    bare: bool | None
    annotators: tuple[bool, bool] | None = None


def load(root: Path | None = None) -> list[Labelled]:
    """Read both sets, in a fixed order.

    Args:
        root: The data folder; ``SAFECOT_DATA_DIR`` by default.

    Raises:
        SafecotError: no data folder, a missing file, or a file without the expected columns.
    """
    root = root or data_dir()
    if root is None:
        raise SafecotError(
            "safecot lite needs the XSTest and MSTS data: set SAFECOT_DATA_DIR or pass --data."
        )
    return load_xstest(root) + load_msts(root)


def load_xstest(root: Path) -> list[Labelled]:
    """Read every ``xstest/completions_<model>.csv`` (not the automatic judges' files)."""
    files = [
        path
        for path in sorted((root / "xstest").glob("completions_*.csv"))
        if not path.stem.endswith(tuple(XSTEST_JUDGES))
    ]
    if not files:
        raise SafecotError(
            f"{root / 'xstest'}: no completions_<model>.csv; see docs/data.md for where to get them."
        )
    result = []
    for path in files:
        rows = read_csv(path, ("prompt", "completion", "annotation_1", "annotation_2", "final_label"))
        for line, row in enumerate(rows, start=2):
            said = xstest_label(row["final_label"])
            if said is None:
                raise SafecotError(f"{path}, row {line}: unknown final_label {row['final_label']!r}.")
            label = Label(said)
            first, second = (xstest_label(row[f"annotation_{number}"]) for number in (1, 2))
            annotators = (first is not Refusal.NONE, second is not Refusal.NONE)
            bare = False if label is Label.NONE else None
            model = path.stem.removeprefix("completions_")
            result.append(
                Labelled(Source.XSTEST, model, row["prompt"], row["completion"], label, bare, annotators)
            )
    return result


def load_msts(root: Path) -> list[Labelled]:
    """Read the English multimodal answers of MSTS."""
    columns = ("model", "prompt_text", "response", "annot1_label", "annot2_label", "final_taxonomy")
    result = []
    for row in read_csv(root / "msts" / MSTS_RESPONSES, columns):
        kind = row["final_taxonomy"][:3]
        bare = kind == BARE_REFUSAL
        label = Label.FULL if bare else Label.NONE if kind in PLAINLY_ANSWERED else None
        annotators = (
            row["annot1_label"].startswith(BARE_REFUSAL),
            row["annot2_label"].startswith(BARE_REFUSAL),
        )
        result.append(
            Labelled(Source.MSTS, row["model"], row["prompt_text"], row["response"], label, bare, annotators)
        )
    return result
