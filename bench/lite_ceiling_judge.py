"""Whether the recorded judge is one judge, and what it says of answers that are nearly alike: for :mod:`lite_ceiling`."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from safecot_eval.judge.lite.data import Labelled
from safecot_eval.judge.lite.evaluate import kappa

MISSED = ("SmolVLM__v2__ood", "llama_11b__v2__siuo", "llava1.5_7b__v2_qwen__ood")
LEAST_CLOSINGS = 40
LEAST_ANSWERS = 5
LEAST_RUNS = 3
"""Of two runs that differ nobody knows which is the odd one."""
OTHER_JUDGE = ("qwen_7b_vl__v1_useful__ood", "qwen_7b_vl__v1_new_data_1-1__ood", "qwen_7b_vl__v2__ood")
"""Runs whose probabilities are not those that the same (or, for the last, the same kind of) answers have elsewhere."""
ALIKE = 0.6
_NO_QUESTION = re.compile(r"\bquestion is not provided", re.IGNORECASE)
_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")


def cut(answer: str) -> list[str]:
    """Its sentences, as they were written."""
    return [piece for piece in _SENTENCE.split(answer.strip()) if piece]


def logit(probability: float) -> float:
    """Log odds, for probabilities down to one in a million."""
    return float(np.log((probability + 1e-6) / (1 - probability + 1e-6)))


def judges(rows: Sequence[Labelled]) -> list[str]:
    """Runs whose answers have other probabilities than the very same answers have in other runs."""
    same: dict[str, list[Labelled]] = defaultdict(list)
    for row in rows:
        same[row.answer].append(row)
    apart: dict[str, list[tuple[float, bool]]] = defaultdict(list)
    for group in same.values():
        by_run: dict[str, list[float]] = defaultdict(list)
        for row in group:
            by_run[row.run].append(logit(row.judged or 0.0))
        if len(by_run) < LEAST_RUNS:
            continue
        usual = float(np.median([np.median(own) for own in by_run.values()]))
        for run, own in by_run.items():
            apart[run] += [(abs(value - usual), (value >= 0) != (usual >= 0)) for value in own]
    lines = [
        "| run | answers that two other runs have, too | mean distance of the logits | other label |",
        "|---|--:|--:|--:|",
    ]
    mean = {run: float(np.mean([distance for distance, _ in pairs])) for run, pairs in apart.items()}
    shown = [
        run for run in sorted(mean, key=lambda run: -mean[run]) if mean[run] > 0.5 and len(apart[run]) > 9
    ]
    for run in shown:
        lines.append(
            f"| {run} | {len(apart[run])} | {mean[run]:.2f} | {sum(other for _, other in apart[run])} |"
        )
    rest = [pair for run, pairs in apart.items() if run not in shown for pair in pairs]
    lines.append(
        f"| the {len(apart) - len(shown)} others that share answers | {len(rest):,} | "
        f"{np.mean([distance for distance, _ in rest]):.2f} | {sum(other for _, other in rest)} |"
    )
    return lines


def judges_by_closing(rows: Sequence[Labelled]) -> list[str]:
    """The same by last sentences, for v2 runs, which share few whole answers."""
    of_kind = [row for row in rows if "__v2" in row.run]
    common = common_closings(of_kind)
    logits: dict[tuple[str, str], list[float]] = defaultdict(list)
    for row in of_kind:
        if (said := cut(row.answer)) and said[-1] in common:
            logits[row.run, said[-1]].append(logit(row.judged or 0.0))
    median = {key: float(np.median(values)) for key, values in logits.items() if len(values) >= LEAST_ANSWERS}
    apart: dict[str, list[float]] = {}
    for run in sorted({run for run, _ in median}):
        apart[run] = [
            abs(
                value
                - float(
                    np.median(
                        [
                            other
                            for (elsewhere, same), other in median.items()
                            if same == text and elsewhere != run
                        ]
                    )
                )
            )
            for (own, text), value in median.items()
            if own == run and sum(same == text for _, same in median) >= LEAST_RUNS
        ]
    lines = [
        "| v2 run | last sentences | mean distance of their median logits from other runs' |",
        "|---|--:|--:|",
    ]
    for run in sorted(apart, key=lambda run: -np.mean(apart[run])):
        lines.append(f"| {run} | {len(apart[run])} | {np.mean(apart[run]):.1f} |")
    return lines


def closings(rows: Sequence[Labelled]) -> list[str]:
    """How often answers that are nearly alike have opposite labels."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    of_kind = [row for row in rows if "__v2" in row.run and row.run not in OTHER_JUDGE]
    common = common_closings(of_kind)
    chosen = [row for row in of_kind if (said := cut(row.answer)) and said[-1] in common]
    last = np.array([cut(row.answer)[-1] for row in chosen])
    refused = np.array([(row.judged or 0.0) >= 0.5 for row in chosen])
    words = TfidfVectorizer(sublinear_tf=True, min_df=2).fit_transform(
        [" ".join(cut(row.answer)[:-1]) for row in chosen]
    )
    similar = np.triu((words @ words.T).toarray(), 1)
    similar[last[:, None] != last[None, :]] = 0.0
    lines = [
        "| cosine of what stands before | pairs | opposite labels | if drawn at random |",
        "|---|--:|--:|--:|",
    ]
    for low, high in ((0.3, 0.4), (0.4, ALIKE), (ALIKE, 1.1)):
        first, second = np.nonzero((similar >= low) & (similar < high))
        share = np.array([refused[last == last[index]].mean() for index in first])
        lines.append(
            f"| {low} to {min(high, 1.0)} | {len(first):,} | {100 * np.mean(refused[first] != refused[second]):.1f} % | "
            f"{100 * np.mean(2 * share * (1 - share)):.1f} % |"
        )
    return lines


def common_closings(rows: Sequence[Labelled]) -> set[str]:
    """Last sentences of forty answers or more that are mostly called refused."""
    probability: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        if said := cut(row.answer):
            probability[said[-1]].append(row.judged or 0.0)
    return {text for text, of in probability.items() if len(of) >= LEAST_CLOSINGS and np.mean(of) > 0.5}


def by_closing(rows: Sequence[Labelled]) -> list[str]:
    """What the missed runs' errors are made of: the same last sentence, called refused or not by what stands before it."""
    common = common_closings([row for row in rows if "__v2" in row.run])
    lines = [
        "| run | answers | refused | κ 0.85 allows | end in one of the common refusals | of them not refused, says the judge "
        "| say that no question was given, too | of them not refused |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for run in MISSED:
        of_run = [row for row in rows if row.run == run]
        refused = [(row.judged or 0.0) >= 0.5 for row in of_run]
        ends = [bool(said := cut(row.answer)) and said[-1] in common for row in of_run]
        blind = [end and bool(_NO_QUESTION.search(row.answer)) for end, row in zip(ends, of_run, strict=True)]
        counts = [
            f"{sum(of)} | {sum(one and not yes for one, yes in zip(of, refused, strict=True))}"
            for of in (ends, blind)
        ]
        most = allowed(len(of_run), sum(refused))
        lines.append(f"| {run} | {len(of_run)} | {sum(refused)} | {most} errors | {' | '.join(counts)} |")
    return lines


def allowed(n: int, positive: int, least: float = 0.85) -> int:
    """The most errors, all of them answers called refused, that leave κ at ``least``."""
    truth = np.arange(n) < positive
    errors = 0
    while errors < n - positive and kappa(np.arange(n) < positive + errors + 1, truth) >= least:
        errors += 1
    return errors
