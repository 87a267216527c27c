"""Refusal rates of six VLMs on MSTS, corrected with 100 human labels each: how often is the truth covered?

    SAFECOT_DATA_DIR=… python bench/msts_correction.py

MSTS (Röttger et al., arXiv 2501.10057; CC BY 4.0) has 400 answers of each model, all labelled by people. 200 times, 100
answers of each model are drawn, the rest of the labels is hidden, and the rate over all 400 is estimated from the labels
alone, from the template alone (the default phrase list) and from both (PPI++). The truth is known, so coverage is counted. Writes
two tables between the markers in ``docs/methods.md``: 200 draws, and 2,000 (the first 200 of which are the same), because
200 draws leave three points of noise in the coverage of a single model. The seed is fixed.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from safecot_eval.scoring import refusal
from safecot_eval.stats import Estimate, Target, corrected_rate, ppi, rate, rogan_gladen
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.paths import data_dir

DOCUMENT = Path(__file__).parent.parent / "docs" / "methods.md"
BEGIN, END = "<!-- msts table: begin -->", "<!-- msts table: end -->"
REFUSED = "1.2 - refusal only"
DRAWS, LABELS, SEED = (200, 2000), 100, 20_250_610
NAMES = ("ppi", "labels", "template", "rogan-gladen", "shown")

Floats = NDArray[np.float64]


@dataclass
class Counted:
    """Coverage and width of one kind of interval."""

    covered: list[bool] = field(default_factory=list)
    widths: list[float] = field(default_factory=list)
    refused: int = 0

    def add(self, estimate: Estimate, truth: float) -> None:
        """Count one interval."""
        self.covered.append(estimate.low - 1e-12 <= truth <= estimate.high + 1e-12)
        self.widths.append(estimate.high - estimate.low)

    def merge(self, other: Counted) -> None:
        """Add the counts of another model."""
        self.covered += other.covered
        self.widths += other.widths
        self.refused += other.refused

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


def simulate(draws: int) -> dict[str, dict[str, Counted]]:
    """Draw labels again and again; counts for each model and each of :data:`NAMES`."""
    results: dict[str, dict[str, Counted]] = {}
    for number, (model, (y, f)) in enumerate(read_msts().items()):
        rng = np.random.default_rng([SEED, number])
        counted = {name: Counted() for name in NAMES}
        truth, size, nothing = float(y.mean()), len(y), np.zeros(len(y))
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
            found = corrected_rate(y[drawn], f[drawn], f, target=Target.RUN)
            counted["shown"].refused += found.refused is not None
            if found.shown is not None:
                counted["shown"].add(found.shown, truth)
        results[model] = counted
    return results


def table(draws: int) -> list[str]:
    """The lines of the Markdown table."""
    answers, results = read_msts(), simulate(draws)
    lines = [
        f"{draws:,} draws of {LABELS} labels for each model: coverage (mean width in points).",
        "",
        "| model | people | template | PPI++ | labels alone | template alone | Rogan–Gladen | shown | refused |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    pooled = {name: Counted() for name in NAMES}
    for model, counted in results.items():
        for name in NAMES:
            pooled[name].merge(counted[name])
        y, f = answers[model]
        cells = " | ".join(str(counted[name]) for name in NAMES)
        refused = f"{100 * counted['shown'].refused / draws:.1f} %"
        rates = f"{100 * y.mean():.1f} % | {100 * f.mean():.1f} %"
        lines.append(f"| {model.split('--')[-1]} | {rates} | {cells} | {refused} |")
    cells = " | ".join(f"**{pooled[name]}**" for name in NAMES)
    refused = f"{100 * pooled['shown'].refused / draws / len(results):.1f} %"
    lines.append(f"| **all {len(results)}** | | | {cells} | {refused} |")
    return lines


def main() -> None:
    """Write the table into the document."""
    text = DOCUMENT.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    tables = "\n\n".join("\n".join(table(draws)) for draws in DRAWS)
    DOCUMENT.write_text(f"{before}{BEGIN}\n" + tables + f"\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
