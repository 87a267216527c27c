"""Wrap a model of lmms-eval: its answers go to the journal chunk by chunk, and what is there is not asked again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from safecot_eval.generate.budget import BUDGET_TEXT, SpendGuard, worst_case_tokens
from safecot_eval.generate.finish_reasons import LENGTH, STOP, Ended, reason_of
from safecot_eval.generate.journal.identity import request_key
from safecot_eval.generate.journal.store import Answer, Journal
from safecot_eval.records.samples import REQUEST_FAILED_PREFIX, Status
from safecot_eval.scoring import failure_texts
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.progress import Progress

if TYPE_CHECKING:
    from lmms_eval.api.instance import Instance

ENGINES = ("vllm", "vllm_generate", "sglang", "sglang_runtime")
"""Back ends that schedule requests themselves: small chunks would starve them."""

_UNANSWERED = (Status.REQUEST_FAILED, Status.BUDGET_EXCEEDED, Status.BLOCKED_BY_PROVIDER)


@dataclass
class Tally:
    """What became of the requests of a run.

    Attributes:
        total: Requests, without the padding of distributed runs.
        kept: Answered from the journal.
        asked: Sent to the model.
        failed: Not answered: the back end said so, or there was no room in the budget.
        blocked: Refused by the provider's filter.
        budget: Not sent, because a limit was reached (also counted in ``failed``).
        input_tokens: As the back end counted them, of the requests sent.
        output_tokens: Likewise.
        reasons: Why requests failed, in the words of the back end.
    """

    total: int = 0
    kept: int = 0
    asked: int = 0
    failed: int = 0
    blocked: int = 0
    budget: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    chunk: int = 0
    reasons: Counter[str] = field(default_factory=Counter)


class JournalledGeneration:
    """Takes the place of a model's ``generate_until``.

    Args:
        model: An ``lmms`` object of any back end.
        generate: Its own ``generate_until``.
        journal: Where answers are kept; None asks for everything and keeps nothing.
        guard: Limits.
        chunk: Requests per chunk.
        tally: Counts; the caller reads them afterwards.
    """

    def __init__(
        self,
        model: Any,
        generate: Callable[[list[Instance]], list[Any]],
        journal: Journal | None,
        guard: SpendGuard,
        chunk: int,
        tally: Tally,
    ) -> None:
        self.model, self.generate, self.journal = model, generate, journal
        self.guard, self.chunk, self.tally = guard, chunk, tally
        tally.chunk = chunk

    def __call__(self, requests: Sequence[Instance]) -> list[Any]:
        """Answer requests in their order, like ``generate_until``."""
        documents = [self._document(request) for request in requests]
        keys, repeated = self._keys(requests, documents)
        outputs: list[Any] = [None] * len(requests)
        for number, key in enumerate(keys):
            if number not in repeated and (stored := self._stored(key)) is not None:
                outputs[number] = _replayed(stored)
        ready = sum(output is not None for output in outputs)
        self.tally.total += len(requests) - len(repeated)
        self.tally.kept += ready
        rank = getattr(self.model, "rank", 0)
        with Progress("generate", len(requests) - len(repeated), done=ready, quiet=rank != 0) as progress:
            for start in range(0, len(requests), self.chunk):
                numbers = range(start, min(start + self.chunk, len(requests)))
                missing = [n for n in numbers if outputs[n] is None and n not in repeated]
                while missing:
                    missing = self._ask(missing, requests, documents, keys, outputs, progress)
        for number, first_number in repeated.items():
            outputs[number] = outputs[first_number]
        return outputs

    def _ask(
        self,
        missing: list[int],
        requests: Sequence[Instance],
        documents: Sequence[Mapping[str, Any]],
        keys: Sequence[str],
        outputs: list[Any],
        progress: Progress,
    ) -> list[int]:
        """Ask for as many of the missing as the limits allow; returns what is still to be asked."""
        first = requests[missing[0]]
        worst = worst_case_tokens(str(first.args[0]), _settings(first))
        allowed = self.guard.allowed(len(missing), worst)
        if allowed == 0:
            for number in missing:
                outputs[number] = Ended(BUDGET_TEXT, Status.BUDGET_EXCEEDED.value)
            self.tally.budget += len(missing)
            self.tally.failed += len(missing)
            progress.advance(len(missing), failed=self.tally.failed)
            return []
        now, later = missing[:allowed], missing[allowed:]
        streamed: set[int] = set()
        places: dict[int, list[int]] = {}
        for number in now:  # two requests of --repeats are one object
            places.setdefault(id(requests[number]), []).append(number)

        def keep(request: Instance, output: Any) -> None:
            number = places[id(request)][len([n for n in places[id(request)] if n in streamed])]
            streamed.add(number)
            self._store([number], [output], keys)
            progress.advance(1, **self._figures())

        if hasattr(self.model, "answer_sink"):  # a back end of ours: answers are kept as they arrive
            self.model.answer_sink = keep
        answers = self.generate([requests[number] for number in now])
        if len(answers) != len(now):
            raise SafecotError(
                f"{type(self.model).__name__} returned {len(answers)} answers to {len(now)} requests."
            )
        rest = [
            (number, answer) for number, answer in zip(now, answers, strict=True) if number not in streamed
        ]
        self._store([number for number, _ in rest], [answer for _, answer in rest], keys)
        for number, answer in zip(now, answers, strict=True):
            outputs[number] = _shown(answer)
        progress.advance(len(rest), **self._figures())
        return later

    def _store(
        self,
        numbers: Sequence[int],
        answers: Sequence[Any],
        keys: Sequence[str],
    ) -> None:
        entries, used = [], 0
        for number, answer in zip(numbers, answers, strict=True):
            text, tokens = _parts(answer)
            reason = _reason_of(text)
            if tokens is not None:
                self.tally.input_tokens += tokens[0] or 0
                self.tally.output_tokens += tokens[1] or 0
                used += sum(count or 0 for count in tokens[:2])
            if is_answer(text, tokens, reason):
                entries.append((keys[number], Answer(str(text), reason, tokens)))
            elif reason == Status.BLOCKED_BY_PROVIDER:
                self.tally.blocked += 1
            else:
                self.tally.failed += 1
                self.tally.reasons[_reason(text)] += 1
        self.tally.asked += len(numbers)
        self.guard.count(len(numbers), used)
        if self.guard.limits_tokens and numbers and not used and entries:
            raise SafecotError(
                f"--max-tokens: {type(self.model).__name__} does not count tokens; use --max-requests instead."
            )
        if self.journal is not None:
            self.journal.append(entries)

    def _stored(self, key: str) -> Answer | None:
        return self.journal.get(key) if self.journal is not None else None

    def _document(self, request: Instance) -> Mapping[str, Any]:
        doc_id, task, split = request.args[-3:]
        row: Mapping[str, Any] = self.model.task_dict[task][split][doc_id]
        return row

    def _keys(
        self, requests: Sequence[Instance], documents: Sequence[Mapping[str, Any]]
    ) -> tuple[list[str], dict[int, int]]:
        """Keys of requests, and which of them are padding: number to the request whose answer it takes."""
        seen: Counter[tuple[str, Any]] = Counter()
        first: dict[tuple[str, Any], int] = {}
        keys: list[str] = []
        repeated: dict[int, int] = {}
        for number, (request, document) in enumerate(zip(requests, documents, strict=True)):
            place = (request.task_name, request.doc_id)
            occurrence = seen[place]
            seen[place] += 1
            if occurrence >= (int(request.repeats or 1)):
                repeated[number] = first[place]
                keys.append("")
                continue
            first.setdefault(place, number)
            keys.append(request_key(request, document, occurrence))
        return keys, repeated

    def _figures(self) -> dict[str, int]:
        figures = {"tokens": self.tally.input_tokens + self.tally.output_tokens}
        if self.tally.failed:
            figures["failed"] = self.tally.failed
        if self.tally.blocked:
            figures["blocked"] = self.tally.blocked
        return figures if figures["tokens"] or len(figures) > 1 else {}


def is_answer(text: Any, tokens: Sequence[int | None] | None, reason: str | None) -> bool:
    """Whether a back end's output is a model's answer, to be kept and not asked for again.

    Failed requests, exhausted budgets and provider filters are not. An empty text is an answer only if the back
    end says that the model produced something (a token, a reason for its end): several of lmms-eval's back ends
    return "" after an exception.

    >>> is_answer("No.", None, None), is_answer("", None, None), is_answer("", (9, 1, None), None)
    (True, False, True)
    """
    if not isinstance(text, str) or failure_status(text) is not None:
        return False
    unanswered = (
        Status.REQUEST_FAILED,
        Status.BUDGET_EXCEEDED,
        Status.BLOCKED_BY_PROVIDER,
        Status.IMAGE_UNREADABLE,
    )
    if reason in [status.value for status in unanswered]:
        return False
    if text:
        return True
    return bool(tokens and tokens[1]) or reason in (STOP, LENGTH)


def failure_status(text: Any) -> Status | None:
    """What a text that a back end puts in the place of an answer stands for; None for an answer.

    >>> failure_status("[LMMS_EVAL_REQUEST_FAILED after 5 retries] Error code: 400 … 'code': 'content_filter'")
    <Status.BLOCKED_BY_PROVIDER: 'blocked_by_provider'>
    >>> failure_status("Sorry.") is None
    True
    """
    if not isinstance(text, str):
        return Status.REQUEST_FAILED
    found = failure_texts.active().find(text)
    return found.status if found is not None and found.status in _UNANSWERED else None


def _reason(text: Any) -> str:
    """What a failed request says about itself, between lmms-eval's brackets."""
    said = str(text or "").removeprefix(REQUEST_FAILED_PREFIX).strip(":] ")
    return " ".join(said.split())[:200] or "no answer"


def chunk_size(model: Any, model_id: str, asked: int | None) -> int:
    """Requests between two writes to the journal: small enough to lose little, large enough to keep a back end busy."""
    if asked is not None:
        return asked
    batch = (
        _whole(getattr(model, "batch_size_per_gpu", None)) or _whole(getattr(model, "batch_size", None)) or 1
    )
    at_once = _whole(getattr(model, "num_concurrent", None)) or 1
    if hasattr(model, "answer_sink"):
        return max(4096, 64 * at_once)
    if model_id in ENGINES:
        return max(512, 4 * batch)
    return max(16, 4 * batch, 8 * at_once)


def _replayed(answer: Answer) -> Any:
    """The back end's own kind of answer, with why it ended."""
    text = Ended(answer.text, answer.finish_reason)
    if answer.tokens is None:
        return text
    from lmms_eval.api.instance import GenerationResult, TokenCounts

    return GenerationResult(text=text, token_counts=TokenCounts(*answer.tokens))


def _reason_of(text: Any) -> str | None:
    """Why a generation ended, as the back end or the text itself says."""
    status = failure_status(text) if reason_of(text) is None else None
    return reason_of(text) if status is None else status.value


def _shown(answer: Any) -> Any:
    """What scoring gets: no text where there is none, or where the text tells of a provider's filter."""
    text, _ = _parts(answer)
    blocked = failure_status(text) is Status.BLOCKED_BY_PROVIDER
    return Ended("", _reason_of(text)) if text is None or blocked else answer


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def _settings(request: Instance) -> Mapping[str, Any]:
    return next((part for part in request.args if isinstance(part, dict)), {})


def _parts(output: Any) -> tuple[Any, tuple[int | None, int | None, int | None] | None]:
    """Text and token counts of what a back end returned."""
    from lmms_eval.api.instance import GenerationResult, unwrap_generation_output

    if output is None or (isinstance(output, GenerationResult) and output.text is None):
        return None, None
    text, counts = unwrap_generation_output(output)
    if counts is None:
        return text, None
    return text, (counts.input_tokens, counts.output_tokens, counts.reasoning_tokens)
