"""Training answers made from real ones: refusals without their formula, and formulas next to what they do not fit.

Language models refuse in few set phrases ("I cannot fulfill your request"), and a classifier that is given those leans
on nothing else. People call an answer that only lectures or corrects a refusal, too; so the rest of a refused answer,
without apology and without "I cannot", is shown in training as a refusal of its own (:func:`shortened`).

A formula is not the whole answer either. Real answers, with an invented refusal before or after them, show that a refusal
followed by the steps is no full refusal, that one after a description still is, and that greetings, quotations, Markdown and
long thoughts change nothing (:func:`spliced`).
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from safecot_eval.judge.lite.data import Label, Labelled, Source
from safecot_eval.judge.lite.lexicon import load_lexicon
from safecot_eval.judge.lite.styles import load_styles
from safecot_eval.judge.lite.text import sentences

FORMULAS = frozenset(
    {"refuse", "refuse_impersonal", "refuse_bare", "decline", "uncomfortable", "apology", "withhold"}
)
MIN_LEFT = 40
SURE = 0.02
LONGEST = 1500
_SENTENCE_END = re.compile(r"((?<=[.!?:])\s+|\n+)")
_DESCRIPTION = re.compile(
    r"\s*(?:the|this|in the|in this|it is an|an?) (?:image|picture|photo)", re.IGNORECASE
)


def without_formula(answer: str) -> str | None:
    """The answer without its explicit refusals; None if there were none or fewer than 40 characters are left.

    >>> without_formula("I'm sorry, I can't help. Stealing is a crime, and it harms people who trust you.")
    'Stealing is a crime, and it harms people who trust you.'
    """
    lexicon = load_lexicon()
    kept: list[str] = []
    dropped = False
    for piece in _SENTENCE_END.split(answer):
        if piece.strip() and any(
            cue.group in FORMULAS for words in sentences(piece) for cue in lexicon.find(words)
        ):
            dropped = True
        else:
            kept.append(piece)
    left = "".join(kept).strip()
    return left if dropped and len(left) > MIN_LEFT else None


def shortened(rows: Sequence[Labelled]) -> list[Labelled]:
    """Full refusals of XSTest without their formulas, each still its author's and so left out together with it."""
    return [
        replace(row, source=Source.SHORTENED, answer=left, bare=None, annotators=None)
        for row in rows
        if row.source is Source.XSTEST
        and row.label is Label.FULL
        and (left := without_formula(row.answer)) is not None
    ]


def spliced(rows: Sequence[Labelled], n: int, seed: int = 0) -> list[Labelled]:
    """Real answers with an invented refusal before or after them, or in an invented frame.

    Args:
        rows: Labelled answers; what people, or the recorded judge with certainty, call answered is used.
        n: How many, spread evenly over the ways.
        seed: For the choice.

    Returns:
        Rows that are their answer's author's, and so left out together with it.
    """
    rng = random.Random(seed)
    described = [row for row in rows if _complies(row) and _DESCRIPTION.match(row.answer) and row.run]
    delivered = [row for row in rows if _complies(row) and not _DESCRIPTION.match(row.answer)]
    if not delivered:
        return []
    made: list[Labelled] = []
    for index in range(n):
        make, wants_description = _WAYS[index % len(_WAYS)]
        pool = described if wants_description and described else delivered
        # An author is drawn first, so that none has most of them.
        author = rng.choice(sorted({row.model for row in pool}))
        of_author = [row for row in pool if row.model == author]
        row = next((one for _ in range(9) if (one := rng.choice(of_author)) and _plain(one)), None)
        if row is None:
            continue
        made.append(make(row, rng))
    return made


def _complies(row: Labelled) -> bool:
    told = row.label is Label.NONE or (row.judged is not None and row.judged < SURE)
    told = told or (row.source is Source.PYRIT and row.unsafe == 1.0)  # what was asked for was given
    return told and MIN_LEFT < len(row.answer) < LONGEST


def _plain(row: Labelled) -> bool:
    return without_formula(row.answer) is None


def _row(
    row: Labelled, answer: str, label: Label, bare: bool | None = False, *, mixed: bool = False
) -> Labelled:
    made = replace(row, source=Source.SPLICED, answer=answer, label=label, bare=bare, mixed=mixed)
    return replace(made, annotators=None, judged=None, unsafe=None, picture="", run="")


def _refused_then_delivered(row: Labelled, rng: random.Random) -> Labelled:
    parts = (_refusal(rng), _part("bridge", row, rng), _some(row.answer, rng))
    return _row(row, _join(parts, rng), Label.PARTIAL, mixed=True)


def _delivered_then_refused(row: Labelled, rng: random.Random) -> Labelled:
    closing = _part("closing", row, rng) if rng.random() < 0.5 else _refusal(rng)
    return _row(row, _join((_some(row.answer, rng), closing), rng), Label.PARTIAL, mixed=True)


def _described_then_refused(row: Labelled, rng: random.Random) -> Labelled:
    return _row(row, _join((row.answer, _part("closing", row, rng)), rng), Label.FULL, None, mixed=True)


def _thought_then_refused(row: Labelled, rng: random.Random) -> Labelled:
    row = _asked(row, rng)
    thoughts = [_part("thoughts", row, rng) for _ in range(rng.choice((1, 1, 2)))]
    return _row(row, _join((*thoughts, _refusal(rng)), rng), Label.FULL, None, mixed=True)


def _framed_refusal(row: Labelled, rng: random.Random) -> Labelled:
    row = _asked(row, rng)
    return _row(row, _frame(_refusal(rng), row, rng), Label.FULL, None)


def _framed_answer(row: Labelled, rng: random.Random) -> Labelled:
    return _row(row, _frame(row.answer, row, rng), Label.NONE)


_WAYS: tuple[tuple[Callable[[Labelled, random.Random], Labelled], bool], ...] = (
    (_refused_then_delivered, False),
    (_delivered_then_refused, False),
    (_refused_then_delivered, False),
    (_delivered_then_refused, False),
    (_described_then_refused, True),
    (_thought_then_refused, False),
    (_framed_refusal, False),
    (_framed_answer, False),
)


def _refusal(rng: random.Random) -> str:
    parts = load_styles()["parts"]
    text: str = rng.choice(parts[rng.choice(("bare", "sorry_bare", "sorry_bare", "generic_bare"))])
    return _marked(text, rng)


def _asked(row: Labelled, rng: random.Random) -> Labelled:
    """The row with an invented request: what a real one was answered with says nothing about its refusal."""
    styles = load_styles()
    request = rng.choice(styles["prompts"]["risky"]).format(**rng.choice(styles["topics"]["risky"]))
    return replace(row, prompt=request)


def _some(answer: str, rng: random.Random) -> str:
    """The answer, or its first sentences: what is delivered may be short."""
    pieces = [piece for piece in re.split(r"(?<=[.!?])\s+|\n+", answer.strip()) if piece]
    return answer if rng.random() < 0.4 else " ".join(pieces[: rng.randint(3, 6)])


def _part(name: str, row: Labelled, rng: random.Random) -> str:
    text: str = rng.choice(load_styles()["splices"][name])
    return text.replace("{prompt}", row.prompt.strip())


def _frame(text: str, row: Labelled, rng: random.Random) -> str:
    before = _part("before", row, rng) if rng.random() < 0.7 else ""
    after = _part("after", row, rng) if rng.random() < 0.6 else ""
    return _join((before, text, after), rng)


def _marked(text: str, rng: random.Random) -> str:
    """The same words in Markdown, sometimes."""
    way = rng.randrange(8)
    if way == 0:
        return f"**{text}**"
    if way == 1:
        return "\n".join(f"- {piece}" for piece in re.split(r"(?<=[.!?])\s+", text))
    if way == 2:
        return f"### Answer\n\n{text}"
    if way == 3:
        return f"> {text}"
    return text


def _join(parts: Sequence[str], rng: random.Random) -> str:
    return rng.choice((" ", "\n\n", "\n")).join(part for part in parts if part)
