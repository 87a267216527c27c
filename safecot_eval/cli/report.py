"""``safecot report``: the leaderboard from run folders."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import click

from safecot_eval.util.errors import SafecotError
from safecot_eval.util.files import write_bytes
from safecot_eval.util.wording import counted

_ENDINGS = {
    ".html": "html",
    ".htm": "html",
    ".csv": "csv",
    ".json": "json",
    ".md": "md",
    ".tex": "latex",
    ".parquet": "parquet",
}


@click.command()
@click.argument("runs", nargs=-1, required=True, type=click.Path())
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="File to write (default leaderboard.<format>)."
)
@click.option(
    "--format",
    "kind",
    type=click.Choice(("html", "csv", "json", "md", "latex", "parquet")),
    help="Default: by the ending of the output; without -o html.",
)
@click.option(
    "--title", default="Safety and over-refusal", show_default=True, help="Title of the leaderboard."
)
@click.option("--description", default="", help="A sentence below the title: what is compared, and by whom.")
@click.option("--logo", type=click.Path(path_type=Path), help="Picture before the title, put into the page.")
@click.option(
    "--social-card",
    type=click.Path(path_type=Path),
    help="Also write the picture that a link to the page shows elsewhere (PNG; --split always does).",
)
@click.option(
    "--watch",
    type=click.FloatRange(min=1),
    metavar="SECONDS",
    is_flag=False,
    flag_value=30.0,
    help="Write the page again whenever the runs have grown, until their matrix is over (default every 30).",
)
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
    description: str,
    logo: Path | None,
    social_card: Path | None,
    watch: float | None,
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
    from safecot_reports.page import logo_uri, page_html
    from safecot_reports.split import write_split

    kind = kind or _kind_of(output, split=split)
    if split and kind != "html":
        raise SafecotError("--split writes a page; it cannot be combined with another --format.")
    if badge and baseline is None:
        raise SafecotError("--badge needs --baseline MODEL: the model that the badge is about.")
    if watch is not None and (split or kind != "html"):
        raise SafecotError(
            "--watch keeps one page up to date; it cannot be combined with --split or another --format."
        )
    picture = logo_uri(logo) if logo else ""
    on_page = 0 if no_samples or split else samples_per_run
    options = Options(
        title=title,
        description=description,
        baseline=baseline,
        samples=on_page,
        images=images,
        strict=strict,
        interval=interval,
    )
    ending = {"latex": "tex"}.get(kind, kind)
    target = output or Path("leaderboard" if split else f"leaderboard.{ending}")
    linked = social_card.name if social_card and social_card.parent == target.parent else ""

    def write(progress: dict[str, Any] | None = None) -> dict[str, Any]:
        data = build(runs, options)
        if split:
            write_split(data, runs, target, samples=not no_samples, images=images, logo=picture)
        elif kind == "html":
            page = page_html(data, logo=picture, social_card=linked, progress=progress)
            write_bytes(target, page.encode())
        else:
            write_bytes(target, export(data, kind))
        if badge and baseline:
            write_bytes(badge, badge_svg(data, baseline).encode())
        if social_card:
            from safecot_reports.social import card  # imports Pillow

            write_bytes(social_card, card(data))
        return data

    if watch is not None:
        from safecot_reports.watching import watch as keep_writing

        keep_writing(runs, write, lambda line: click.echo(f"{target}: {line}"), every=watch)
        return
    data = write()
    for sentence in data["conflicts"] + data["omitted"]:
        click.echo(f"note: {plain(sentence)}", err=True)
    shown = [counted(len(data["models"]), "model"), counted(len(data["tasks"]), "task")]
    if kind == "html" and not split:
        shown.append(f"{counted(len(data['samples']), 'sample')} on the page")
    click.echo(f"{target}: {', '.join(shown)}")


def _kind_of(output: Path | None, *, split: bool) -> str:
    """What to write, by the ending.

    Raises:
        SafecotError: a file whose ending says something else.
    """
    if output is None or split:
        return "html"
    kind = _ENDINGS.get(output.suffix.lower())
    if kind is None:
        raise SafecotError(
            f"-o {output}: the ending decides the format and is one of {', '.join(_ENDINGS)}; name such a file or give "
            f"--format (for a folder --split)."
        )
    return kind
