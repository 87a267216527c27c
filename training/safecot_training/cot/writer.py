"""Variant v2: chains of thought written by a VLM behind an OpenAI-compatible endpoint; resumable and cached.

Every reply is appended to a cache file the moment it arrives, under a key of model, prompt, image and decoding. An
interrupted run therefore loses nothing, and the same command again asks only for what is missing.
"""

from __future__ import annotations

import asyncio
import base64
import mimetypes
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from loguru import logger

from safecot_eval.records.samples import Expectation
from safecot_eval.util.appends import AppendLog
from safecot_eval.util.chat_client import ChatClient, Failure
from safecot_eval.util.chat_remedies import Adaptations
from safecot_eval.util.chat_replies import FINAL
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.files import content_hash, disk_error, sha256, unreadable
from safecot_eval.util.wording import agreeing, counted
from safecot_training.cot.writer_filter import Drop, drop_reason
from safecot_training.data.examples import Example

PROMPTS = Path(__file__).parent / "prompts"
Dropper = Callable[[str, Example, str | None], Drop | None]
"""Why a text for an example, whose generation ended so, is not used; None if it is."""


@dataclass(frozen=True, slots=True)
class WriterConfig:
    """The endpoint and how to ask it.

    Attributes:
        base_url: Up to and including ``/v1``.
        model: As the endpoint names it.
        api_key: Bearer token; the variable ``OPENAI_API_KEY`` where empty.
        temperature: Of the first attempt; a text that is dropped is written again at a higher one.
        attempts: Texts to ask for until one passes the filter.
        max_tokens: Limit per text.
        concurrency: Requests in flight.
        retries: Repetitions of a request that failed in transport.
        timeout_s: Per request.
        prompts: Folder with ``v2_refuse.txt`` and ``v2_accept.txt``.
    """

    base_url: str
    model: str
    api_key: str = field(default="", repr=False)
    temperature: float = 0.7
    attempts: int = 3
    max_tokens: int = 200
    concurrency: int = 16
    retries: int = 4
    timeout_s: float = 120.0
    backoff_s: float = 0.5
    prompts: Path = PROMPTS


@dataclass(frozen=True, slots=True)
class Written:
    """What came back for one example.

    Attributes:
        cot: The text, or empty if every attempt was dropped.
        drops: Why attempts were dropped, in order.
        rejected: The dropped texts.
    """

    cot: str
    drops: tuple[Drop, ...]
    rejected: tuple[str, ...]


def writer_prompt(example: Example, prompts: Path = PROMPTS) -> str:
    """The instruction for one example.

    Raises:
        SafecotError: a prompt file is missing or lacks a placeholder.
    """
    refuse = example.expectation is Expectation.REFUSE
    path = prompts / ("v2_refuse.txt" if refuse else "v2_accept.txt")
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise unreadable(path, error) from error
    values = {"category": example.category, "query": example.query}
    if not refuse:
        values["answer"] = example.answer
    for name, value in values.items():
        if f"{{{name}}}" not in text:
            raise SafecotError(f"{path}: lacks the placeholder {{{name}}}.")
        text = text.replace(f"{{{name}}}", value)
    return text


def write_cots(
    examples: Sequence[Example],
    config: WriterConfig,
    cache: Path,
    *,
    prompt: Callable[[Example], str] | None = None,
    drop: Dropper = drop_reason,
) -> list[Written]:
    """Have the chains of thought of all examples written.

    Args:
        examples: In any order.
        config: The endpoint.
        cache: Append-only file of replies.
        prompt: The instruction for an example; :func:`writer_prompt` by default.
        drop: Why a text is not used, or None.

    Returns:
        One result per example, in order.

    Raises:
        SafecotError: the endpoint is down or refuses the requests; replies so far are in the cache.
    """
    asked = prompt or (lambda example: writer_prompt(example, config.prompts))
    return asyncio.run(_write_all(examples, config, cache, asked, drop))


async def _write_all(
    examples: Sequence[Example],
    config: WriterConfig,
    cache: Path,
    prompt: Callable[[Example], str],
    drop: Dropper,
) -> list[Written]:
    gate = asyncio.Semaphore(config.concurrency)
    with _opened(cache) as known:
        async with ChatClient(
            config.base_url,
            config.api_key or os.environ.get("OPENAI_API_KEY"),
            concurrency=config.concurrency,
            timeout_s=config.timeout_s,
            retries=config.retries,
            backoff_s=config.backoff_s,
            adaptations=Adaptations(_say),
        ) as client:

            async def one(example: Example) -> Written:
                async with gate:
                    return await _write_one(example, prompt(example), drop, config, client, known)

            tasks = [asyncio.create_task(one(example)) for example in examples]
            try:
                return await asyncio.gather(*tasks)
            except SafecotError as error:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                raise SafecotError(
                    f"{error} {counted(len(known), 'reply')} {agreeing(len(known), 'is', 'are')} kept in {cache}; run the same command again to go on."
                ) from error


async def _write_one(
    example: Example,
    prompt: str,
    drop: Dropper,
    config: WriterConfig,
    client: ChatClient,
    known: AppendLog,
) -> Written:
    hashes = [sha256(path) for path in example.images]
    drops: list[Drop] = []
    rejected: list[str] = []
    for attempt in range(config.attempts):
        temperature = round(min(1.2, config.temperature + 0.2 * attempt), 2)
        key = content_hash([config.model, prompt, hashes, temperature, config.max_tokens, attempt])
        kept = known.get(key)
        if kept is None:
            text, finish_reason = await _ask(example, prompt, temperature, attempt, config, client)
            kept = {"id": example.example_id, "attempt": attempt, "text": text, "finish": finish_reason}
            try:
                known.append([(key, kept)])
            except OSError as error:
                raise disk_error(known.path, error) from error
        text = kept["text"]
        reason = drop(text, example, kept.get("finish"))
        if reason is None:
            return Written(text.strip(), tuple(drops), tuple(rejected))
        drops.append(reason)
        rejected.append(text)
    return Written("", tuple(drops), tuple(rejected))


async def _ask(
    example: Example,
    prompt: str,
    temperature: float,
    seed: int,
    config: WriterConfig,
    client: ChatClient,
) -> tuple[str, str | None]:
    parts: list[dict[str, Any]] = [
        {"type": "image_url", "image_url": {"url": _data_uri(path)}} for path in example.images
    ]
    body = {
        "model": config.model,
        "messages": [{"role": "user", "content": [*parts, {"type": "text", "text": prompt}]}],
        "temperature": temperature,
        "max_tokens": config.max_tokens,
        "seed": seed,
    }
    reply = await client.complete(body)
    if reply.failure is Failure.BLOCKED:
        return "", None  # by the provider's filter: this text is not written, the others may be
    if reply.failure is not None:
        says = "refuses" if reply.failure in FINAL else "does not answer"
        raise SafecotError(
            f"{client.address.shown} {says} ({reply.detail or reply.failure}; sample {example.example_id}, {reply.attempts} "
            "attempts); check --base-url, --model and the key."
        )
    # The text is the thought; the writer's own are not kept.
    return reply.text.rpartition("</think>")[2], reply.finish_reason


def _say(sentence: str) -> None:
    logger.warning("The writer's endpoint: {}", sentence)


def _opened(cache: Path) -> AppendLog:
    try:
        cache.parent.mkdir(parents=True, exist_ok=True)
        # Version 0.1 wrote such lines without a checksum.
        fields = {"key", "id", "attempt", "text"}
        return AppendLog(cache, durable=False, accept=lambda row: set(row) == fields)
    except OSError as error:
        raise disk_error(cache, error) from error


def _data_uri(path: Path) -> str:
    kind = mimetypes.guess_type(path.name)[0] or "image/png"
    return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"
