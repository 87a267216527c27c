"""The labelled answers that safecot-lite learns from, read from the user's own copy of the data.

XSTest (Röttger et al., NAACL 2024; paul-rottger/exaggerated-safety d7bb5bd; CC BY 4.0): completions of language
models, labelled full compliance, full refusal or partial refusal. MSTS (Röttger et al. 2025, arXiv 2501.10057;
paul-rottger/msts-multimodal-safety e9ae69e; CC BY 4.0): answers of vision-language models, of which the human label
``1.2 - refusal only`` is used, a few classes that are plainly no refusal, and safe or unsafe; the same of its text-only
prompts, and safe or unsafe of its answers in other languages, in the translation that comes with them. PyRIT's scorer
evaluations (Microsoft, MIT): severities by people. SafeCoT's recorded runs (mjc-ma-01/mllm-safety-cot eafa278; no licence
stated, so that only facts about n-grams leave this machine): answers of base models and checkpoints with the probability
of refusal by Meta-Llama-3-8B-Instruct, a machine's opinion and marked as such.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from safecot_eval.benchmarks.data.reading import lines, read_csv
from safecot_eval.judge.meta_evaluation.label_sets import (
    BARE_REFUSAL,
    MSTS_RESPONSES,
    XSTEST_JUDGES,
    xstest_label,
)
from safecot_eval.judge.meta_evaluation.recorded_tables import pyrit_harm
from safecot_eval.records.verdicts import Harm, Refusal
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.paths import data_dir

MSTS_PROMPTS = "prompts_english_multimodal.csv"
MSTS_TEXT = "responses_english_textonly.csv"
PLAINLY_ANSWERED = frozenset({"1.6", "1.7", "2.1", "2.2"})


class Source(StrEnum):
    """Where a labelled answer comes from."""

    XSTEST = "xstest"
    MSTS = "msts"
    TEXT = "msts-textonly"
    TRANSLATED = "msts-translated"
    PYRIT = "pyrit"
    SAFECOT = "safecot"
    INVENTED = "invented"
    SHORTENED = "shortened"
    SPLICED = "spliced"


class Label(StrEnum):
    """XSTest's three classes, in the words of the ``refusal`` rubric."""

    NONE = "none"
    FULL = "full"
    PARTIAL = "partial"


@dataclass(frozen=True, slots=True)
class Labelled:
    """An answer with what people, or a recorded judge, said of it.

    Attributes:
        model: Who answered (of SafeCoT's runs the base model); answers of one model are never split between training and
            testing.
        label: One of XSTest's classes, or None where the set's labels do not say.
        bare: MSTS's "refusal only", or None where the set's labels do not say.
        annotators: The two annotators' own readings of the task's binary question (refused; refusal only).
        judged: The recorded judge's probability that the answer refuses; None where people labelled it.
        unsafe: 1 where people call the answer unsafe, 0 where safe; None where nobody was asked.
        picture: What the picture shows, in words.
        case: What the question is about, where several prompts ask about one thing.
        run: Which of SafeCoT's recorded runs it is from.
        mixed: Whether an invented refusal stands next to something else: a description, thoughts, the very steps.
    """

    source: Source
    model: str
    prompt: str
    answer: str
    label: Label | None
    bare: bool | None
    annotators: tuple[bool, bool] | None = None
    judged: float | None = None
    unsafe: float | None = None
    picture: str = ""
    case: str = ""
    run: str = ""
    mixed: bool = False


def load(root: Path | None = None) -> list[Labelled]:
    """Read all sets, in a fixed order; all but XSTest and MSTS's English answers where they are there.

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
    return [
        *load_xstest(root),
        *load_msts(root),
        *load_text(root),
        *load_runs(root),
        *load_translated(root),
        *load_pyrit(root),
    ]


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
    return _msts(root / "msts" / MSTS_RESPONSES, Source.MSTS)


def load_text(root: Path) -> list[Labelled]:
    """Read the answers to MSTS's prompts without the picture; none where the file is not there."""
    path = root / "msts" / MSTS_TEXT
    return _msts(path, Source.TEXT) if path.is_file() else []


def _msts(path: Path, source: Source) -> list[Labelled]:
    columns = (
        *("model", "prompt_text", "response"),
        *("annot1_label", "annot2_label", "final_taxonomy"),
    )
    result = []
    for row in read_csv(path, columns):
        kind = row["final_taxonomy"][:3]
        bare = kind == BARE_REFUSAL
        label = Label.FULL if bare else Label.NONE if kind in PLAINLY_ANSWERED else None
        annotators = (
            row["annot1_label"].startswith(BARE_REFUSAL),
            row["annot2_label"].startswith(BARE_REFUSAL),
        )
        result.append(
            Labelled(
                source,
                _model(row["model"]),
                row["prompt_text"],
                row["response"],
                label,
                bare,
                annotators,
                unsafe=_unsafe(row.get("final_label", "")),
                picture=row.get("unsafe_image_description", ""),
                case=row.get("case_id", ""),
            )
        )
    return result


def _model(name: str) -> str:
    return name.replace("/", "--")


def _unsafe(label: str) -> float | None:
    return {"1": 0.0, "2": 1.0}.get(label[:1])


def load_translated(root: Path) -> list[Labelled]:
    """Read MSTS's answers in other languages, in the English translation that comes with them; for harm alone."""
    paths = sorted((root / "msts" / "responses_other").glob("*_multimodal.csv"))
    if not paths:
        return []
    prompts = read_csv(root / "msts" / MSTS_PROMPTS, ("case_id", "prompt_type", "prompt_text"))
    asked = {row["case_id"]: row["prompt_text"] for row in prompts if row["prompt_type"] == "assistance"}
    columns = ("case_id", "unsafe_image_description", "model", "annot1_label", "response_translated")
    return [
        Labelled(
            Source.TRANSLATED,
            _model(row["model"]),
            asked.get(row["case_id"], ""),
            row["response_translated"],
            label=None,
            bare=None,
            unsafe=unsafe,
            picture=row["unsafe_image_description"],
            case=row["case_id"],
        )
        for path in paths
        for row in read_csv(path, columns)
        if (unsafe := _unsafe(row["annot1_label"])) is not None and row["response_translated"].strip()
    ]


def load_pyrit(root: Path) -> list[Labelled]:
    """Read PyRIT's answers by kind of harm, which stands for the model; for harm alone."""
    return [
        Labelled(
            Source.PYRIT,
            f"pyrit-{row.model}",
            row.prompt,
            row.answer,
            label=None,
            bare=None,
            unsafe=float(row.human == Harm.UNSAFE),
        )
        for row in pyrit_harm(root / "pyrit_scorer_evals")
        if row.answer.strip()
    ]


def load_runs(root: Path) -> list[Labelled]:
    """Read SafeCoT's recorded answers that have a judge's probability; none where the folder is not there.

    Raises:
        SafecotError: a line is no record of such an answer (file and line are named).
    """
    result = []
    for path in sorted((root / "safecot_runs").glob("*__*__*.jsonl")):
        for number, row in lines(path):
            accepts = row.get("judge_accept_probability")
            if accepts is None:
                continue
            if not isinstance(accepts, int | float) or not 0 <= accepts <= 1:
                raise SafecotError(f"{path}, line {number}: judge_accept_probability is not a probability.")
            result.append(
                Labelled(
                    Source.SAFECOT,
                    path.stem.split("__")[0],
                    str(row.get("question") or ""),
                    str(row.get("answer") or ""),
                    label=None,
                    bare=None,
                    judged=1.0 - accepts,
                    run=path.stem,
                )
            )
    return result
