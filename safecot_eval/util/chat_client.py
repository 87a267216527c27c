"""Chat completions over HTTP for models under test and judges: every failure has a name, and none is an answer.

The client retries what may pass (429, 5xx, timeouts, broken replies), stops at once where nothing will (a refused key,
an empty account), and adapts how many requests are in flight. It follows no redirect, so that a key is sent to nobody
else, and reads no reply beyond a size.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self

import httpx

from safecot_eval.util.errors import SafecotError

MAX_REPLY_BYTES = 32 * 2**20
_LONGEST_WAIT_S = 60.0
_FILTER_WORDS = (
    "content_filter",
    "content_policy",
    "content management policy",
    "responsibleaipolicy",
    "moderation",
    "safety_block",
    "prohibited_content",
)


class Failure(StrEnum):
    """Why there is no answer."""

    RATE_LIMITED = "rate_limited"
    SERVER_ERROR = "server_error"
    TIMEOUT = "timeout"
    CONNECTION = "connection"
    BROKEN_REPLY = "broken_reply"
    KEY_REFUSED = "key_refused"
    OUT_OF_QUOTA = "out_of_quota"
    REJECTED = "rejected"
    BLOCKED = "blocked_by_provider"


FINAL = frozenset({Failure.KEY_REFUSED, Failure.OUT_OF_QUOTA, Failure.REJECTED, Failure.BLOCKED})
"""Failures that a retry of the same request cannot mend."""

ENDING = frozenset({Failure.KEY_REFUSED, Failure.OUT_OF_QUOTA})
"""Failures after which nothing more is sent."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What became of a request.

    Attributes:
        text: The answer, reasoning included (between ``<think>`` and ``</think>`` where the server sends it apart).
        finish: The provider's ``finish_reason``.
        failure: None for an answer.
        detail: About the failure, without secrets.
        input_tokens: As the provider counted them.
        output_tokens: Likewise, reasoning included.
        reasoning_tokens: Likewise.
        choice: The first choice as received (``logprobs`` …); empty for a failure.
        attempts: How often the request was sent.
    """

    text: str = ""
    finish: str | None = None
    failure: Failure | None = None
    detail: str = ""
    input_tokens: int | None = None
    output_tokens: int | None = None
    reasoning_tokens: int | None = None
    choice: Mapping[str, Any] = field(default_factory=dict)
    attempts: int = 0


class AdaptiveLimit:
    """How many requests may be in flight: one more per round of successes, half as many after an overload.

    Args:
        most: The upper limit, and where it starts.
    """

    def __init__(self, most: int) -> None:
        self.most = max(1, most)
        self.limit = float(self.most)
        self.in_flight = 0
        self._lowered = -1e9
        self._changed = asyncio.Condition()

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Wait for a free place and hold it."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.in_flight < int(self.limit))
            self.in_flight += 1
        try:
            yield
        finally:
            async with self._changed:
                self.in_flight -= 1
                self._changed.notify_all()

    def succeeded(self) -> None:
        """Note a success."""
        self.limit = min(float(self.most), self.limit + 1.0 / self.limit)

    def overloaded(self) -> None:
        """Note a 429, a 503 or a timeout (those of one second count once)."""
        now = time.monotonic()
        if now - self._lowered >= 1.0:
            self._lowered = now
            self.limit = max(1.0, self.limit / 2)


class ChatClient:
    """An OpenAI-compatible endpoint; an async context manager.

    Args:
        base_url: Ends in ``/v1``.
        key: Sent as bearer token where given; it never appears in a message.
        concurrency: Requests in flight at most.
        timeout_s: For a whole request.
        retries: Further attempts after the first one.
        backoff_s: Wait before the first retry; doubles each time, with jitter.
        limit: Decides how many requests are in flight; None for an :class:`AdaptiveLimit` of ``concurrency``.
    """

    def __init__(
        self,
        base_url: str,
        key: str | None = None,
        *,
        concurrency: int = 32,
        timeout_s: float = 600.0,
        retries: int = 5,
        backoff_s: float = 1.0,
        limit: AdaptiveLimit | None = None,
    ) -> None:
        self.url = f"{base_url.rstrip('/')}/chat/completions"
        self._key = key
        self.retries, self.backoff_s = retries, backoff_s
        self.limit = limit or AdaptiveLimit(concurrency)
        self.ended: Reply | None = None
        self._resume_at = 0.0
        try:
            self._http = httpx.AsyncClient(
                headers={"Authorization": f"Bearer {key}"} if key else {},
                timeout=httpx.Timeout(timeout_s, connect=min(30.0, timeout_s), pool=None),
                limits=httpx.Limits(max_connections=concurrency, max_keepalive_connections=concurrency),
                follow_redirects=False,
                verify=not base_url.lower().startswith(
                    "http://"
                ),  # no certificates to load where there is no TLS
            )
            address = httpx.URL(self.url)
            if address.scheme not in ("http", "https") or not re.fullmatch(r"[\w.:-]+", address.host):
                raise ValueError("no host to ask over http or https")
        except (httpx.InvalidURL, ValueError, UnicodeError) as error:
            raise SafecotError(
                f"{base_url!r} is not an address of an endpoint, or the key is malformed."
            ) from error

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def complete(self, body: Mapping[str, Any]) -> Reply:
        """Send one request, with retries; never raises for what a server does."""
        attempt = 0
        while True:
            async with self.limit.slot():
                if self.ended is not None:
                    return self.ended
                await self._pause()
                attempt += 1
                reply, wait = await self._once(body, attempt)
            if reply.failure is None:
                self.limit.succeeded()
                return reply
            if reply.failure in ENDING:
                self.ended = reply
            if reply.failure in (Failure.RATE_LIMITED, Failure.TIMEOUT) or "503" in reply.detail:
                self.limit.overloaded()
            if reply.failure in FINAL or attempt > self.retries:
                return reply
            backoff = self.backoff_s * 2 ** (attempt - 1) * random.uniform(0.5, 1.0)
            if wait is not None:
                self._resume_at = max(self._resume_at, time.monotonic() + wait)
            else:
                await asyncio.sleep(min(backoff, _LONGEST_WAIT_S))

    async def _pause(self) -> None:
        """Wait until the moment that the server named for all of us."""
        while (left := self._resume_at - time.monotonic()) > 0:
            await asyncio.sleep(left)

    async def _once(self, body: Mapping[str, Any], attempt: int) -> tuple[Reply, float | None]:
        """One attempt: the reply, and the wait that the server asks for."""
        try:
            status, wait, content = await self._send(body)
        except httpx.TimeoutException as error:
            return self._failed(Failure.TIMEOUT, type(error).__name__, attempt), None
        except (httpx.RemoteProtocolError, httpx.ReadError, httpx.DecodingError, _TooLong) as error:
            return self._failed(Failure.BROKEN_REPLY, str(error) or type(error).__name__, attempt), None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return self._failed(Failure.CONNECTION, type(error).__name__, attempt), None
        if status != 200:
            text = content.decode("utf-8", errors="replace")
            return self._failed(failure_of(status, text), f"status {status}: {text}", attempt), retry_after(
                wait
            )
        return self._parse(content, attempt), None

    async def _send(self, body: Mapping[str, Any]) -> tuple[int, str | None, bytes]:
        """Status, ``Retry-After`` and content of one exchange; raises httpx's errors."""
        async with self._http.stream("POST", self.url, json=body) as response:
            return response.status_code, response.headers.get("retry-after"), await _read(response)

    def _parse(self, content: bytes, attempt: int) -> Reply:
        try:
            received = json.loads(content)
            choice = received["choices"][0]
            text = text_of(choice["message"])
        except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
            return self._failed(
                Failure.BROKEN_REPLY, content[:200].decode("utf-8", errors="replace"), attempt
            )
        finish = choice.get("finish_reason", "unknown")
        if finish is None:
            return self._failed(Failure.BROKEN_REPLY, "the generation was cut off", attempt)
        counts = _usage(received.get("usage"))
        if finish == "content_filter":
            return Reply(
                text, "content_filter", Failure.BLOCKED, "finish_reason content_filter", *counts, {}, attempt
            )
        return Reply(text, str(finish), None, "", *counts, choice, attempt)

    def _failed(self, failure: Failure, detail: str, attempt: int) -> Reply:
        plain = "".join(character if character.isprintable() else " " for character in detail)
        if self._key:
            plain = plain.replace(self._key, "***")
        return Reply(failure=failure, detail=" ".join(plain.split())[:200], attempts=attempt)


class _TooLong(Exception):
    """The reply is over the limit."""


async def _read(response: httpx.Response) -> bytes:
    parts, size = [], 0
    async for part in response.aiter_bytes():
        size += len(part)
        if size > MAX_REPLY_BYTES:
            raise _TooLong(f"the reply is longer than {MAX_REPLY_BYTES // 2**20} MiB")
        parts.append(part)
    return b"".join(parts)


def failure_of(status: int, text: str) -> Failure:
    """Name a response that is not 200.

    >>> failure_of(429, ""), failure_of(400, '{"error": {"code": "content_filter"}}')
    (<Failure.RATE_LIMITED: 'rate_limited'>, <Failure.BLOCKED: 'blocked_by_provider'>)
    """
    folded = text.lower()
    if status == 402 or "insufficient_quota" in folded:
        return Failure.OUT_OF_QUOTA
    if status in (400, 403, 422) and any(word in folded for word in _FILTER_WORDS):
        return Failure.BLOCKED
    if status in (401, 403):
        return Failure.KEY_REFUSED
    if status == 429:
        return Failure.RATE_LIMITED
    if status >= 500 or status in (408, 409, 425):
        return Failure.SERVER_ERROR
    return Failure.REJECTED


def retry_after(value: str | None) -> float | None:
    """Seconds of a ``Retry-After`` header, a minute at most; None where there is none that counts seconds."""
    try:
        seconds = float(value or "")
    except ValueError:
        return None
    return min(max(seconds, 0.0), _LONGEST_WAIT_S) if seconds == seconds else None


def text_of(message: Mapping[str, Any]) -> str:
    """The text of a message: content, or the refusal in its place; reasoning that came apart is put before it.

    Raises:
        TypeError: it has neither text nor None where text belongs.

    >>> text_of({"content": "No.", "reasoning_content": "Unsafe."})
    '<think>Unsafe.</think>No.'
    >>> text_of({"content": None, "refusal": "I can't help with that."})
    "I can't help with that."
    """
    content = message.get("content")
    if isinstance(content, list):
        content = "".join(str(part.get("text", "")) for part in content)
    if content is None:
        content = message.get("refusal") or ""
    reasoning = message.get("reasoning_content") or message.get("reasoning") or ""
    if not isinstance(content, str) or not isinstance(reasoning, str):
        raise TypeError("not text")
    return f"<think>{reasoning}</think>{content}" if reasoning else content


def _usage(usage: Any) -> tuple[int | None, int | None, int | None]:
    if not isinstance(usage, Mapping):
        return None, None, None
    details = usage.get("completion_tokens_details")
    found = [
        usage.get("prompt_tokens"),
        usage.get("completion_tokens"),
        details.get("reasoning_tokens") if isinstance(details, Mapping) else None,
    ]
    first, second, third = (
        v if isinstance(v, int) and not isinstance(v, bool) and v >= 0 else None for v in found
    )
    return first, second, third


_LIST_TIMEOUT_S = 10.0


def served_models(base_url: str, key: str | None, origin: str) -> list[str]:
    """Ids that an OpenAI-compatible endpoint lists.

    Args:
        base_url: Ends in ``/v1``.
        key: Sent as bearer token where given.
        origin: The option to name in the message.

    Returns:
        The ids; empty where the endpoint answers but does not list models.

    Raises:
        SafecotError: it does not answer, or refuses the key.
    """
    import httpx

    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        response = httpx.get(f"{base_url.rstrip('/')}/models", headers=headers, timeout=_LIST_TIMEOUT_S)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise SafecotError(f"{origin}: {base_url} does not answer ({type(error).__name__}).") from error
    if response.status_code in (401, 403):
        raise SafecotError(f"{origin}: {base_url} refuses the key (status {response.status_code}).")
    try:
        return [str(entry["id"]) for entry in response.json()["data"]]
    except (ValueError, KeyError, TypeError):
        return []
