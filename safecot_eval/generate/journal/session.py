"""Put the journal between lmms-eval and the model that it builds, for the time of one run."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from loguru import logger

from safecot_eval.generate import lmms_eval
from safecot_eval.generate.budget import SpendGuard
from safecot_eval.generate.dialogues import in_turns
from safecot_eval.generate.journal import store
from safecot_eval.generate.journal.generation import JournalledGeneration, Tally, chunk_size
from safecot_eval.generate.journal.identity import model_identity
from safecot_eval.generate.journal.store import Journal
from safecot_eval.util.chat_remedies import Adaptations

FOLDER = ".journal"


@dataclass
class Session:
    """One run's settings and, afterwards, its counts.

    Attributes:
        folder: The journal's folder; None for no journal.
        model: lmms-eval's model id.
        arguments: Its arguments.
        options: Further command-line arguments.
        guard: Limits on requests and tokens.
        chunk: Requests per chunk; None chooses by back end.
        fresh: Forget what is in the journal.
        tally: What became of the requests.
        identity: Hash of the model; known once the model is built.
        seconds: Time spent generating.
        adapted: How the requests to an endpoint were changed to what it takes, and why; see :mod:`safecot_eval.util.chat_remedies`.
    """

    folder: Path | None
    model: str
    arguments: Mapping[str, str]
    options: Sequence[str] = ()
    guard: SpendGuard = field(default_factory=SpendGuard)
    chunk: int | None = None
    fresh: bool = False
    tally: Tally = field(default_factory=Tally)
    identity: str = ""
    seconds: float = 0.0
    adapted: Callable[[], list[dict[str, str]]] = list

    def attach(self, model: Any) -> Any:
        """Let a model's ``generate_until`` go through the journal; returns the model."""
        self.identity = model_identity(self.model, self.arguments, self.options)
        if isinstance(adaptations := getattr(model, "adaptations", None), Adaptations):
            self.adapted = adaptations.described
        journal = None
        if self.folder is not None:
            if self.fresh and rank() == 0:
                store.remove(self.folder, self.identity)
            journal = Journal(self.folder, self.identity, part=rank())
            if journal.damaged:
                logger.warning(
                    "{} damaged lines in {}: their requests are asked again.", journal.damaged, self.folder
                )
            if sharded(model):
                logger.warning(
                    "The weights are sharded over processes, which must generate in step: this run keeps no journal."
                )
                journal = None
        generation = JournalledGeneration(
            model,
            model.generate_until,
            journal,
            self.guard,
            chunk_size(model, self.model, self.chunk),
            self.tally,
        )

        def timed(requests: Sequence[Any]) -> list[Any]:
            started = time.monotonic()
            try:
                return generation(requests)
            finally:
                self.seconds += time.monotonic() - started

        def document_of(request: Any) -> Mapping[str, Any]:
            doc_id, task, split = request.args[-3:]
            row: Mapping[str, Any] = model.task_dict[task][split][doc_id]
            return row

        model.generate_until = lambda requests: in_turns(timed, requests, document_of)
        return model


def rank() -> int:
    """Number of this process in a run of accelerate or torchrun."""
    return int(os.environ.get("RANK") or 0)


def world_size() -> int:
    """How many processes a run has."""
    return int(os.environ.get("WORLD_SIZE") or 1)


def sharded(model: Any) -> bool:
    """Whether the model's weights are spread over processes (FSDP, DeepSpeed), so that all must take part in a step."""
    kind = str(getattr(getattr(model, "accelerator", None), "distributed_type", ""))
    return any(word in kind.upper() for word in ("FSDP", "DEEPSPEED", "MEGATRON"))


@contextmanager
def attached(session: Session) -> Iterator[None]:
    """Attach the session to the next model that lmms-eval builds."""
    with lmms_eval.built_models(session.attach):
        yield
