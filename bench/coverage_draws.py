"""What the coverage simulations draw, and how they count: rates around a rate, clusters, a judge who errs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SEED = 20_250_610
REACH = 0.35  # half the width of a neighbourhood, in log odds
LOW, HIGH = 0.935, 0.965
JUDGES = ((0.95, 0.97), (0.85, 0.90), (0.75, 0.80))

Bools = NDArray[np.bool_]


class Tally:
    """Cells of one table: how many there are and how many fall outside the band."""

    def __init__(self) -> None:
        self.values: list[float] = []

    def cell(self, covered: float) -> str:
        """Format a coverage; bold if it is outside the band."""
        self.values.append(covered)
        text = f"{100 * covered:.1f}"
        return text if LOW <= round(covered, 4) <= HIGH else f"**{text}**"

    def summary(self) -> str:
        """One sentence over all cells."""
        values = np.array(self.values)
        inside = int(((values.round(4) >= LOW) & (values.round(4) <= HIGH)).sum())
        return (
            f"{inside} of {len(values)} cells inside 93.5 to 96.5 %; lowest {100 * values.min():.1f}, "
            f"mean {100 * values.mean():.1f}, highest {100 * values.max():.1f}."
        )


def shifted(centre: float, log_odds: float | NDArray[np.float64]) -> NDArray[np.float64]:
    """Rates whose log odds lie ``log_odds`` away from those of ``centre``."""
    return np.asarray(1 / (1 + (1 - centre) / centre * np.exp(-np.asarray(log_odds))))


def correlated(
    rng: np.random.Generator, sizes: list[int], p: float, icc: float
) -> tuple[Bools, NDArray[np.intp]]:
    """Yes/no outcomes with intra-cluster correlation ``icc``: an item copies its question's outcome or is its own."""
    index = np.repeat(np.arange(len(sizes)), sizes)
    question = rng.random(len(sizes)) < p
    copies = rng.random(len(index)) < np.sqrt(icc)
    return np.where(copies, question[index], rng.random(len(index)) < p), index


def cluster_sizes(n: int) -> list[int]:
    """Clusters of three that hold n items; the last one is smaller where n is not a multiple."""
    return [3] * (n // 3) + ([n % 3] if n % 3 else [])


def judged(
    rng: np.random.Generator, size: int, p: float, sensitivity: float, specificity: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """True labels with rate p, and those of a judge who errs."""
    y = (rng.random(size) < p).astype(float)
    wrong = rng.random(size) >= np.where(y == 1, sensitivity, specificity)
    return y, np.where(wrong, 1 - y, y)
