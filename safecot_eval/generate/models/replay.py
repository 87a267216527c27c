"""``safecot_replay``: score answers that exist already, from other harnesses or published with a paper."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lmms_eval.api.instance import GenerationResult, Instance

from safecot_eval.generate.models.base import SafecotModel, result
from safecot_eval.generate.models.responses import read_responses
from safecot_eval.util.errors import SafecotError


class SafecotReplay(SafecotModel):
    """Answers from a file.

    Args:
        responses: The replay file.
        name: Name on the leaderboard; the file's stem if not given.

    Raises:
        SafecotError: see :func:`read_responses`.
    """

    model_id = "safecot_replay"

    def __init__(self, responses: str | None = None, name: str | None = None) -> None:
        super().__init__()
        if responses is None:
            raise SafecotError("safecot_replay needs --model_args responses=FILE.jsonl (task, id, response).")
        self.path = Path(str(responses)).expanduser()
        if not self.path.is_file():
            raise SafecotError(f"safecot_replay: responses={responses} is not a file.")
        self.name = str(name or self.path.stem)
        self.recorded = read_responses(self.path)

    def answers(self, requests: Sequence[Instance]) -> list[GenerationResult]:
        """The recorded answer to every request.

        Raises:
            SafecotError: the file lacks an item that is asked for, or has an id that its task does not have.
        """
        asked: dict[str, list[str]] = {}
        for request in requests:
            _, _, _, doc_id, task, split = request.args
            rows = self.task_dict[task][split]
            if task not in asked:
                asked[task] = []
                self._check_ids(task, rows)
            asked[task].append(rows[doc_id]["item_id"])
        for task, item_ids in asked.items():
            self._check_complete(task, item_ids)
        return [self._answer(request) for request in requests]

    def _check_ids(self, task: str, rows: Any) -> None:
        """Every recorded id of a task is one of its items."""
        if "item_id" not in rows.column_names:
            raise SafecotError(f"safecot_replay answers safecot tasks only, and {task} is not one.")
        if task not in self.recorded:
            raise SafecotError(
                f"{self.path} has no answers for task {task}; it has some for {', '.join(sorted(self.recorded))}."
            )
        known = set(rows["item_id"])
        for item_id, recorded in self.recorded[task].items():
            if item_id not in known:
                raise SafecotError(
                    f"{self.path}, line {recorded.line}: {task} has no item with id {item_id!r}; was the file "
                    "recorded with another version of the benchmark?"
                )

    def _check_complete(self, task: str, item_ids: Sequence[str]) -> None:
        """Every item that is asked for has a recorded answer."""
        missing = [item_id for item_id in item_ids if item_id not in self.recorded[task]]
        if missing:
            raise SafecotError(
                f"{self.path} lacks {len(missing)} of {len(item_ids)} answers for {task}, the first one for id "
                f'{missing[0]!r}; add them, or lines with "status": "request_failed" and an empty response.'
            )

    def _answer(self, request: Instance) -> GenerationResult:
        doc = self.document(request)
        recorded = self.recorded[request.args[4]][doc["item_id"]]
        return result(recorded.response, recorded.status.value, output_tokens=recorded.output_tokens)
