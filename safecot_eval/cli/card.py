"""``safecot card``: the model-index block for a Hugging Face model card, and ``.eval_results`` files."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("runs", nargs=-1, required=True, type=click.Path())
@click.option("--model", required=True, help="Name of the model in the runs.")
@click.option(
    "--eval-results",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write one file per benchmark of the Hub here instead (the folder .eval_results of the model's repository).",
)
def command(runs: tuple[str, ...], model: str, eval_results: Path | None) -> None:
    """Print the model-index block of a model from RUNS (put it into the card's YAML header)."""
    import yaml

    from safecot_eval.util.files import write_text
    from safecot_reports.build import Options, build
    from safecot_reports.eval_results import eval_results as files_of
    from safecot_reports.export import model_index

    data = build(runs, Options(samples=0))
    if eval_results is not None:
        files, elsewhere = files_of(data, model)
        if files:
            eval_results.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            write_text(eval_results / name, yaml.safe_dump(content, sort_keys=False, allow_unicode=True))
            click.echo(str(eval_results / name))
        if elsewhere:
            click.echo(f"note: no data set of the Hub, so no file: {', '.join(elsewhere)}", err=True)
        return
    click.echo(yaml.safe_dump(model_index(data, model), sort_keys=False, allow_unicode=True), nl=False)
