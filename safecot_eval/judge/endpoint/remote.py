"""A judge behind an endpoint: many requests at once, each content asked once, verdicts handed on in order."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from loguru import logger

from safecot_eval.judge.endpoint.cache import VerdictCache, key_of
from safecot_eval.judge.endpoint.concurrency import RisingLimit
from safecot_eval.judge.endpoint.dialect import Dialect, find_out, too_long
from safecot_eval.judge.endpoint.endpoint import MAX_TOKENS, Endpoint
from safecot_eval.judge.parts import gathered, spread
from safecot_eval.judge.pictures import data_urls, pictures_of
from safecot_eval.judge.prompts import Request, build
from safecot_eval.judge.replies import CUT, CUT_REASONING, ParsedJudgement, read
from safecot_eval.judge.rubric import IMAGE
from safecot_eval.judge.work import Emit, JudgeRequest
from safecot_eval.records.verdicts import Unscored
from safecot_eval.util.chat_client import ChatClient
from safecot_eval.util.chat_remedies import Adaptations
from safecot_eval.util.errors import SafecotError

MOST_IN_FLIGHT = 512
TIMEOUT_S = 120.0
RETRIES = 5
BACKOFF_S = 0.5
_CHUNK = 64
_WAITING_AT_MOST = 8192


@dataclass(slots=True)
class _Slot:
    work: JudgeRequest
    cut: int
    reading: ParsedJudgement | None = None


@dataclass
class Counts:
    """Replies that were cut off, at the limit and while the judge still reasoned."""

    cut: int = 0
    cut_reasoning: int = 0
    input_tokens: int = 0
    output_tokens: int = 0


@dataclass
class RemoteJudge:
    """A judge behind an OpenAI-compatible endpoint.

    Attributes:
        endpoint: Where and which model.
        cache_path: The verdict cache's file; None for none.
        most_in_flight: Upper limit of requests in flight.
        timeout_s: For one attempt of one request.
        retries: Further attempts after the first.
        backoff_s: Wait before the first retry; doubles, with jitter.
        counts: Of the replies so far.
        adaptations: What the endpoint does not take; learned on the way.
    """

    endpoint: Endpoint
    cache_path: Path | None = None
    most_in_flight: int = MOST_IN_FLIGHT
    timeout_s: float = TIMEOUT_S
    retries: int = RETRIES
    backoff_s: float = BACKOFF_S
    counts: Counts = field(default_factory=Counts)
    adaptations: Adaptations = field(default_factory=lambda: Adaptations(_say))
    _dialect: Dialect | None = None

    @property
    def id(self) -> str:
        """Model and revision."""
        return self.endpoint.judge_id

    def advice(self) -> str | None:
        """What to change so that fewer replies are cut off; None where none was."""
        cut = self.counts.cut + self.counts.cut_reasoning
        if not cut or self._dialect is None:
            return None
        thoughtful = self.counts.cut_reasoning > 0
        dialect = self._dialect.thinking() if thoughtful else self._dialect
        room = dialect.max_tokens or (dialect.thinking_tokens if thoughtful else "so few")
        why = "while it still reasoned" if thoughtful else "at the limit"
        off = ", or have its server switch reasoning off" if thoughtful else ""
        return (
            f"{cut} {'reply' if cut == 1 else 'replies'} of {self.id} ended {why}: {room} tokens are too few. Give it more "
            f"with --max-tokens N (or {MAX_TOKENS}){off}; the same command asks for these again."
        )

    def judge(self, work: Iterable[JudgeRequest], emit: Emit) -> None:
        """Judge everything; ``emit`` is called in the order of ``work``, from this thread.

        What was answered before an interruption is in the cache, and handed on as far as it is gapless.

        Raises:
            SafecotError: the endpoint does not answer the first request, or the cache cannot be used.
        """
        asyncio.run(self._judge(spread(work), gathered(emit)))

    def check(self) -> Dialect:
        """Ask the endpoint what it understands.

        Raises:
            SafecotError: it does not answer.
        """

        async def ask() -> Dialect:
            async with self._client(retries=1) as client:
                return await find_out(client, self.endpoint)

        self._dialect = self._dialect or asyncio.run(ask())
        return self._dialect

    def _client(self, retries: int | None = None) -> ChatClient:
        return ChatClient(
            self.endpoint.url,
            self.endpoint.key,
            timeout_s=self.timeout_s,
            retries=self.retries if retries is None else retries,
            backoff_s=self.backoff_s,
            limit=RisingLimit(self.most_in_flight),
            adaptations=self.adaptations,
        )

    async def _judge(self, work: Iterable[JudgeRequest], emit: Emit) -> None:
        with VerdictCache(self.cache_path) as cache:
            async with self._client() as client:
                session = _Session(self, client, cache, emit)
                try:
                    await session.run(work)
                finally:
                    session.hand_on()


def _say(sentence: str) -> None:
    logger.warning("The judge's endpoint: {}", sentence)


class _Session:
    """One pass: an ordered queue of slots, and the requests that fill them."""

    def __init__(self, judge: RemoteJudge, client: ChatClient, cache: VerdictCache, emit: Emit) -> None:
        self.judge, self.client, self.cache, self.emit = judge, client, cache, emit
        self.counts = judge.counts
        self.order: deque[_Slot] = deque()
        self.waiting: dict[str, list[_Slot]] = {}
        self.tasks: set[asyncio.Task[None]] = set()
        self.room = asyncio.Semaphore(judge.most_in_flight + 4 * _CHUNK)
        self.error: BaseException | None = None
        self.shorter = asyncio.Event()

    async def run(self, work: Iterable[JudgeRequest]) -> None:
        remaining = iter(work)
        try:
            while chunk := list(islice(remaining, _CHUNK)):
                await self._take(chunk)
                while len(self.order) > _WAITING_AT_MOST and self.error is None:
                    self.shorter.clear()
                    await self.shorter.wait()
                if self.error is not None:
                    break
            if self.tasks:
                await asyncio.gather(*self.tasks)
        finally:
            for task in self.tasks:
                task.cancel()
        if self.error is not None:
            raise self.error

    async def _take(self, chunk: list[JudgeRequest]) -> None:
        requests = [build(w.rubric, w.record, max_characters=w.max_characters, salt=w.salt) for w in chunk]
        keys = [key_of(self.judge.endpoint.model, request.content) for request in requests]
        known = self.cache.get_many(keys)
        for work, request, key in zip(chunk, requests, keys, strict=True):
            slot = _Slot(work, request.cut, known.get(key))
            self.order.append(slot)
            pictures: tuple[Path, ...] = ()
            if slot.reading is None and IMAGE in work.rubric.sees:
                try:
                    pictures = pictures_of(work.record)
                except SafecotError as error:  # never judged without what it is about
                    slot.reading = ParsedJudgement(Unscored.MISSING, failure=str(error))
                    continue
            if slot.reading is None and key in self.waiting:
                self.waiting[key].append(slot)
            elif slot.reading is None:
                self.waiting[key] = [slot]
                if self.judge._dialect is None:
                    self.judge._dialect = await find_out(self.client, self.judge.endpoint)
                await self.room.acquire()
                task = asyncio.create_task(self._ask(key, request, pictures))
                self.tasks.add(task)
                task.add_done_callback(self._finished)
        self.hand_on()

    async def _ask(self, key: str, request: Request, pictures: tuple[Path, ...]) -> None:
        try:
            images = await asyncio.to_thread(data_urls, pictures) if pictures else []
            reading = await self._reading(request, images)
        except SafecotError as error:  # a picture that cannot be decoded any more
            if not pictures:
                raise
            reading = ParsedJudgement(Unscored.MISSING, failure=str(error))
        if reading.label != Unscored.MISSING:
            self.counts.cut += reading.failure == CUT
            self.counts.cut_reasoning += reading.failure == CUT_REASONING
            if not reading.cut:  # with more room it may be a label
                self.cache.put(key, reading)
        for slot in self.waiting.pop(key):
            slot.reading = reading
        self.hand_on()

    async def _reading(self, request: Request, images: list[str]) -> ParsedJudgement:
        """Ask, and once more with other room for the reply where the judge turns out to reason or its context is short."""
        dialect = self.judge._dialect
        assert dialect is not None  # noqa: S101
        while True:
            reply = await self.client.complete(dialect.body(self.judge.endpoint.model, request, images))
            self.counts.input_tokens += reply.input_tokens or 0
            self.counts.output_tokens += reply.output_tokens or 0
            shorter = dialect.shorter() if too_long(reply) else None
            if shorter is not None:
                dialect = shorter
                continue
            reading = read(
                reply, request.rubric, constrained=dialect.constrained and not request.rubric.pattern
            )
            if reading.failure == CUT_REASONING and not dialect.thinks and dialect.max_tokens is None:
                dialect = self.judge._dialect = dialect.thinking()
                continue
            return reading

    def _finished(self, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        self.room.release()
        if not task.cancelled() and (error := task.exception()) is not None:
            self.error = self.error or error
            self.shorter.set()

    def hand_on(self) -> None:
        """Emit the finished beginning of the queue."""
        while self.order and (reading := self.order[0].reading) is not None:
            slot = self.order.popleft()
            self.emit(slot.work, reading, slot.cut)
        self.shorter.set()
