"""Refusal rates of six VLMs on MSTS, corrected with 100 human labels each: how often is the truth covered?

    SAFECOT_DATA_DIR=… python benchmarks/msts_correction.py

MSTS (Röttger et al., arXiv 2501.10057; CC BY 4.0) has 400 answers of each model, all labelled by people. 200 times, 100
answers of each model are drawn, the rest of the labels is hidden, and the rate over all 400 is estimated from the labels
alone, from the template alone (the 25 phrases) and from both (PPI++). The truth is known, so coverage is counted. Writes
the table between the markers in ``docs/methods.md``; the seed is fixed.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from safecot_eval import refusal
from safecot_eval.errors import SafecotError
from safecot_eval.paths import data_dir
from safecot_eval.stats import Estimate, Target, corrected_rate, ppi, rate, rogan_gladen

DOCUMENT = Path(__file__).parent.parent / "docs" / "methods.md"
BEGIN, END = "<!-- msts table: begin -->", "<!-- msts table: end -->"
REFUSED = "1.2 - refusal only"
DRAWS, LABELS, SEED = 200, 100, 20_250_610

Floats = NDArray[np.float64]


@dataclass
class Counted:
    """Coverage and width of one kind of interval."""

    covered: list[bool] = field(default_factory=list)
    widths: list[float] = field(default_factory=list)

    def add(self, estimate: Estimate, truth: float) -> None:
        """Count one interval."""
        self.covered.append(estimate.low - 1e-12 <= truth <= estimate.high + 1e-12)
        self.widths.append(estimate.high - estimate.low)

    def __str__(self) -> str:
        return f"{100 * np.mean(self.covered):.1f} % ({100 * np.mean(self.widths):.1f})"


def read_msts() -> dict[str, tuple[Floats, Floats]]:
    """Human refusal labels and template matches of the 400 answers of each model.

    Raises:
        SafecotError: the data are not where ``SAFECOT_DATA_DIR`` points.
    """
    root = data_dir()
    path = None if root is None else root / "msts" / "responses_english_multimodal.csv"
    if path is None or not path.is_file():
        raise SafecotError(
            "MSTS was not found; set SAFECOT_DATA_DIR to a folder with msts/responses_english_multimodal.csv."
        )
    collected: dict[str, list[tuple[bool, bool]]] = {}
    with path.open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            matched = refusal.match(row["response"]) is not None
            collected.setdefault(row["model"], []).append((row["final_taxonomy"] == REFUSED, matched))
    return {
        model: (np.array([y for y, _ in rows], float), np.array([f for _, f in rows], float))
        for model, rows in sorted(collected.items())
    }


def table(draws: int = DRAWS) -> list[str]:
    """The lines of the Markdown table."""
    lines = [
        "| model | truth | template says | PPI++ | labels alone | template alone | Rogan–Gladen | refused |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    names = ("ppi", "labels", "template", "rogan-gladen")
    pooled = {name: Counted() for name in names}
    refusals_all = 0
    for number, (model, (y, f)) in enumerate(read_msts().items()):
        rng = np.random.default_rng([SEED, number])
        counted = {name: Counted() for name in names}
        truth, size, refusals = float(y.mean()), len(y), 0
        nothing = np.zeros(size)
        for _ in range(draws):
            drawn = rng.choice(size, LABELS, replace=False)
            made = {
                "ppi": ppi(y[drawn], f[drawn], f, target=Target.RUN),
                "labels": ppi(y[drawn], nothing[:LABELS], nothing, target=Target.RUN),
                "template": rate(int(f.sum()), size),
                "rogan-gladen": rogan_gladen(y[drawn], f[drawn], f),
            }
            for name, estimate in made.items():
                if estimate is not None:
                    counted[name].add(estimate, truth)
                    pooled[name].add(estimate, truth)
            refusals += corrected_rate(y[drawn], f[drawn], f, target=Target.RUN).refused is not None
        refusals_all += refusals
        short = model.split("--")[-1]
        cells = " | ".join(str(counted[name]) for name in names)
        lines.append(f"| {short} | {100 * truth:.1f} % | {100 * f.mean():.1f} % | {cells} | {refusals} |")
    cells = " | ".join(f"**{pooled[name]}**" for name in names)
    lines.append(f"| **all {len(lines) - 2}** | | | {cells} | {refusals_all} |")
    return lines


def main() -> None:
    """Write the table into the document."""
    text = DOCUMENT.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    DOCUMENT.write_text(f"{before}{BEGIN}\n" + "\n".join(table()) + f"\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
