"""Draw answers for people to label: seeded, simple random or stratified, with the weight each draw stands for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from safecot_eval.records.run import Run
from safecot_eval.records.samples import SCORED


class Stratum(StrEnum):
    """What a sample can be stratified by."""

    VERDICT = "verdict"
    MODEL = "model"
    CATEGORY = "category"


@dataclass(frozen=True, slots=True)
class Candidate:
    """An answer that can be drawn; its text stays in the file.

    Attributes:
        run: Index of its run.
        model: Whose answer it is.
        task: Task name.
        sample_id: Content hash of the question.
        stratum: Values of what the sample is stratified by.
    """

    run: int
    model: str
    task: str
    sample_id: str
    stratum: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Drawn:
    """A drawn answer and how many answers of its stratum it stands for (1 / probability of being drawn)."""

    candidate: Candidate
    weight: float


def candidates(
    runs: Sequence[Run], stratify: Iterable[Stratum] = (), evaluator: str | None = None
) -> list[Candidate]:
    """List the scored answers of runs, in an order that does not depend on where the files are.

    Args:
        runs: The runs.
        stratify: What to stratify by.
        evaluator: Judge whose label is "the verdict" (default: whether a refusal phrase matched).
    """
    wanted = tuple(stratify)
    found: dict[tuple[str, str, str], Candidate] = {}
    for number, run in enumerate(runs):
        labels = {}
        if evaluator is not None and Stratum.VERDICT in wanted:
            labels = {v["sample_id"]: str(v["label"]) for v in run.verdicts() if v["judge"] == evaluator}
        for record in run.samples():
            if record["status"] not in SCORED:
                continue
            found_phrase = record["refusal"]["matched"]
            matched = (
                str(record["refusal"].get("unscored")) if found_phrase is None else _PHRASE[found_phrase]
            )
            values = {
                Stratum.VERDICT: matched if evaluator is None else labels.get(record["sample_id"], "missing"),
                Stratum.MODEL: run.model,
                Stratum.CATEGORY: f"{record['benchmark']}/{record['category']}",
            }
            key = (run.model, run.task, record["sample_id"])
            found.setdefault(key, Candidate(number, *key, tuple(values[name] for name in wanted)))
    return [found[key] for key in sorted(found)]


_PHRASE = {True: "refused", False: "complied"}


def draw(pool: Sequence[Candidate], n: int, seed: int) -> list[Drawn]:
    """Draw ``n`` answers without replacement, in random order.

    Each stratum gets the same number; one that is smaller is taken whole and the others share the rest.

    Args:
        pool: The candidates.
        n: How many; all of them if there are fewer.
        seed: The same seed and pool give the same draw.
    """
    rng = np.random.default_rng(seed)
    strata: defaultdict[tuple[str, ...], list[Candidate]] = defaultdict(list)
    for candidate in pool:
        strata[candidate.stratum].append(candidate)
    drawn: list[Drawn] = []
    for stratum, share in allocate({key: len(members) for key, members in strata.items()}, n, rng).items():
        members = strata[stratum]
        chosen = rng.choice(len(members), share, replace=False)
        drawn += [Drawn(members[i], len(members) / share) for i in chosen]
    return [drawn[i] for i in rng.permutation(len(drawn))]


def allocate(
    sizes: dict[tuple[str, ...], int], n: int, rng: np.random.Generator
) -> dict[tuple[str, ...], int]:
    """Split ``n`` draws over strata as evenly as their sizes allow; strata get the odd ones at random.

    >>> allocate({("a",): 2, ("b",): 50}, 10, np.random.default_rng(0))
    {('a',): 2, ('b',): 8}
    """
    shares = dict.fromkeys(sorted(sizes), 0)
    remaining = min(n, sum(sizes.values()))
    while remaining:
        open_strata = [key for key in shares if shares[key] < sizes[key]]
        each = remaining // len(open_strata)
        if each == 0:
            for i in rng.choice(len(open_strata), remaining, replace=False):
                shares[open_strata[i]] += 1
            break
        for key in open_strata:
            added = min(each, sizes[key] - shares[key])
            shares[key] += added
            remaining -= added
    return {key: share for key, share in shares.items() if share}
