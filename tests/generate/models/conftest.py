"""Tiny checkpoints, and requests as lmms-eval makes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from safecot_eval.generate import task

if TYPE_CHECKING:  # it imports lmms-eval: not while tests are collected
    from safecot_eval.generate.models.base import SafecotModel

GREEDY = {"until": [], "max_new_tokens": 16, "temperature": 0, "top_p": 1.0, "do_sample": False}


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Builds a tiny checkpoint once per architecture and session."""
    folder = tmp_path_factory.mktemp("checkpoints")

    def checkpoint(architecture: str) -> Path:
        from safecot_eval.generate.models import tiny

        path = folder / architecture
        return path if path.exists() else tiny.build(architecture, path)

    return checkpoint


def requests_for(
    model: SafecotModel,
    rows: Sequence[Mapping[str, Any]],
    settings: Mapping[str, Any] | None = None,
    task_name: str = "safecot_mini",
    to_messages: Callable[[Mapping[str, Any]], Any] = task.doc_to_messages,
) -> list[Any]:
    """Give a model its documents and return one request for each, as lmms-eval's chat tasks do."""
    from datasets import Dataset
    from lmms_eval.api.instance import Instance

    model.task_dict = {task_name: {"test": Dataset.from_list([dict(row) for row in rows])}}
    return [
        Instance(
            request_type="generate_until",
            arguments=(row["prompt"], to_messages, dict(settings or GREEDY), number, task_name, "test"),
            idx=0,
            metadata={"task": task_name, "doc_id": number, "repeats": 1},
        )
        for number, row in enumerate(rows)
    ]
