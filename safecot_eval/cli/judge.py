"""``safecot judge``: judge existing runs, serve the judge, import recorded labels, audit and evaluate judges."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from safecot_eval.cli.groups import Group
from safecot_eval.cli.judge_audit import audit
from safecot_eval.cli.judge_evaluate import evaluate
from safecot_eval.cli.judge_jury import jury
from safecot_eval.cli.judge_options import (
    chosen_judge,
    chosen_rubrics,
    for_judge,
    judge_id_of,
    judge_options,
    say_advice,
)
from safecot_eval.records.verdicts import Unscored
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.exit_status import ExitStatus
from safecot_eval.util.terminal import printable
from safecot_eval.util.wording import agreeing, counted

if TYPE_CHECKING:
    from safecot_eval.judge.judge_runs import Outcome
    from safecot_eval.judge.rubric import RubricSet

_DEFAULT = "existing"


class _Group(Group):
    """``safecot judge RUNS`` is ``safecot judge existing RUNS``: most folders of runs are called "runs"."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in ("-h", "--help"):
            args = [_DEFAULT, *args]
        return super().parse_args(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The options of judging RUNS come first: they are what most people look for here."""
        options = [option for option in self.commands[_DEFAULT].params if isinstance(option, click.Option)]
        rows = [row for option in options if (row := option.get_help_record(ctx)) is not None]
        with formatter.section("Options with RUNS"):
            formatter.write_dl(rows)
        super().format_options(ctx, formatter)


@click.group(cls=_Group, subcommand_metavar="RUNS... | COMMAND [ARGS]...")
def command() -> None:
    """Judge existing runs; nothing is generated (docs/judge.md).

    `safecot judge RUNS` is short for `safecot judge existing RUNS`.

    \b
    safecot judge runs                      by the judge that SAFECOT_JUDGE_URL names
    safecot judge runs --judge lite         by the embedded classifier
    safecot judge serve                     start Llama-3-8B-Instruct with vLLM
    """


@command.command(_DEFAULT)
@click.argument("runs", nargs=-1, required=True, type=click.Path())
@judge_options
@click.option(
    "--rubric",
    "rubric_names",
    multiple=True,
    help="Rubric id or file (.txt); repeat for several. Default: those that each benchmark names.",
)
@click.option(
    "--images",
    is_flag=True,
    help="Show the judge the pictures (harm, outcome, siuo_safe, siuo_effective; with --official, where the authors do); it must "
    "be a model that sees.",
)
@click.option("--all-runs", is_flag=True, help="Judge older runs of the same model and task as well.")
@click.option("--quiet", is_flag=True, help="Show no progress.")
def runs_command(
    runs: tuple[str, ...],
    name: str | None,
    url: str | None,
    official: bool,
    concurrency: int,
    max_tokens: int | None,
    no_cache: bool,
    rubric_names: tuple[str, ...],
    images: bool,
    all_runs: bool,
    quiet: bool,
) -> None:
    """Judge RUNS and write verdicts/<judge id>.jsonl beside the samples; what was judged before is not judged again.

    Exit status: 0 every answer has a verdict, 3 some have none (the same command asks again), 130 interrupted.
    """
    from safecot_eval.judge.judge_runs import judge_runs
    from safecot_eval.records.run import find_runs

    found = find_runs(runs, newest_only=not all_runs)
    sets = chosen_rubrics(rubric_names, official, images)
    judge = chosen_judge(name, url, concurrency, no_cache, max_tokens)
    sets = for_judge(judge, sets, asked=bool(rubric_names))
    if name == "lite" and images:
        raise SafecotError("safecot-lite sees no pictures; use an LLM judge for --images.")
    if name == "lite":
        sets = _only_for_lite(sets, rubric_names)
    if name in ("perspective", "alt-profanity-check"):
        sets = {rubric: found for rubric, found in sets.items() if rubric == "toxicity"}
        if not sets:
            raise SafecotError(f"{name} judges toxicity only: leave --rubric out, or give --rubric toxicity.")
    judge_id = judge_id_of(judge, sets)
    try:
        outcome = judge_runs(
            found, judge, sets, judge_id=judge_id, every_rubric=bool(rubric_names), quiet=quiet
        )
    except KeyboardInterrupt:
        click.echo("Interrupted; verdicts so far are kept, and the same command continues.", err=True)
        raise SystemExit(ExitStatus.INTERRUPTED) from None
    _say_outcome(outcome, judge_id)
    if not outcome.written and not outcome.before:
        click.echo(
            f"Nothing to judge: no scored answer here is asked about by {', '.join(sets)}"
            + ("." if rubric_names else ", unless --rubric names one of these."),
            err=True,
        )
    say_advice(judge)
    if outcome.missing or outcome.cut:
        raise SystemExit(ExitStatus.INCOMPLETE)


@command.command(context_settings={"ignore_unknown_options": True})
@click.option("--model", help="Hub id or folder (default: meta-llama/Meta-Llama-3-8B-Instruct).")
@click.option("--revision", help="Revision on the hub; verdicts will carry it.")
@click.option("--host", default="127.0.0.1", show_default=True, help="0.0.0.0 lets other machines use it.")
@click.option(
    "--port", type=click.IntRange(1, 65535), default=8231, show_default=True, help="Port to listen on."
)
@click.option(
    "--tensor-parallel",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="GPUs that share one copy of the model.",
)
@click.option(
    "--data-parallel",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Copies of the model, each on GPUs of its own.",
)
@click.option("--ray", is_flag=True, help="Spread over a Ray cluster.")
@click.option("--log", type=click.Path(path_type=Path), help="Where vLLM's output goes.")
@click.option(
    "--timeout", type=click.FloatRange(min=1), default=1800.0, show_default=True, help="Seconds to start."
)
@click.argument("extra", nargs=-1, type=click.UNPROCESSED)
def serve(
    model: str | None,
    revision: str | None,
    host: str,
    port: int,
    tensor_parallel: int,
    data_parallel: int,
    ray: bool,
    log: Path | None,
    timeout: float,
    extra: tuple[str, ...],
) -> None:
    """Serve a judge with vLLM in the foreground; Ctrl-C stops it. EXTRA arguments go to vLLM unchanged."""
    import signal

    from safecot_eval.generate.models.weights import check_folder
    from safecot_eval.judge.endpoint.endpoint import MODEL, URL
    from safecot_eval.judge.endpoint.server import MODEL as DEFAULT_MODEL
    from safecot_eval.judge.endpoint.server import Plan, Server, lora_folders
    from safecot_eval.util.paths import cache_dir

    plan = Plan(model or DEFAULT_MODEL, revision, host, port, tensor_parallel, data_parallel, ray, extra)
    check_folder(str(Path(plan.model).expanduser()), lora_folders(extra))
    where = log or cache_dir() / "judge" / f"server-{port}.log"
    if not plan.host.startswith("127.") and plan.host not in ("localhost", "::1"):
        click.echo(
            f"Listening on {host}: whoever reaches this machine can use the server (pass --api-key).",
            err=True,
        )
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with Server(plan, where, timeout_s=timeout, say=lambda line: click.echo(line, err=True)) as server:
            click.echo(f"export {URL}={plan.url} {MODEL}={plan.served_names[0]}")
            click.echo(f"vLLM's output: {where}. Ctrl-C stops the server.", err=True)
            status = server.wait()
    except KeyboardInterrupt:
        click.echo("Stopped.", err=True)
        return
    raise SafecotError(f"vLLM ended with status {status}; its output is in {where}.")


@command.command("import")
@click.argument("runs", nargs=-1, required=True, type=click.Path())
@click.option("--from", "table", type=click.Path(path_type=Path), help="CSV: label, sample_id or item_id, …")
@click.option(
    "--preset", type=click.Choice(["msts", "xstest"]), help="Labels that came with recorded answers."
)
@click.option("--judge", "name", help="Judge id for all rows; human:NAME for people.")
@click.option("--rubric", help="Rubric for all rows.")
@click.option("--map", "maps", multiple=True, help="THEIRS=OURS: rename a label; repeat for several.")
def import_command(
    runs: tuple[str, ...],
    table: Path | None,
    preset: str | None,
    name: str | None,
    rubric: str | None,
    maps: tuple[str, ...],
) -> None:
    """Import recorded labels as verdicts beside RUNS: a table's (--from), or a benchmark's own (--preset)."""
    from safecot_eval.judge.people.recorded_labels import import_labels, preset_labels, read_labels
    from safecot_eval.records.run import find_runs

    if (table is None) == (preset is None):
        raise SafecotError("Give either --from FILE.csv or --preset NAME.")
    mapping = dict(entry.rpartition("=")[::2] for entry in maps)
    labels = preset_labels(preset) if preset else []
    if table is not None:
        labels = read_labels(table, judge=name, rubric=rubric, mapping=mapping)
    result = import_labels(labels, find_runs(runs))
    for path, count in sorted(result.written.items()):
        click.echo(f"{counted(count, 'label')}: {path}")
    if result.unmatched:
        click.echo(
            f"{result.unmatched} of {counted(len(labels), 'label')} {agreeing(result.unmatched, 'fits none of these runs and was', 'fit none of these runs and were')} left out.",
            err=True,
        )


def _only_for_lite(sets: dict[str, RubricSet], asked: tuple[str, ...]) -> dict[str, RubricSet]:
    from safecot_eval.judge.lite.judge import BY_DEFAULT, RUBRICS

    if foreign := [rubric for rubric in sets if asked and rubric not in RUBRICS]:
        raise SafecotError(
            f"safecot-lite judges {', '.join(RUBRICS)} only, not {foreign[0]!r}; use an LLM judge for that."
        )
    return {name: rubrics for name, rubrics in sets.items() if asked or name in BY_DEFAULT}


def _say_outcome(outcome: Outcome, judge_id: str) -> None:
    for rubric, counts in outcome.labels.items():
        shares = ", ".join(f"{label} {count}" for label, count in counts.most_common())
        click.echo(f"{judge_id}/{rubric}: {counted(sum(counts.values()), 'verdict')} ({shares})")
        if rubric in outcome.unread:
            click.echo(
                f"{rubric}: {counted(counts[Unscored.UNPARSEABLE], 'reply')} {agreeing(counts[Unscored.UNPARSEABLE], 'names none of its labels and is', 'name none of its labels and are')} in no rate; the first: "
                f"{printable(outcome.unread[rubric], 120)!r}. A larger judge, or a server that constrains replies to the labels "
                "(vLLM does), helps.",
                err=True,
            )
    speed = outcome.written / outcome.seconds if outcome.seconds else 0.0
    click.echo(
        f"{outcome.written} judged in {outcome.seconds:.1f} s ({speed:.1f}/s); {outcome.before} {agreeing(outcome.before, 'was', 'were')} there before."
    )
    if outcome.missing:
        click.echo(
            f"{outcome.missing} {agreeing(outcome.missing, 'has', 'have')} no verdict: the judge gave no reply; run the same command again.",
            err=True,
        )


command.add_command(audit)
command.add_command(evaluate)
command.add_command(jury)
