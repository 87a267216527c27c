"""``safecot card``: the model-index block for a Hugging Face model card."""

from __future__ import annotations

import click


@click.command()
@click.argument("runs", nargs=-1, required=True, type=click.Path())
@click.option("--model", required=True, help="Name of the model in the runs.")
def command(runs: tuple[str, ...], model: str) -> None:
    """Print the model-index block of a model from RUNS (put it into the card's YAML header)."""
    import yaml

    from safecot_reports.build import Options, build
    from safecot_reports.export import model_index

    data = build(runs, Options(samples=0))
    click.echo(yaml.safe_dump(model_index(data, model), sort_keys=False, allow_unicode=True), nl=False)
