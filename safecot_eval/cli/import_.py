"""``safecot import``: from answers in a table or log to a run folder, matched by text and picture.

The module's name has an underscore because ``import`` is a word of Python's own.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from pathlib import Path

import click

from safecot_eval.util.errors import SafecotError

LEFT_OVER = 3


@click.command("import")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--name", help="The model's name on the leaderboard (default: the log's, else the file's name)."
)
@click.option(
    "--tasks", help="Leaves, wildcards or tags to match with (default: every leaf that is ready here)."
)
@click.option(
    "--output_path", "--output-path", default="runs", show_default=True, type=click.Path(path_type=Path)
)
@click.option(
    "--column", "columns", multiple=True, metavar="KIND=NAME", help="response=…, prompt=…, image=…, id=…"
)
@click.option("--images", multiple=True, type=click.Path(path_type=Path), help="Where picture paths start.")
@click.option(
    "--ignore-images", is_flag=True, help="Match by prompt and id alone (pictures were encoded anew)."
)
@click.option("--replay", type=click.Path(path_type=Path), help="Also write a file for safecot_replay.")
@click.option("--unmatched", type=click.Path(path_type=Path), help="Write what did not match to this CSV.")
@click.option(
    "--failure-texts",
    type=click.Path(path_type=Path),
    help="YAML: more texts that are failures and no answers.",
)
@click.option("--partial", is_flag=True, help="Exit status 0 although something is left over.")
@click.option(
    "--questions", type=click.Path(path_type=Path), help="Write the questions of --tasks, and stop."
)
def command(
    files: tuple[Path, ...],
    name: str | None,
    tasks: str | None,
    output_path: Path,
    columns: tuple[str, ...],
    images: tuple[Path, ...],
    ignore_images: bool,
    replay: Path | None,
    unmatched: Path | None,
    failure_texts: Path | None,
    partial: bool,
    questions: Path | None,
) -> None:
    """Score answers that another tool recorded: FILES of one model (.csv .tsv .xlsx .json .jsonl .eval).

    Exit status: 0 every answer has an item and every item an answer, 3 written, but something is left over, 2 a mistake.

    \b
    safecot import answers.csv --name my-vlm --tasks safecot_xstest
    safecot import my-vlm_XSTest.xlsx --name my-vlm
    safecot import logs/2026-01-01_xstest.eval
    safecot import --questions questions.csv --tasks safecot_mini_tiny
    """
    from safecot_eval.benchmarks import catalogue
    from safecot_eval.generate import closing, importing
    from safecot_eval.scoring.failure_texts import use
    from safecot_eval.util.files import write_bytes as write
    from safecot_eval.util.terminal import printable

    use(failure_texts)
    if questions is not None:
        from safecot_eval.generate.importing.questions import questions as table

        if tasks is None:
            raise SafecotError("--questions needs --tasks: whose questions?")
        text = table(list(_leaves(tasks)))
        write(questions, text.encode())
        click.echo(f"{questions}: fill the column 'response', then `safecot import {questions}`")
        return
    if not files:
        raise SafecotError("Name at least one file of answers.")
    sources = [importing.read(path, columns=_pairs(columns), folders=images) for path in files]
    model = name or next((s.model for s in sources if s.model), None) or files[0].stem
    leaves = {leaf: catalogue.items_of(leaf) for leaf in _leaves(tasks)}
    matched = importing.match(
        [answer for source in sources for answer in source.answers], leaves, pictures=not ignore_images
    )
    for source in sources:
        click.echo(f"{source.path}: {len(source.answers)} answers ({source.kind})")
        for note in source.notes:
            click.echo(f"  {printable(note, 500)}")
    for task, answers in matched.answers.items():
        click.echo(f"{task}: {len(answers)} of {len(leaves[task])} items have an answer")
    click.echo("matched by " + ", ".join(f"{how} ({count})" for how, count in sorted(matched.how.items())))
    reasons = Counter(reason for _, reason in matched.left)
    for reason, count in sorted(reasons.items()):
        first = next(answer for answer, why in matched.left if why == reason)
        click.echo(f"not matched: {count}, {reason} (the first: {printable(first.where)})")
    for note in matched.notes:
        click.echo(f"note: {printable(note, 500)}")
    absent = sum(map(len, matched.missing.values()))
    if absent:
        click.echo(f"{absent} items have no answer; they count as request_failed, in no rate.")
    if unmatched is not None:
        write(
            unmatched,
            _table([(answer.where, reason, answer.prompt or "") for answer, reason in matched.left]),
        )
    if replay is not None:
        click.echo(f"{replay}: {importing.write_replay(matched, replay)} lines for safecot_replay")
    folder = importing.write_run(matched, sources, model, output_path)
    for line in closing.unread_lines(folder):
        click.echo(f"note: {line}")
    click.echo(
        f"Wrote {folder} as {printable(model)}\nNext: safecot report {output_path} -o leaderboard.html"
    )
    if (matched.left or absent) and not partial:
        raise SystemExit(LEFT_OVER)


def _leaves(tasks: str | None) -> list[str]:
    from safecot_eval.benchmarks import catalogue, selection

    if tasks is None:
        ready = [leaf for leaf in selection.leaves_of("safecot") if catalogue.why_not_ready(leaf) is None]
        if not ready:
            raise SafecotError("No benchmark is ready here; run `safecot data list`.")
        return ready
    leaves, others, _ = selection.expand_tasks(tasks, recorded=True)
    if others:
        raise SafecotError(f"--tasks: {others[0]} is not a safecot task.")
    return list(leaves)


def _pairs(given: tuple[str, ...]) -> dict[str, str]:
    pairs = {}
    for text in given:
        kind, equals, column = text.partition("=")
        if not equals or not column:
            raise SafecotError(f"--column {text}: write KIND=NAME, for example response=reply.")
        pairs[kind.strip()] = column
    return pairs


def _table(rows: list[tuple[str, str, str]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("where", "reason", "prompt"))
    writer.writerows(rows)
    return text.getvalue().encode("utf-8", "replace")
