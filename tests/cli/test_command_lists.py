"""What ``safecot GROUP --help`` lists: every command with a whole first sentence; and what a wrong call costs."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from safecot_eval.cli import cli
from safecot_eval.generate import decoding
from safecot_eval.generate.presets import preset


@pytest.mark.parametrize("group", ["judge", "data", "export", "label", "lite", "train"])
def test_no_sentence_of_a_command_list_is_cut(group: str) -> None:
    done = CliRunner().invoke(cli, [group, "--help"])
    assert done.exit_code == 0
    listed = done.output.partition("Commands:")[2]
    assert listed.strip()
    assert "..." not in listed


def test_a_check_without_a_base_is_refused_before_torch_is_imported() -> None:
    code = (
        "import sys; from safecot_eval.cli import main\n"
        "try: main(['train', 'check'])\n"
        "finally: print([name for name in ('torch', 'transformers') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "Name a base model" in done.stderr
    assert done.stdout.strip() == "[]"


def test_the_help_of_judge_shows_what_judging_runs_takes() -> None:
    short, whole = (CliRunner().invoke(cli, ["judge", *more, "--help"]).output for more in ([], ["existing"]))
    options = set(re.findall(r"^  (--[\w-]+)", whole, re.MULTILINE))
    assert {"--judge", "--rubric", "--official"} <= options
    assert options <= set(re.findall(r"^  (--[\w-]+)", short, re.MULTILINE))
    assert "short for `safecot judge existing RUNS`" in short


@pytest.mark.parametrize(("option", "shipped"), [("preset", preset.names()), ("decoding", decoding.names())])
def test_the_help_of_run_names_what_ships(option: str, shipped: list[str]) -> None:
    (parameter,) = [one for one in cli.get_command(None, "run").params if one.name == option]
    assert [name for name in shipped if not re.search(rf"\b{name}\b", parameter.help)] == []


def _commands(command: click.Command, path: str = "safecot") -> Iterator[tuple[str, click.Command]]:
    if command.hidden:
        return
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            yield from _commands(command.get_command(context, name), f"{path} {name}")


def test_every_command_and_option_says_what_it_is_for() -> None:
    commands = list(_commands(cli))
    silent = [path for path, command in commands if len((command.help or "").split()) < 2]
    silent += [
        f"{path} {option.opts[0]}"
        for path, command in commands
        for option in command.params
        if isinstance(option, click.Option) and not option.hidden and len((option.help or "").split()) < 2
    ]
    assert silent == []
    assert len(commands) > 40, "the walk must reach the commands of the groups"
