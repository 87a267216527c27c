"""What our lmms-eval models share: arguments, documents, and mistakes told in one sentence.

lmms-eval catches every ``Exception``, prints its traceback and exits 0. A mistake in the model arguments or in a replay
file therefore ends the process with ``SystemExit`` and one sentence when lmms-eval runs the model; whoever builds a
model in Python gets :class:`~safecot_eval.util.errors.SafecotError`.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any, Self

from lmms_eval.api.instance import GenerationResult, Instance, TokenCounts
from lmms_eval.api.model import lmms
from lmms_eval.utils import simple_parse_args_string

from safecot_eval.generate.dialogues import in_turns
from safecot_eval.generate.finish_reasons import Ended
from safecot_eval.records.samples import REQUEST_FAILED_PREFIX, Status
from safecot_eval.util.errors import SafecotError

LMMS_EVAL_DEFAULT_BATCH_SIZE = 1
"""lmms-eval passes the integer 1 where nobody gave ``--batch_size``; what a user gives arrives as text."""


class SafecotModel(lmms):  # type: ignore[misc]
    """A chat model for lmms-eval that only generates."""

    is_simple = False
    model_id = ""

    @classmethod
    def create_from_arg_string(
        cls, arg_string: str, additional_config: Mapping[str, Any] | None = None
    ) -> Self:
        """Build the model from ``--model_args``; lmms-eval calls this.

        Args:
            arg_string: ``key=value,key=value``; wins over lmms-eval's own options of the same name.
            additional_config: ``batch_size``, ``max_batch_size`` and ``device`` from lmms-eval's command line.

        Raises:
            SystemExit: an argument is wrong (one sentence).
        """
        try:
            try:
                given = simple_parse_args_string(arg_string)
            except ValueError as error:
                raise SafecotError(
                    f"--model_args {arg_string!r} is not key=value, separated by commas."
                ) from error
            accepted = inspect.signature(cls).parameters
            unknown = [key for key in given if key not in accepted]
            if unknown:
                raise SafecotError(
                    f"{cls.model_id} knows no argument {unknown[0]!r}; it takes {', '.join(accepted)}."
                )
            untouched = {"batch_size": LMMS_EVAL_DEFAULT_BATCH_SIZE}
            options = {
                key: value
                for key, value in (additional_config or {}).items()
                if key in accepted and value is not None and not _is(value, untouched.get(key))
            }
            return cls(**{**options, **given})
        except SafecotError as error:
            raise SystemExit(f"safecot: {error}") from error

    def generate_until(self, requests: Sequence[Instance]) -> list[GenerationResult]:
        """Answer requests, in their order.

        Raises:
            SystemExit: a user's mistake shows only now (one sentence).
        """
        try:
            found: list[GenerationResult] = in_turns(self.answers, requests, self.document)
            return [one if isinstance(one, GenerationResult) else failed(str(one)) for one in found]
        except SafecotError as error:
            raise SystemExit(f"safecot: {error}") from error

    def answers(self, requests: Sequence[Instance]) -> list[GenerationResult]:
        """Answer requests, in their order; what the three models differ in.

        Raises:
            SafecotError: a mistake that the user can fix.
        """
        raise SafecotError(f"{type(self).__name__} does not generate.")

    def document(self, request: Instance) -> Mapping[str, Any]:
        """The document a request is about (a row of :func:`safecot_eval.generate.task.load_docs` for our tasks)."""
        _, _, _, doc_id, task, split = request.args
        row: Mapping[str, Any] = self.task_dict[task][split][doc_id]
        return row

    def loglikelihood(self, requests: Sequence[Instance]) -> list[tuple[float, bool]]:
        """Not offered.

        Raises:
            SystemExit: always; none of our tasks asks for it.
        """
        raise SystemExit(f"safecot: {self.model_id} only generates; it has no log-likelihoods.")

    def generate_until_multi_round(self, requests: Sequence[Instance]) -> list[str]:
        """Not offered.

        Raises:
            SystemExit: always; none of our tasks asks for it.
        """
        raise SystemExit(f"safecot: {self.model_id} answers single turns; it cannot run multi-round tasks.")


def result(
    text: str,
    finish_reason: str | None = None,
    *,
    input_tokens: int | None = None,
    output_tokens: int | None = None,
    reasoning_tokens: int | None = None,
) -> GenerationResult:
    """An answer, why it ended (see :class:`~safecot_eval.generate.finish_reasons.Ended`), and its token counts if known."""
    counts = (input_tokens, output_tokens, reasoning_tokens)
    known = any(count is not None for count in counts)
    return GenerationResult(
        text=Ended(text, finish_reason), token_counts=TokenCounts(*counts) if known else None
    )


def failed(reason: str) -> GenerationResult:
    """An answer that says that there is none: scoring gives it the status ``request_failed``."""
    return result(f"{REQUEST_FAILED_PREFIX}: {reason}]", Status.REQUEST_FAILED.value)


def _is(value: Any, other: Any) -> bool:
    return type(value) is type(other) and bool(value == other)
