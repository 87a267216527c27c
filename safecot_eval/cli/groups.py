"""A group of commands whose list shows the first sentence of each whole."""

from __future__ import annotations

import click

_LIMIT = 300


class Group(click.Group):
    """click cuts each command's line to the width of the terminal; this wraps it instead."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write one row a command, wrapped."""
        commands = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        rows = [(name, found.get_short_help_str(_LIMIT)) for name, found in commands if found is not None]
        if rows:
            with formatter.section("Commands"):
                formatter.write_dl(rows)
