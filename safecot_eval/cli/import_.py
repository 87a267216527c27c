"""``safecot import``: from answers in a table or log to a run folder, matched by text and picture.

The module's name has an underscore because ``import`` is a word of Python's own.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from safecot_eval.util.errors import SafecotError
from safecot_eval.util.exit_status import ExitStatus
from safecot_eval.util.wording import counted

if TYPE_CHECKING:
    from safecot_eval.generate.importing import Matched, Source

_EXAMPLES = 3
_HINT = "--own-questions --expect refuse makes a benchmark of the file's own questions."


@click.command("import")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--name", help="The model's name on the leaderboard (default: the log's, else the file's name)."
)
@click.option(
    "--tasks", help="Tasks, wildcards or tags to match with (default: every task that is ready here)."
)
@click.option(
    "--output_path",
    "--output-path",
    default="runs",
    show_default=True,
    type=click.Path(path_type=Path),
    help="Folder to write below: a folder per model.",
)
@click.option(
    "--column",
    "columns",
    multiple=True,
    metavar="KIND=NAME",
    help="Which column holds what, where its name does not say: response=…, prompt=…, image=…, id=…",
)
@click.option("--dry-run", is_flag=True, help="Say what would be taken for what, and write nothing.")
@click.option("--images", multiple=True, type=click.Path(path_type=Path), help="Where picture paths start.")
@click.option(
    "--ignore-images", is_flag=True, help="Match by prompt and id alone (pictures were encoded anew)."
)
@click.option(
    "--other-prompt",
    is_flag=True,
    help="Take answers to another wording, recognised by id or picture, as a task of their own.",
)
@click.option(
    "--own-questions", is_flag=True, help="Make a benchmark of the file's own rows (needs --expect)."
)
@click.option(
    "--expect",
    type=click.Choice(["refuse", "answer", "respond_safely"]),
    help="The right behaviour for own questions.",
)
@click.option("--benchmark", help="Name for own questions (default: a hash of them).")
@click.option("--labels", is_flag=True, help="Take recorded judges' labels from the column 'labels'.")
@click.option("--rubric", help="What the labels say (default: the benchmark's rubric of harm).")
@click.option("--map", "maps", multiple=True, metavar="THEIRS=OURS", help="Rename a label, e.g. True=unsafe.")
@click.option("--replay", type=click.Path(path_type=Path), help="Also write a file for safecot_replay.")
@click.option("--unmatched", type=click.Path(path_type=Path), help="Write what did not match to this CSV.")
@click.option(
    "--failure-texts",
    type=click.Path(path_type=Path),
    help="YAML: more texts that are failures and no answers.",
)
@click.option("--partial", is_flag=True, help="Exit with status 0 even if something is left over.")
@click.option(
    "--questions",
    type=click.Path(path_type=Path),
    help="Write the questions of --tasks as .csv or .xlsx, and stop.",
)
def command(
    files: tuple[Path, ...],
    name: str | None,
    tasks: str | None,
    output_path: Path,
    columns: tuple[str, ...],
    dry_run: bool,
    images: tuple[Path, ...],
    ignore_images: bool,
    other_prompt: bool,
    own_questions: bool,
    expect: str | None,
    benchmark: str | None,
    labels: bool,
    rubric: str | None,
    maps: tuple[str, ...],
    replay: Path | None,
    unmatched: Path | None,
    failure_texts: Path | None,
    partial: bool,
    questions: Path | None,
) -> None:
    """Score answers that another tool recorded: FILES of one model (.csv .tsv .xlsx .json .jsonl .eval).

    Exit status: 0 every answer has an item and every item an answer, 3 written, but something is left over or empty, 2 a
    mistake.

    \b
    safecot import answers.csv --name my-vlm --tasks safecot_xstest
    safecot import my-vlm_XSTest.xlsx --name my-vlm --dry-run
    safecot import logs/2026-01-01_xstest.eval
    safecot import others.jsonl --name gpt-x --own-questions --expect refuse --labels
    safecot import --questions questions.csv --tasks safecot_mini_tiny
    """
    from safecot_eval.generate import closing, importing
    from safecot_eval.generate.importing.answers import is_empty
    from safecot_eval.scoring.failure_texts import use
    from safecot_eval.util.files import write_bytes as write
    from safecot_eval.util.terminal import printable

    use(failure_texts)
    if questions is not None:
        _write_questions(questions, tasks)
        return
    if not files:
        raise SafecotError("Name at least one file of answers.")
    if own_questions is (expect is None):
        raise SafecotError(
            "--own-questions and --expect belong together: say what is right for the questions."
        )
    if other_prompt and tasks is None:
        raise SafecotError(
            "--other-prompt needs --tasks: another wording is recognised by its id, and many benchmarks use the same ids."
        )
    sources = [
        importing.read(path, columns=_pairs(columns, "--column"), folders=images, model=name)
        for path in files
    ]
    for source in sources:
        click.echo(f"{source.path}: {counted(len(source.answers), 'answer')} ({source.kind})")
        for note in source.notes:
            click.echo(f"  {printable(note, 800)}")
    model = name or next((s.model for s in sources if s.model), None) or files[0].stem
    if expect is not None:
        matched = _own(sources, expect, benchmark)
    else:
        matched = _matched(sources, tasks, pictures=not ignore_images, other_prompt=other_prompt)
    for line in _outcome(matched):
        click.echo(line)
    found = importing.labelled(matched, rubric=rubric, mapping=_pairs(maps, "--map")) if labels else []
    for line in importing.label_lines(found) if labels else ():
        click.echo(f"note: {line}")
    if dry_run:
        for line in _examples(matched):
            click.echo(line)
        click.echo("Nothing was written (--dry-run).")
        return
    if unmatched is not None:
        write(unmatched, _table([(a.where, reason, a.prompt or "") for a, reason in matched.left]))
    if replay is not None:
        click.echo(f"{replay}: {counted(importing.write_replay(matched, replay), 'line')} for safecot_replay")
    timestamp = importing.free_timestamp(importing.run_folder(output_path, model))
    folder = importing.write_run(
        matched, sources, model, output_path, timestamp=timestamp, provenance={"command": _as_typed(model)}
    )
    importing.write_labels(found, folder, timestamp)
    for line in closing.unread_lines(folder):
        click.echo(f"note: {line}")
    click.echo(
        f"Wrote {folder} as {printable(model)}\nNext: safecot report {output_path} -o leaderboard.html"
    )
    empty = any(is_empty(a) for answers in matched.answers.values() for a in answers.values())
    if (matched.left or any(matched.missing.values()) or empty) and not partial:
        raise SystemExit(ExitStatus.INCOMPLETE)


def _as_typed(model: str) -> list[str]:
    """The command with every option that was given, and the name; of paths the last part alone."""
    context = click.get_current_context()
    words = ["safecot", "import"]
    for parameter in context.command.params:
        given = context.params[str(parameter.name)]
        named = parameter.name == "name"
        if not named and context.get_parameter_source(str(parameter.name)) is ParameterSource.DEFAULT:
            continue
        for value in given if isinstance(given, tuple) else (model if named else given,):
            option = parameter.opts[:1] if isinstance(parameter, click.Option) else []
            words += (
                option if value is True else [*option, value.name if isinstance(value, Path) else str(value)]
            )
    return words


def _write_questions(path: Path, tasks: str | None) -> None:
    from safecot_eval.generate.importing.questions import questions
    from safecot_eval.util.files import write_bytes

    if tasks is None:
        raise SafecotError("--questions needs --tasks: whose questions?")
    write_bytes(path, questions(_task_names(tasks), path))
    click.echo(f"{path}: fill the column 'response', then `safecot import {path}`")


def _matched(sources: Sequence[Source], tasks: str | None, *, pictures: bool, other_prompt: bool) -> Matched:
    from safecot_eval.benchmarks import catalogue
    from safecot_eval.benchmarks.data.typography import not_drawn
    from safecot_eval.generate import importing

    with not_drawn():
        task_names = {task_name: catalogue.items_of(task_name) for task_name in _task_names(tasks)}
        return importing.match(
            [answer for source in sources for answer in source.answers],
            task_names,
            pictures=pictures,
            ids_alone=tasks is not None and len(task_names) == 1,
            other_prompt=other_prompt,
        )


def _own(sources: Sequence[Source], expect: str, benchmark: str | None) -> Matched:
    from safecot_eval.generate import importing
    from safecot_eval.records.samples import Expectation

    answers = [answer for source in sources for answer in source.answers]
    return importing.own_questions(answers, Expectation(expect), benchmark)


def _outcome(matched: Matched) -> Iterator[str]:
    """What was matched by what, what was not, and what nobody was asked."""
    from safecot_eval.generate.importing.answers import is_empty
    from safecot_eval.util.terminal import printable

    for task, answers in matched.answers.items():
        empty = sum(map(is_empty, answers.values()))
        held, count = len(answers) - empty, len(matched.items[task])
        yield f"{task}: {held} of {counted(count, 'item')} {'has' if held == 1 else 'have'} an answer"
        if empty:
            yield (
                f"{task}: {empty} of {counted(len(answers), 'answer')} {'is' if empty == 1 else 'are'} empty, in no rate "
                "(status empty); fill them in, or delete their rows if nobody asked"
            )
    yield "matched by " + ", ".join(f"{how} ({count})" for how, count in sorted(matched.how.items()))
    reasons = Counter(reason for _, reason in matched.left)
    for reason, count in sorted(reasons.items()):
        first = next(answer for answer, why in matched.left if why == reason)
        yield f"not matched: {count}, {reason} (the first: {printable(first.where)})"
    for note in matched.notes:
        yield f"note: {printable(note, 500)}"
    if absent := sum(map(len, matched.missing.values())):
        have, they = ("has", "it is") if absent == 1 else ("have", "they are")
        yield f"{counted(absent, 'item')} {have} no answer; {they} not_run: in no rate, and not among the failed ones."


def _examples(matched: Matched) -> Iterator[str]:
    from safecot_eval.util.terminal import printable

    pairs = [(task, name, a) for task, of_task in matched.answers.items() for name, a in of_task.items()]
    step = max(1, len(pairs) // _EXAMPLES)
    for task, item_id, answer in pairs[::step][:_EXAMPLES]:
        ground = matched.how_of.get((task, item_id), "own question")
        said = printable(" ".join(answer.response.split()), 100)
        yield f"example: {printable(answer.where)} is {task} {printable(item_id)} by {ground}, {answer.status}: {said}"


def _task_names(tasks: str | None) -> list[str]:
    from safecot_eval.benchmarks import catalogue, selection

    if tasks is None:
        ready = [
            task_name
            for task_name in selection.task_names_of("safecot")
            if catalogue.why_not_ready(task_name) is None
        ]
        if not ready:
            raise SafecotError(f"No benchmark is ready here; run `safecot data list`. {_HINT}")
        return ready
    try:
        task_names, others, _ = selection.expand_tasks(tasks, recorded=True)
    except SafecotError as error:
        if any(catalogue.is_task(part.strip()) for part in tasks.split(",")):
            raise SafecotError(f"{error} Or: {_HINT}") from error
        raise
    if others:
        raise SafecotError(f"--tasks: {others[0]} is not a safecot task.")
    return list(task_names)


def _pairs(given: tuple[str, ...], option: str) -> dict[str, str]:
    pairs = {}
    for text in given:
        kind, equals, column = text.partition("=")
        if not equals or not column:
            example = "KIND=NAME, for example response=reply" if option == "--column" else "THEIRS=OURS"
            raise SafecotError(f"{option} {text}: write {example}.")
        pairs[kind.strip()] = column
    return pairs


def _table(rows: list[tuple[str, str, str]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("where", "reason", "prompt"))
    writer.writerows(rows)
    return text.getvalue().encode("utf-8", "replace")
