"""``safecot report``: the leaderboard from run folders."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from safecot_eval.util.errors import SafecotError
from safecot_eval.util.files import write_bytes


@click.command()
@click.argument("runs", nargs=-1, required=True, type=click.Path())
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="File to write (default leaderboard.<format>)."
)
@click.option(
    "--format",
    "kind",
    type=click.Choice(("html", "csv", "json", "md", "latex", "parquet")),
    help="Default: by the ending of the output, else html.",
)
@click.option("--title", default="Safety and over-refusal", show_default=True)
@click.option("--baseline", help="Model that others are compared with if there are more than 12 models.")
@click.option("--no-samples", is_flag=True, help="Leave all prompts and answers out of the page.")
@click.option(
    "--samples-per-run",
    type=click.IntRange(min=0),
    default=50,
    show_default=True,
    help="Samples per model and task on the page (the same items for every model).",
)
@click.option(
    "--images",
    is_flag=True,
    help="Put small copies of the samples' images on the page, concealed like the texts. Mind their licences.",
)
@click.option(
    "--split", is_flag=True, help="Write a folder: index.html and every sample in one shard per run."
)
@click.option(
    "--interval",
    type=click.Choice(("wilson", "clopper-pearson")),
    default="wilson",
    show_default=True,
    help="Interval of a rate: covers 95 % on average, or at least 95 % always (wider).",
)
@click.option("--strict", is_flag=True, help="Refuse runs that cannot be compared.")
@click.option("--badge", type=click.Path(path_type=Path), help="Also write an SVG badge for --baseline.")
def command(
    runs: tuple[str, ...],
    output: Path | None,
    kind: str | None,
    title: str,
    baseline: str | None,
    no_samples: bool,
    samples_per_run: int,
    images: bool,
    split: bool,
    interval: Literal["wilson", "clopper-pearson"],
    strict: bool,
    badge: Path | None,
) -> None:
    """Write the leaderboard from RUNS (folders that lmms-eval wrote, at any depth, or submissions)."""
    from safecot_reports.build import Options, build
    from safecot_reports.export import badge as badge_svg
    from safecot_reports.export import export, plain
    from safecot_reports.page import page_html
    from safecot_reports.split import write_split

    kind = kind or _kind_of(output)
    if split and kind != "html":
        raise SafecotError("--split writes a page; it cannot be combined with another --format.")
    if badge and baseline is None:
        raise SafecotError("--badge needs --baseline MODEL: the model that the badge is about.")
    on_page = 0 if no_samples or split else samples_per_run
    options = Options(
        title=title, baseline=baseline, samples=on_page, images=images, strict=strict, interval=interval
    )
    data = build(runs, options)
    ending = {"latex": "tex"}.get(kind, kind)
    target = output or Path("leaderboard" if split else f"leaderboard.{ending}")
    if split:
        write_split(data, runs, target, samples=not no_samples, images=images)
    elif kind == "html":
        write_bytes(target, page_html(data).encode())
    else:
        write_bytes(target, export(data, kind))
    if badge and baseline:
        write_bytes(badge, badge_svg(data, baseline).encode())
    for sentence in data["conflicts"] + data["omitted"]:
        click.echo(f"note: {plain(sentence)}", err=True)
    shown = f"{len(data['models'])} models, {len(data['tasks'])} tasks, {len(data['samples'])} samples on the page"
    click.echo(f"{target}: {shown}")


def _kind_of(output: Path | None) -> str:
    endings = {".csv": "csv", ".json": "json", ".md": "md", ".tex": "latex", ".parquet": "parquet"}
    return endings.get(output.suffix, "html") if output else "html"
