"""``safecot rescore``: stored generations, scored anew."""

from __future__ import annotations

from pathlib import Path

import click

from safecot_eval.util.wording import counted


@click.command("rescore")
@click.argument("runs", nargs=-1, required=True, type=click.Path())
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), help="Folder for the new run folders."
)
@click.option(
    "--refusal-list", help="Phrase list (a name or a YAML file) for every task; otherwise each task's own."
)
@click.option(
    "--reasoning-markers",
    metavar="OPEN,CLOSE",
    help="Markers of reasoning beside those that are known, for example '<think>,</think>'.",
)
def command(
    runs: tuple[str, ...], output: Path, refusal_list: str | None, reasoning_markers: str | None
) -> None:
    """Score the generations of RUNS anew, as this version does; nothing is generated, RUNS stay as they are.

    Prints which rates moved. Verdicts are kept if the answer is the same; run `safecot judge OUTPUT` for the others.
    """
    from safecot_eval.generate.rescoring import moved, rescore
    from safecot_eval.util.errors import SafecotError
    from safecot_eval.util.terminal import printable

    markers = None
    if reasoning_markers is not None:
        opening, _, closing = reasoning_markers.partition(",")
        if not opening or not closing:
            raise SafecotError(
                f"--reasoning-markers {reasoning_markers!r}: an opening and a closing marker with a comma between them "
                "are needed, for example '<think>,</think>'."
            )
        markers = (opening, closing)
    done = rescore(runs, output, refusal_list=refusal_list, markers=markers)
    if done.lite:
        _read_again(done.lite)
    changes = moved(done)
    for change in changes:
        by = f" by {change.evaluator}" if change.evaluator else ""
        sides = [
            "none" if e is None or not e.n else f"{100 * e.value:.1f} (n {e.n})"
            for e in (change.before, change.after)
        ]
        click.echo(
            printable(f"{change.model}, {change.task}: {change.metric}{by} {sides[0]} → {sides[1]}", 400)
        )
    click.echo(
        f"{output}: {counted(done.runs, 'run')}, {counted(done.samples, 'sample')}, {done.answers} with another answer or status, "
        f"{counted(len(changes), 'rate')} moved, {counted(done.dropped, 'verdict')} left out (their judge saw another answer)"
    )


def _read_again(folders: set[Path]) -> None:
    from safecot_eval.judge.judge_runs import judge_runs
    from safecot_eval.judge.lite.judge import BY_DEFAULT, LiteJudge
    from safecot_eval.judge.rubric_files import own
    from safecot_eval.records.run import find_runs

    judge = LiteJudge()
    sets = {name: rubrics for name, rubrics in own().items() if name in BY_DEFAULT}
    runs = find_runs(sorted(folders), newest_only=False)
    judge_runs(runs, judge, sets, judge_id=judge.id)
