"""``safecot tasks-path``: the folder that lmms-eval's ``--include_path`` wants."""

from __future__ import annotations

import click

from safecot_eval.util.paths import tasks_dir


@click.command("tasks-path")
def command() -> None:
    """Print the folder with the lmms-eval task files (for --include_path)."""
    click.echo(str(tasks_dir()))
