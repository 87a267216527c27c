"""The ``safecot`` command: one module per subcommand, imported only when it is called.

``safecot judge`` lives in ``safecot_eval/cli/judge.py`` and exposes a click command called ``command``. A hyphen becomes an
underscore, and a name that is a word of Python's own gets one at its end (``cli/import_.py``).
"""

from __future__ import annotations

import importlib
import keyword
import os
import signal
import sys
from contextlib import suppress
from typing import Any, NoReturn

import click

from safecot_eval import __version__
from safecot_eval.util import environment
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.exit_status import ExitStatus
from safecot_eval.util.terminal import printable

# name -> one-line help. Listed here, so that `safecot --help` imports no subcommand.
COMMANDS = {
    "run": "Evaluate a model: lmms-eval with checks before and an honest exit status.",
    "judge": "Judge existing runs with an LLM, import verdicts, or serve the judge.",
    "import": "Score answers that another tool recorded (CSV, Excel, VLMEvalKit, Inspect …).",
    "rescore": "Score stored generations anew, as this version does; nothing is generated.",
    "merge": "Join the run folders of many jobs into one.",
    "report": "Write the leaderboard (HTML, CSV, JSON, Markdown, LaTeX, Parquet) from run folders.",
    "dialogues": "At which turn dialogues go wrong: the hazard curve by each judge.",
    "aspects": "MultiTrust's aspect scores from the tasks that were run, and what they lack.",
    "submit": "Write one compact results file for a public leaderboard.",
    "validate": "Check submissions: schema, hashes, counts, rates worked out again.",
    "export": "Results as a data set for the hub, or as Every Eval Ever files.",
    "paper": "SafeCoT's own checkpoints: recorded answers by seven rulers, and what they say of the paper.",
    "compare": "Paired comparison of two models in the terminal.",
    "card": "Print the model-index block for a Hugging Face model card.",
    "data": "List, prepare and verify benchmark data.",
    "train": "Build SafeCoT data, fine-tune, export and score checkpoints.",
    "label": "Draw samples for human labelling and read the labels back.",
    "lite": "Train and evaluate the embedded refusal classifier.",
    "power": "How many items a comparison needs, or what it can detect.",
    "doctor": "Say what is installed, what is missing and how to get it.",
    "tasks-path": "Print the folder with the lmms-eval task files (for --include_path).",
}


class LazyGroup(click.Group):
    """A click group that imports a subcommand's module only when that subcommand runs."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of the table above, which is the order of use."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import ``safecot_eval.cli.<name>`` and return its ``command``."""
        if cmd_name not in COMMANDS:
            return None
        name = f"{cmd_name}_" if keyword.iskeyword(cmd_name) else cmd_name.replace("-", "_")
        module = importlib.import_module(f"safecot_eval.cli.{name}")
        return module.command  # type: ignore[no-any-return]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the command table without importing anything."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="safecot")
@click.option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    default=None,
    help="json: one JSON object per event on standard error.",
)
def cli(log_format: str | None) -> None:
    """Safety and over-refusal evaluation of vision-language models, on top of lmms-eval."""
    if log_format is not None:
        os.environ["SAFECOT_LOG_FORMAT"] = log_format


def main(argv: list[str] | None = None) -> Any:
    """Run the command line; a user's mistake becomes one sentence on stderr and exit status 2.

    An interrupt is exit status 130 whenever it comes; click would make it 1, which says that something failed.
    """
    try:
        environment.prepare()
        status = cli.main(args=argv, prog_name="safecot", standalone_mode=False)
        sys.exit(status if isinstance(status, int) else 0)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt) as error:
        asked = not isinstance(error, KeyboardInterrupt) and not isinstance(
            error.__cause__, KeyboardInterrupt
        )
        if not asked:
            _exit_interrupted()
        click.echo("safecot: aborted.", err=True)
        sys.exit(ExitStatus.FAILED)
    except SafecotError as error:
        lines = [printable(line, 2000) for line in str(error).splitlines()]
        click.echo("safecot: " + "\n".join(lines), err=True)
        sys.exit(ExitStatus.MISTAKE)


def _exit_interrupted() -> NoReturn:
    with suppress(ValueError):  # not the main thread
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # a second one ends the process, without a traceback
    click.echo("safecot: interrupted.", err=True)
    # CPython notes an interrupt that leaves an exec of a text, as in dataclasses, and then ends the process by the signal
    # whatever our status is; the next exec takes that back.
    exec("")  # noqa: S102  # nosec B102
    sys.exit(ExitStatus.INTERRUPTED)
