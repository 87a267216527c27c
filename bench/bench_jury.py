"""Juries of three recorded judges on MSTS, model and prompt left out. Writes ``bench/results/jury.md``.

    SAFECOT_DATA_DIR=… python bench/bench_jury.py

Every three of the eight recorded judges, with and without a look at the answers. Takes about six minutes on one core.
"""

from __future__ import annotations

import datetime
from itertools import combinations
from pathlib import Path

from safecot_eval.judge.jury.ballots import of_set
from safecot_eval.judge.jury.jury import Held, calibrate
from safecot_eval.judge.meta_evaluation.label_sets import MSTS_JUDGES, SETS

OUTPUT = Path(__file__).parent / "results" / "jury.md"
SHOWN = 5


def held(members: tuple[str, ...], *, use_signs: bool) -> Held:
    """A jury's figures on left-out models and prompts."""
    given = of_set(SETS["msts"], members)
    return calibrate(given, members, "harm", calibrated_on="msts", use_signs=use_signs).held


def line(members: tuple[str, ...], found: Held, votes: Held) -> str:
    """One row of the table."""
    kappa, low, high = found.kappa
    worst = f"{found.worst[0]} {found.worst[1]:.2f}" if found.worst else ""
    return (
        f"| {', '.join(members)} | {max(found.members.values()):.3f} | {votes.kappa[0]:.3f} | **{kappa:.3f}** "
        f"[{low:.2f}, {high:.2f}] | {found.calibration_error:.3f} | {worst} |"
    )


def main() -> None:
    """Measure all and write the table."""
    rows = []
    for members in combinations(MSTS_JUDGES, 3):
        found, votes = held(members, use_signs=True), held(members, use_signs=False)
        rows.append((found.kappa[0], found.calibration_error, line(members, found, votes)))
        print(rows[-1][2], flush=True)
    rows.sort()
    kappas = [row[0] for row in rows]
    alone = held(MSTS_JUDGES[:2], use_signs=False).members | held(MSTS_JUDGES[2:], use_signs=False).members
    made = datetime.datetime.now(datetime.UTC).date().isoformat()
    head = [
        "# Juries",
        "",
        f"Written by `python bench/bench_jury.py`, {made}; do not edit. MSTS: 2,400 answers of six models, 147 that people "
        "call unsafe. κ is Cohen's with people; every answer is read by a jury that saw neither its model nor its prompt, "
        "with a threshold chosen without them. The weights of penalties (0.06 and 0.02 for each answer) and the groups of "
        "words were chosen once on this set.",
        "",
        f"All {len(rows)} juries of three: κ from {kappas[0]:.3f} to {kappas[-1]:.3f}, median "
        f"{kappas[len(kappas) // 2]:.3f}; {sum(k >= 0.65 for k in kappas)} reach 0.65; calibration error at most "
        f"{max(row[1] for row in rows):.3f}.",
        "",
        "| judge alone | κ |",
        "|---|--:|",
        *(f"| {name} | {kappa:.3f} |" for name, kappa in sorted(alone.items(), key=lambda item: item[1])),
        "",
        "| members | best alone | votes only | votes and answer | calibration error | worst model |",
        "|---|--:|--:|--:|--:|---|",
        *(row[2] for row in rows[:SHOWN]),
        "| … | | | | | |",
        *(row[2] for row in rows[-SHOWN:]),
    ]
    OUTPUT.write_text("\n".join(head) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
