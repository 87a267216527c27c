"""``safecot aspects``: scores that a benchmark makes from several of its tasks."""

from __future__ import annotations

import json

import click


@click.command()
@click.argument("runs", nargs=-1, required=True, type=click.Path())
@click.option("--benchmark", default="multitrust", show_default=True, help="Benchmark whose scores are made.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(runs: tuple[str, ...], benchmark: str, as_json: bool) -> None:
    """MultiTrust's S.T (toxicity) and S.J (jailbreaking) of the models in RUNS, with the numbers that each score lacks.

    A score is the mean of those that are there; it is the published quantity only where none is missing and none comes
    from a stand-in (`safecot judge RUNS --judge perspective` gives Perspective's).
    """
    from safecot_eval.aggregate.aspects import aspect_scores
    from safecot_eval.aggregate.reading import read_all
    from safecot_eval.records.run import find_runs
    from safecot_eval.util.errors import SafecotError

    found = aspect_scores(read_all(find_runs(runs)), benchmark)
    if not found:
        raise SafecotError(f"{', '.join(runs)}: no run of a task of {benchmark} is there.")
    if as_json:
        table = {
            model: {
                score.name: {
                    "value": score.value,
                    "numbers": score.found,
                    "missing": score.missing,
                    "stand_ins": sorted(score.stand_ins),
                    "complete": score.complete,
                }
                for score in scores
            }
            for model, scores in found.items()
        }
        click.echo(json.dumps(table, indent=1))
        return
    for model, scores in found.items():
        click.echo(model)
        for score in scores:
            value = "  –  " if score.value is None else f"{score.value:5.1f}"
            notes = [f"{score.found} of {score.found + len(score.missing)} numbers"]
            notes += [f"missing: {'; '.join(score.missing)}"] if score.missing else []
            notes += [f"with {', '.join(sorted(score.stand_ins))}"] if score.stand_ins else []
            click.echo(f"  {score.name}  {value}  {', '.join(notes)}")
