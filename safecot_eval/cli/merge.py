"""``safecot merge``: one run folder from the folders of many jobs."""

from __future__ import annotations

from pathlib import Path

import click

from safecot_eval.util.wording import counted


@click.command("merge")
@click.argument("runs", nargs=-1, required=True, type=click.Path())
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), help="Folder for the joined runs."
)
@click.option("--index", is_flag=True, help="Also write a Parquet index beside every run.")
def command(runs: tuple[str, ...], output: Path, index: bool) -> None:
    """Join RUNS (folders of jobs, at any depth): the newest run of every model and task, with its verdicts."""
    from safecot_eval.records.merging import merge
    from safecot_eval.records.run import find_runs
    from safecot_eval.util.terminal import printable

    done = merge(runs, output)
    if index:
        from safecot_eval.aggregate.tables import write_index

        for run in find_runs([output]):
            write_index(run)
    for note in done.notes:
        click.echo(f"note: {printable(note, 500)}", err=True)
    click.echo(
        f"{output}: {counted(done.runs, 'run')}, {counted(done.samples, 'sample')}, {counted(done.verdicts, 'new verdict')}"
    )
