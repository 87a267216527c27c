"""``safecot data``: what is on this machine, what is missing, and how to get it."""

from __future__ import annotations

from pathlib import Path

import click

from safecot_eval.cli.groups import Group
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.wording import agreeing, counted


@click.group(cls=Group)
def command() -> None:
    """List, prepare and verify benchmark data."""


@command.command("list")
def list_command() -> None:
    """Say for every task whether it can run here, and what it lacks."""
    from safecot_eval.benchmarks import catalogue, registry
    from safecot_eval.benchmarks.selection import why_not

    ready = recorded = lacking = 0
    for name in registry.names():
        benchmark = registry.load(name)
        click.echo(f"{name}: {benchmark.title} ({benchmark.licence}; {benchmark.revision})")
        reasons: dict[str, list[str]] = {}
        for variant in benchmark.variants:
            task_name = benchmark.task_name(variant)
            reason = catalogue.why_not_ready(task_name)
            if reason is None:
                imageless = why_not(task_name, recorded=False) is not None
                recorded, ready = recorded + imageless, ready + (not imageless)
                kind = "imageless" if imageless else "ready"
                click.echo(f"  {kind:<8} {task_name}: {benchmark.variants[variant]}")
                if not imageless and (bad := catalogue.bad_images(task_name, opened=False)) is not None:
                    click.echo(f"           {bad}")
            else:
                lacking += 1
                reasons.setdefault(reason, []).append(task_name)
        for reason, task_names in reasons.items():
            click.echo(f"  missing  {', '.join(task_names)}\n           {reason}")
    if recorded:
        click.echo(
            f"{counted(recorded, 'task')} {agreeing(recorded, 'lacks its', 'lack their')} images (imageless): recorded answers can be scored, a model cannot be asked."
        )
    click.echo(
        f"{counted(ready, 'task')} {agreeing(ready, 'is', 'are')} ready, {lacking} {agreeing(lacking, 'lacks', 'lack')} data."
    )


@command.command("prepare")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option(
    "--archive", type=click.Path(path_type=Path), help="An official zip that you downloaded (MM-SafetyBench)."
)
def prepare_command(names: tuple[str, ...], archive: Path | None) -> None:
    """Fetch what is missing, check it, and write replay files of published answers.

    NAME is a benchmark (`safecot data list` shows them), or a data folder of no benchmark: `protocols`, `safecot_runs`,
    `safecot_training`. Exit status 2 where a task cannot be read.
    """
    from safecot_eval.benchmarks.data.roots import folder_of
    from safecot_eval.benchmarks.data.sources import source
    from safecot_eval.benchmarks.data.verify import layouts
    from safecot_eval.benchmarks.prepare import first_time, prepare

    if archive is not None and len(names) != 1:
        raise SafecotError("--archive belongs to one benchmark; name exactly one.")
    for name in names:
        folder = folder_of(name)
        known = source(folder) if folder else None
        if folder and known and first_time(folder):
            click.echo(f"{name}: licence {known.licence}.")
            click.echo(f"{name}: content warning: {known.warning}.")
    unreadable: list[str] = []
    for name in names:
        prepared = prepare(name, archive)
        unreadable += prepared.unreadable
        count, bad = len(prepared.task_names), len(prepared.unreadable)
        ready = (
            "ready" if not bad else "not ready" if bad == count else f"{count - bad} of {count} tasks ready"
        )
        click.echo(f"{name}: {ready} at {prepared.root}")
        folder = folder_of(name)
        if folder and (described := source(folder)) is not None:
            for sentence in layouts(described, prepared.root):
                click.echo(f"  layout: {sentence}")
        for task_name, found in prepared.task_names.items():
            click.echo(f"  {task_name}: " + (counted(found, "item") if isinstance(found, int) else found))
            if task_name in prepared.bad_images:
                click.echo(f"    {prepared.bad_images[task_name]}")
        for path in prepared.replays:
            click.echo(f"  replay: {path}")
    if unreadable:
        raise SafecotError(f"{', '.join(unreadable)} cannot be read; see the lines above.")


@command.command("verify")
@click.argument("names", nargs=-1, metavar="[NAME]...")
def verify_command(names: tuple[str, ...]) -> None:
    """Hash the data on this machine and compare with the pinned hashes.

    Exit status 2 where something differs, or is needed and not there.
    """
    from safecot_eval.benchmarks.data.roots import folder_of, present
    from safecot_eval.benchmarks.data.sources import source, sources
    from safecot_eval.benchmarks.data.verify import layouts, verify

    folders = [folder_of(name) for name in names] or [
        folder for folder in sources() if present(folder) is not None
    ]
    failed = []
    for folder in folders:
        known = source(folder) if folder else None
        if folder is None or known is None:
            click.echo(f"{folder or 'mini'}: drawn or described by its benchmark, nothing is pinned")
            continue
        found = present(folder)
        if found is None:
            raise SafecotError(f"{folder} is not on this machine; run `safecot data prepare {folder}`.")
        report = verify(known, found)
        click.echo(
            f"{folder}: {counted(len(report.good), 'file')} as pinned, {counted(len(report.other), 'upstream original')}, "
            f"{len(report.changed)} changed, {len(report.missing)} missing ({found})"
        )
        for label, paths in (("changed", report.changed), ("missing", report.missing)):
            for path in paths[:20]:
                click.echo(f"  {label}: {path}")
        for sentence in layouts(known, found):
            click.echo(f"  layout: {sentence}")
        for sentence in report.short:
            click.echo(f"  {sentence}")
        if not report.complete:
            failed.append(folder)
    if failed:
        raise SafecotError(
            f"The data of {', '.join(failed)} are not what they should be; see the lines above."
        )
