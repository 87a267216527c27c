"""Chat completions over HTTP, for models under test, judges and the v2 writer: every failure has a name, none is an answer.

The client retries what may pass (429, 5xx, timeouts, broken replies) and waits as long as the server asks; it goes on
without a parameter that the server refuses (:mod:`.chat_remedies`), and stops where nothing will help: a refused key, an
empty account, a server that is gone, or one that refuses the first requests all in the same words. It follows no redirect,
so that a key is sent to nobody else, and reads no reply beyond a size.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

import orjson

from safecot_eval.util import http_client
from safecot_eval.util.addresses import base_address
from safecot_eval.util.chat_limits import AdaptiveLimit
from safecot_eval.util.chat_remedies import Adaptations, is_about_one_request
from safecot_eval.util.chat_replies import (
    FINAL,
    LONGEST_WAIT_S,
    SUFFIX,
    Failure,
    Reply,
    failure_of,
    parse,
    retry_after,
    sentence_of,
)
from safecot_eval.util.proxies import proxy_for

if TYPE_CHECKING:
    import aiohttp

__all__ = ["ChatClient", "Failure", "Reply"]

MAX_REPLY_BYTES = 32 * 2**20
EQUAL_REFUSALS = 3
"""So many requests refused in the same words before any was answered: the others would be, too."""

GONE_AFTER = 32
"""Requests in a row that got no reply in spite of their retries: then the server is taken to be gone."""

_GONE = (Failure.CONNECTION, Failure.TIMEOUT, Failure.SERVER_ERROR)
_DETAIL = 300


class ChatClient:
    """An OpenAI-compatible endpoint; an async context manager.

    Args:
        base_url: Ends in ``/v1``; may have a query, which is sent with every request.
        key: Sent as bearer token where given; it never appears in a message.
        concurrency: Requests in flight at most.
        timeout_s: For a whole request.
        retries: Further attempts after the first one.
        backoff_s: Wait before the first retry; doubles each time, with jitter.
        limit: Decides how many requests are in flight; None for an :class:`AdaptiveLimit` of ``concurrency``.
        adaptations: What is known about the server; learned on the way.

    Raises:
        SafecotError: the address or the key is malformed, or a proxy is in the way (see :mod:`.proxies`).
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
        adaptations: Adaptations | None = None,
    ) -> None:
        self.address = base_address(base_url, key)
        self.url = self.address.join("chat/completions")
        self._url = http_client.exact(self.url)
        self.retries, self.backoff_s, self.timeout_s = retries, backoff_s, timeout_s
        self.limit = limit or AdaptiveLimit(concurrency)
        self.adaptations = adaptations if adaptations is not None else Adaptations()
        self.ended: Reply | None = None
        self._proxy = proxy_for(self.url, keyed=self.address.keyed)
        self._session: aiohttp.ClientSession | None = None
        self._resume_at = 0.0
        self._refused: dict[str, int] = {}
        self._without_reply = 0

    async def __aenter__(self) -> Self:
        headers = {**self.address.headers, "Content-Type": "application/json"}
        self._session = http_client.open_session(headers, self.timeout_s)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def complete(self, body: Mapping[str, Any]) -> Reply:
        """Send one request, with retries; never raises for what a server does."""
        attempt = tries = 0
        while True:
            async with self.limit.slot():
                if self.ended is not None:
                    return self.ended
                await self._pause()
                attempt, tries = attempt + 1, tries + 1
                version = self.adaptations.version
                sent = self.adaptations.applied(body)
                content = await self._encoded(sent)
                reply, wait = await self._once(content)
                reply = replace(reply, attempts=attempt)
            if reply.failure is None:
                self._without_reply = 0
                self.adaptations.answered += 1
                self.limit.succeeded()
                return reply
            if reply.failure in (Failure.REJECTED, Failure.BROKEN_REPLY) and (
                version != self.adaptations.version
                or self.adaptations.learn(reply.status, reply.detail, sent, len(content))
            ):
                tries -= 1
                continue
            if reply.failure in (Failure.RATE_LIMITED, Failure.TIMEOUT) or reply.status == 503:
                self.limit.overloaded()
            if reply.failure in FINAL or tries > self.retries:
                return self._given_up(reply)
            if wait is not None:
                self._resume_at = max(self._resume_at, time.monotonic() + wait)
            else:
                backoff = self.backoff_s * 2 ** (tries - 1) * random.uniform(0.5, 1.0)
                await asyncio.sleep(min(backoff, LONGEST_WAIT_S))

    async def _pause(self) -> None:
        """Wait until the moment that the server named for all of us."""
        while (left := self._resume_at - time.monotonic()) > 0:
            await asyncio.sleep(left)

    async def _encoded(self, body: Mapping[str, Any]) -> bytes:
        """JSON of a request; with smaller images where the server refused one of this size."""
        content = _json(body)
        if self.adaptations.too_large is not None and len(content) >= self.adaptations.too_large:
            content = _json(await asyncio.to_thread(self.adaptations.smaller, body))
        return content

    async def _once(self, content: bytes) -> tuple[Reply, float | None]:
        """One attempt: the reply, and the wait that the server asks for."""
        import aiohttp

        assert self._session is not None  # noqa: S101
        try:
            async with self._session.post(
                self._url, data=content, proxy=self._proxy, allow_redirects=False
            ) as response:
                received = await http_client.read(response, MAX_REPLY_BYTES)
                status, headers = response.status, response.headers
        except TimeoutError as error:
            return self._failed(Reply(failure=Failure.TIMEOUT, detail=type(error).__name__)), None
        except (
            aiohttp.ClientConnectorError,
            aiohttp.ClientHttpProxyError,
            aiohttp.InvalidURL,
            UnicodeError,
        ) as error:
            return self._failed(Reply(failure=Failure.CONNECTION, detail=_short(error))), None
        except (aiohttp.ClientError, http_client.TooLong, OSError, ValueError) as error:
            return self._failed(Reply(failure=Failure.BROKEN_REPLY, detail=_short(error))), None
        if status == 200:
            reply = parse(received)
            return (reply if reply.failure is None else self._failed(reply)), None
        text = received[:65536].decode("utf-8", errors="replace")
        failure = failure_of(status, text)
        reply = Reply(failure=failure, detail=text, status=status)
        return self._failed(reply), retry_after(headers, text)

    def _failed(self, reply: Reply) -> Reply:
        return replace(reply, detail=self.address.redactor(reply.detail))

    def _given_up(self, reply: Reply) -> Reply:
        """A request without an answer: what it says about the others; returns it with a detail for people."""
        reply = replace(reply, detail=_told(reply))
        gone = reply.failure in _GONE or (reply.failure is Failure.BROKEN_REPLY and not reply.status)
        self._without_reply = self._without_reply + 1 if gone else 0
        ended = reply.failure in SUFFIX or self._without_reply >= GONE_AFTER
        if reply.failure in (Failure.REJECTED, Failure.BROKEN_REPLY) and not is_about_one_request(
            reply.detail
        ):
            words = f"{self.adaptations.version} " + re.sub(r"\d+|[0-9a-f]{8,}", "", reply.detail)
            self._refused[words] = self._refused.get(words, 0) + 1
            ended |= self._refused[words] >= EQUAL_REFUSALS and not self.adaptations.answered
        if ended and self.ended is None:
            self.ended = reply
        return reply


def _json(body: Mapping[str, Any]) -> bytes:
    try:
        return orjson.dumps(body)
    except TypeError:  # half of a surrogate pair in somebody's text
        return json.dumps(body).encode()


def _told(reply: Reply) -> str:
    if not reply.status or reply.status == 200:
        return reply.detail[:_DETAIL]
    return f"status {reply.status}: {sentence_of(reply.detail)}"[:_DETAIL].rstrip(": ")


def _short(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
