"""``safecot paper``: SafeCoT's own checkpoints, from their recorded answers."""

from __future__ import annotations

from pathlib import Path

import click

from safecot_eval.util.wording import agreeing, counted


@click.command()
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("paper"),
    show_default=True,
    help="Folder for paper.html, paper.md, paper.csv and the run folders.",
)
@click.option(
    "--runs",
    type=click.Path(path_type=Path),
    help="Folder of recorded runs <base>__<training>__<test>.jsonl (default: the prepared safecot_runs).",
)
@click.option("--docs", type=click.Path(path_type=Path, dir_okay=False), hidden=True)
def command(out: Path, runs: Path | None, docs: Path | None) -> None:
    """Measure recorded answers of SafeCoT checkpoints by seven rulers, and compare base, v0, v1 and v2.

    Reads what `safecot data prepare safecot_runs` fetched, or runs of your own in the same form: one JSON object a line with
    question, image, label (safe or unsafe) and answer, and if known prompt and judge_accept_probability.
    """
    from safecot_eval.paper import csv_table, markdown
    from safecot_eval.paper.findings import gather
    from safecot_eval.paper.manifest import describe_gaps
    from safecot_eval.paper.reproduction import Status
    from safecot_eval.paper.run_folders import write_folders
    from safecot_eval.util.files import write_text
    from safecot_reports.paper import chain_picture, page_html

    paper = gather(runs)
    click.echo(
        f"{paper.folder}: {counted(len(paper.runs), 'run')}, {paper.answers:,} answers of {counted(len(paper.bases), 'base model')}"
    )
    for name, run in paper.runs.items():
        if run.run.not_run:
            click.echo(
                f"note: {name}: {describe_gaps([run.run])} missing; not run, and in no rate.", err=True
            )
        if run.run.unjudged:
            click.echo(
                f"note: {name}: {counted(run.run.unjudged, 'answer')} {agreeing(run.run.unjudged, 'has', 'have')} no probability; unjudged.",
                err=True,
            )
    titles = {base: paper.title(base) for base in paper.bases}
    folders = write_folders([run.run for run in paper.runs.values()], titles, out / "runs")
    write_text(out / "paper.csv", csv_table.table(paper))
    write_text(out / "paper.md", markdown.document(paper))
    write_text(out / "paper.html", page_html(paper))
    if docs is not None:
        write_text(docs.parent / markdown.PICTURE, chain_picture(paper))
        write_text(docs, markdown.document(paper, reading=True))
    exact = sum(figure.status in (Status.EXACT, Status.DENOMINATOR) for figure in paper.figures)
    if paper.figures:
        click.echo(
            f"{exact} of {len(paper.figures)} recorded figures come out; the others are listed with the reason."
        )
    click.echo(f"{out}: paper.html, paper.md, paper.csv, and {len(folders)} run folders in runs/")
    click.echo(f"Next: safecot report {out / 'runs'} -o leaderboard.html")
