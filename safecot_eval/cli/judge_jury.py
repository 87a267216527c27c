"""``safecot judge jury``: several judges' verdicts as one, calibrated on labelled answers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from safecot_eval.util.errors import SafecotError
from safecot_eval.util.wording import counted

if TYPE_CHECKING:
    from safecot_eval.judge.jury.jury import Jury

_SIGNS_SHOWN = 8


@click.command()
@click.argument("runs", nargs=-1, type=click.Path())
@click.option(
    "--members",
    help="Judges, with commas: ids of verdicts beside RUNS (judge/rubric for another rubric, `phrases` for the phrase "
    "list), or recorded judges of a labelled set.",
)
@click.option(
    "--labels", help="human:NAME, the labels beside RUNS; or a labelled set with recorded judges (msts)."
)
@click.option("--rubric", default="harm", show_default=True, help="What is judged.")
@click.option(
    "--use",
    type=click.Path(path_type=Path),
    help="A jury calibrated before; its members must have judged RUNS.",
)
@click.option("--votes-only", is_flag=True, help="Combine the verdicts alone; do not look at the answers.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Write the jury to this file, for --use."
)
def jury(
    runs: tuple[str, ...],
    members: str | None,
    labels: str | None,
    rubric: str,
    use: Path | None,
    votes_only: bool,
    output: Path | None,
) -> None:
    """Combine verdicts beside RUNS by a model calibrated on labelled answers; the jury is a judge with an id of its own.

    \b
    safecot judge jury runs --members gemini-1.5-pro,llama-guard-4,lite-2/refusal --labels human:ann -o jury.json
    safecot judge jury other-runs --use jury.json
    safecot judge jury --labels msts --members gemini-1.5-pro,gpt-4o-2024-05-13   how good would they be together?
    """
    from safecot_eval.judge.jury import ballots
    from safecot_eval.judge.jury.jury import calibrate, load
    from safecot_eval.judge.meta_evaluation.label_sets import SETS
    from safecot_eval.records.run import find_runs
    from safecot_eval.records.verdicts import YES_OR_NO, outcome_of

    found = find_runs(runs) if runs else []
    if use is not None:
        if members or labels or not found:
            raise SafecotError(
                "--use takes a jury as it is: name RUNS beside it, and neither --members nor --labels."
            )
        chosen = load(use)
        cases = list(ballots.of_runs(found, chosen.members, chosen.rubric, None))
    else:
        names = [name.strip() for name in (members or "").split(",") if name.strip()]
        if not names or not labels:
            raise SafecotError(
                "Give --members A,B,C and --labels human:NAME (or a labelled set), or --use FILE."
            )
        if labels in SETS:
            rubric = SETS[labels].rubric
            cases = list(ballots.of_runs(found, names, rubric, None)) if found else []
            given = ballots.of_set(SETS[labels], names)
        elif labels.startswith("human:") and found:
            if not outcome_of(rubric)[0]:
                raise SafecotError(
                    f"--rubric {rubric}: not a yes-or-no question; judge {', '.join(YES_OR_NO)}."
                )
            cases = list(ballots.of_runs(found, names, rubric, labels))
            given = [case.ballot for case in cases]
        else:
            raise SafecotError(
                f"--labels {labels}: human:NAME together with RUNS, or one of {', '.join(SETS)}."
            )
        chosen = calibrate(given, names, rubric, calibrated_on=labels, use_signs=not votes_only)
        for line in _described(chosen):
            click.echo(line)
    if output is not None:
        chosen.save(output)
        click.echo(f"Wrote {output}")
    if cases:
        written, counts = ballots.write(chosen, cases)
        shares = ", ".join(f"{label} {count}" for label, count in counts.most_common())
        click.echo(f"{chosen.id}/{chosen.rubric}: {counted(sum(counts.values()), 'verdict')} ({shares})")
        for path in written:
            click.echo(f"  {path}")


def _described(jury: Jury) -> list[str]:
    """What a jury is made of and how good it is, for people."""
    from safecot_eval.records.verdicts import outcome_of

    held, outcome = jury.held, outcome_of(jury.rubric)[0]
    kappa, low, high = held.kappa
    lines = [
        f"{jury.id}: {len(jury.members)} members on {jury.rubric}, calibrated on {jury.calibrated_on} ({held.n} answers, "
        f"{held.positive} {outcome})",
        f"models and prompts left out: kappa {kappa:.3f} [{low:.2f}, {high:.2f}], calibration error "
        f"{held.calibration_error:.3f}"
        + (f", worst model {held.worst[0]} {held.worst[1]:.3f}" if held.worst else ""),
        f"says {outcome} from a probability of {jury.threshold:.2f}",
        "",
        f"  {'member':<44} {'kappa alone':>11} {'weight of a vote':>17}",
    ]
    weights = jury.weights()
    for name, weight in weights[: len(jury.members)]:
        lines.append(f"  {name:<44} {held.members[name]:>11.3f} {weight:>+17.3f}")
    if jury.uses_signs:
        largest = sorted(weights[len(jury.members) :], key=lambda item: -abs(item[1]))[:_SIGNS_SHOWN]
        shown = ", ".join(f"{name} {weight:+.2f}" for name, weight in largest)
        lines.append(f"  and the answer itself, in log-odds by one standard deviation: {shown} …")
    else:
        lines.append("  The answers themselves are not looked at (too few labels for it, or --votes-only).")
    best = max(held.members.items(), key=lambda item: item[1])
    if best[1] >= kappa:
        lines.append(f"This jury is no better than {best[0]} alone ({best[1]:.3f}): use that judge.")
    return lines
