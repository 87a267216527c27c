"""``safecot validate``: may a leaderboard accept these submissions?"""

from __future__ import annotations

from pathlib import Path

import click

from safecot_eval.util.errors import SafecotError
from safecot_eval.util.wording import counted


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--no-data", is_flag=True, help="Do not compare the samples with the benchmarks' own items.")
@click.option("--strict", is_flag=True, help="Treat warnings as errors.")
def command(files: tuple[Path, ...], no_data: bool, strict: bool) -> None:
    """Check submission FILES (or folders of them): schema, hash, counts, rates worked out again, items, provenance.

    Exit status: 0 all are sound, 2 at least one is not (every reason is printed).
    """
    from safecot_eval.submissions import SUFFIX, load, validate
    from safecot_eval.util.terminal import printable

    for given in files:
        if not given.exists():
            raise SafecotError(f"{given}: no such file or folder.")
    paths = [p for given in files for p in (sorted(given.rglob(f"*{SUFFIX}")) if given.is_dir() else [given])]
    if not paths:
        raise SafecotError(f"No submission (*{SUFFIX}) in {', '.join(map(str, files))}.")
    bad = 0
    for path in paths:
        try:
            document = load(path)
            found = validate(document, data=not no_data)
            errors, warnings = found.errors, found.warnings
        except SafecotError as error:
            errors, warnings, document = [str(error).removeprefix(f"{path}: ")], [], {}
        for warning in warnings:
            click.echo(f"{path}: warning: {printable(warning, 500)}")
        for problem in errors:
            click.echo(f"{path}: error: {printable(problem, 500)}")
        if errors or (strict and warnings):
            bad += 1
            continue
        tasks = document["tasks"]
        samples = sum(len(block["columns"]["id"]) for block in tasks)
        compared = f"; samples of {', '.join(found.checked)} are the benchmark's own" if found.checked else ""
        click.echo(
            f"{path}: sound: {document['model']}, {counted(len(tasks), 'task')}, {counted(samples, 'sample')}{compared}"
        )
    if bad:
        raise SafecotError(f"{bad} of {counted(len(paths), 'submission')} cannot be accepted.")
