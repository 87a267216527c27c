"""Around a run: where it goes, which evaluators it uses, and what is left to say when it is done."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from safecot_eval.benchmarks import registry
from safecot_eval.generate.plan import Plan
from safecot_eval.records.json_files import read_small_json
from safecot_eval.records.run import find_runs
from safecot_eval.records.verdicts import Unscored
from safecot_eval.scoring.refusal import DEFAULT_LIST, load_list
from safecot_eval.util.files import write_json
from safecot_eval.util.paths import CHECKPOINT_CARD, slug
from safecot_eval.util.terminal import printable
from safecot_eval.util.wording import agreeing, counted

if TYPE_CHECKING:
    from safecot_eval.generate.journal.generation import Tally


def output_folder(output: Path, model: str, arguments: Mapping[str, str]) -> Path:
    """Folder to give lmms-eval.

    lmms-eval names a subfolder after ``pretrained=`` or ``model=``; replays and baselines have neither, so that their
    display name becomes the subfolder here.

    >>> str(output_folder(Path("runs"), "safecot_replay", {"name": "GPT 4o"}))
    'runs/GPT_4o'
    """
    name = arguments.get("name") or arguments.get("policy")
    if model.startswith("safecot_") and name:
        return output / slug(name)
    return output


def evaluators_line(refusal_list: str | None, task_names: Iterable[str] = ()) -> str:
    """Say which evaluators the run will use.

    Args:
        refusal_list: ``--refusal-list``, which wins over the tasks' own lists.
        task_names: Our tasks.

    Raises:
        SafecotError: there is no such list.
    """
    from safecot_eval.judge import in_run

    chosen = refusal_list or os.environ.get("SAFECOT_REFUSAL_LIST")
    tasks_of: defaultdict[str, list[str]] = defaultdict(list)
    for task_name in task_names:
        benchmark, variant = registry.task_parts(task_name)
        tasks_of[chosen or benchmark.refusal_list(variant) or DEFAULT_LIST].append(task_name)
    lists = {name: load_list(name) for name in tasks_of or [chosen or DEFAULT_LIST]}
    named = [
        f"{len(phrases.phrases)} phrases ({phrases.id})"
        + (f" for {', '.join(tasks_of[name])}" if len(lists) > 1 else "")
        for name, phrases in lists.items()
    ]
    judge = in_run.describe() or "none configured (SAFECOT_JUDGE_URL), so there will be no *_judge metrics"
    return f"scored  by {', '.join(named)}; judge: {judge}"


def unread_lines(folder: Path) -> list[str]:
    """Say how many answers are in a language that their phrase list does not read, one sentence for each list."""
    found: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for run in find_runs([folder]):
        for record in run.samples():
            if record["refusal"].get("unscored") == Unscored.UNSUPPORTED_LANGUAGE:
                found[record["refusal"]["list"]][str(record["refusal"].get("language"))] += 1
    return [
        f"{counted(codes.total(), 'answer')} {agreeing(codes.total(), 'is', 'are')} in a language that the phrase list {listed} does not read "
        f"({', '.join(f'{code} {n}' for code, n in codes.most_common(8))}); {agreeing(codes.total(), 'it is', 'they are')} in none of its rates "
        "(docs/languages.md)."
        for listed, codes in found.items()
    ]


def finish(plan: Plan, folder: Path, tally: Tally) -> str:
    """Keep the checkpoint's card, and say what was written, what is unanswered, and what to do next.

    Args:
        plan: What was run.
        folder: Where the results were published.
        tally: What became of the requests.
    """
    _copy_checkpoint_card(plan, folder)
    lines = [f"Wrote {folder}"]
    if tally.kept:
        lines.append(
            f"{tally.kept} of {counted(tally.total, 'answer')} came from the journal of an earlier run."
        )
    if tally.blocked:
        lines.append(
            f"{counted(tally.blocked, 'request')} {agreeing(tally.blocked, 'was', 'were')} refused by the provider's own filter "
            f"(blocked_by_provider); {agreeing(tally.blocked, 'it is', 'they are')} "
            "shown apart and asked again by the next run."
        )
    if tally.budget:
        lines.append(
            f"{counted(tally.budget, 'request')} {agreeing(tally.budget, 'was', 'were')} not sent: a limit was reached."
        )
    if tally.failed:
        lines.append(
            f"{tally.failed} of {counted(tally.total, 'request')} "
            f"{agreeing(tally.failed, 'has no answer and is', 'have no answer and are')} not scored; run the same command again "
            f"to ask for {agreeing(tally.failed, 'it', 'them')}."
        )
    if tally.reasons:
        reason, count = tally.reasons.most_common(1)[0]
        lines.append(f"Most often ({counted(count, 'time')}): {printable(reason)}")
    lines += unread_lines(folder) if plan.task_names else []
    return "\n".join([*lines, f"Next: safecot report {plan.output} -o leaderboard.html"])


def _copy_checkpoint_card(plan: Plan, folder: Path) -> None:
    """Keep a SafeCoT checkpoint's card with the run: the checkpoint may be gone when the report is made."""
    for key in ("peft", "pretrained"):
        card = Path(plan.model_args.get(key, "")).expanduser() / CHECKPOINT_CARD
        if plan.model_args.get(key) and card.is_file():
            content = read_small_json(card, spell=True)
            write_json(folder / CHECKPOINT_CARD, content, indent=1)
            return
