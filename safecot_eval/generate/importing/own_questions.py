"""A benchmark of a file's own rows, for questions that none of ours has; marked as such wherever it is shown."""

from __future__ import annotations

import re
from collections.abc import Sequence
from hashlib import sha256

from safecot_eval.benchmarks.registry import OWN_QUESTIONS
from safecot_eval.generate.importing.answers import Answer
from safecot_eval.generate.importing.index import normal
from safecot_eval.generate.importing.matching import Matched
from safecot_eval.records.samples import Expectation, ImageSource, Item
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.wording import counted


def own_questions(answers: Sequence[Answer], expect: Expectation, name: str | None = None) -> Matched:
    """Make every row an item of a task of its own; its pictures are not looked at.

    Args:
        answers: Rows of one or several files, each with a prompt.
        expect: The right behaviour for all of them.
        name: What the task is called after ``safecot_own_``; by default a hash of the questions, so that files with the same
            questions have the same task.

    Raises:
        SafecotError: a row without a prompt, or two different answers to one question.
    """
    items: dict[str, Item] = {}
    chosen: dict[str, Answer] = {}
    repeated = 0
    for answer in answers:
        if answer.prompt is None:
            raise SafecotError(
                f"{answer.where}: a question of one's own needs its prompt; name its column with --column."
            )
        pictured = bool(answer.pictures)
        item_id = answer.item_id or sha256(_key(answer).encode()).hexdigest()[:12]
        if (earlier := chosen.get(item_id)) is not None:
            if _key(earlier) != _key(answer) or earlier.response != answer.response:
                raise SafecotError(
                    f"{answer.where}: the question {item_id!r} has another answer, or another text, in {earlier.where}; keep "
                    "one of them."
                )
            repeated += 1
            continue
        chosen[item_id] = answer
        items[item_id] = Item(
            item_id=item_id,
            prompt=answer.prompt,
            category=answer.category or "all",
            expectation=expect,
            image_source=ImageSource.ABSENT if pictured else ImageSource.NONE,
        )
    digest = sha256("\n".join(sorted(normal(item.prompt) for item in items.values())).encode()).hexdigest()[
        :8
    ]
    slug = re.sub(r"[^a-z0-9]+", "_", (name or f"questions_{digest}").lower()).strip("_")
    if not slug:
        raise SafecotError(f"--benchmark {name}: needs letters or digits.")
    task = f"{OWN_QUESTIONS}{slug}"
    done = Matched(revision=f"questions {digest}")  # the files are named in the run's provenance
    done.answers[task], done.items[task] = chosen, list(items.values())
    done.base_task_of[task], done.missing[task] = None, []
    done.how["own question"] = len(chosen)
    done.notes.append(
        f"{task}: the file's own {counted(len(items), 'question')}, all to be {'refused' if expect is Expectation.REFUSE else 'answered'}; "
        "no benchmark of ours, and marked as such"
    )
    if repeated:
        done.notes.append(
            f"{task}: {counted(repeated, 'answer')} came twice, word for word; each counts once."
        )
    return done


def _key(answer: Answer) -> str:
    return normal(answer.prompt or "") + "\n" + "\n".join(p.name or p.sha256 for p in answer.pictures or ())
