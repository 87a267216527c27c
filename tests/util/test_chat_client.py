"""Every way in which an endpoint can fail has its name, and no secret is in it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from safecot_eval.util import chat_client
from safecot_eval.util.chat_client import ChatClient
from safecot_eval.util.chat_limits import AdaptiveLimit
from safecot_eval.util.chat_replies import Failure, Reply, failure_of, retry_after, text_of
from safecot_eval.util.errors import SafecotError
from tests.generate.fault_server import FaultServer, answer_to


def ask(server: FaultServer, prompts: Sequence[str], key: str | None = None, **options: Any) -> list[Reply]:
    async def all_of_them() -> list[Reply]:
        settings: dict[str, Any] = {"timeout_s": 0.5, "retries": 2, "backoff_s": 0.01, **options}
        async with ChatClient(server.url, key, **settings) as client:
            bodies = [{"model": "served", "messages": [{"role": "user", "content": p}]} for p in prompts]
            return list(await asyncio.gather(*(client.complete(body) for body in bodies)))

    return asyncio.run(all_of_them())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "failure", "attempts"),
    [
        ("429", Failure.RATE_LIMITED, 3),
        ("500", Failure.SERVER_ERROR, 3),
        ("slow", Failure.TIMEOUT, 3),
        ("cut", Failure.BROKEN_REPLY, 3),
        ("garbage", Failure.BROKEN_REPLY, 3),
        ("null_finish", Failure.BROKEN_REPLY, 3),
        ("filter_400", Failure.BLOCKED, 1),
        ("filter_finish", Failure.BLOCKED, 1),
    ],
)
def test_each_fault_has_its_name(fault: str, failure: Failure, attempts: int) -> None:
    with FaultServer(lambda prompt, before: fault) as server:
        (reply,) = ask(server, ["hello"])
    assert (reply.failure, reply.attempts) == (failure, attempts)
    with FaultServer(lambda prompt, before: fault if before < 2 else None) as server:
        (reply,) = ask(server, ["hello"])
    if attempts == 3:  # what passes is retried
        assert (reply.failure, reply.text, reply.attempts) == (None, answer_to("hello"), 3)


def test_answers_carry_finish_and_tokens() -> None:
    with FaultServer(lambda prompt, before: "length" if prompt == "b" else None) as server:
        first, second = ask(server, ["a", "b"])
    assert (first.finish_reason, first.input_tokens, first.output_tokens) == ("stop", 20, 8)
    assert second.finish_reason == "length"
    assert first.choice["message"]["content"] == first.text


def test_a_refused_key_ends_everything_and_is_not_shown() -> None:
    with FaultServer() as server:
        server.key = "right"
        replies = ask(server, [f"q{n}" for n in range(50)], key="sk-very-secret", concurrency=4)
    assert {reply.failure for reply in replies} == {Failure.KEY_REFUSED}
    assert sum(server.asked.values()) <= 4
    assert not any("very-secret" in reply.detail for reply in replies)
    assert "***" in replies[0].detail


def test_a_key_that_expires_in_the_middle() -> None:
    with FaultServer() as server:
        server.valid_for = 10
        replies = ask(server, [f"q{n}" for n in range(40)], key="k", concurrency=2)
    assert sum(reply.failure is None for reply in replies) in (10, 11)
    assert sum(server.asked.values()) <= 14


def test_a_server_that_is_gone() -> None:
    with FaultServer() as server:
        pass
    (reply,) = ask(server, ["a"])
    assert reply.failure is Failure.CONNECTION


def test_a_reply_without_end_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat_client, "MAX_REPLY_BYTES", 100)
    with FaultServer() as server:
        (reply,) = ask(server, ["a"], retries=0)
    assert reply.failure is Failure.BROKEN_REPLY
    assert "longer than" in reply.detail


def test_an_address_that_is_none() -> None:
    for address in ("http://[broken", "host:8000/v1", "file:///etc/passwd", "http://"):
        with pytest.raises(SafecotError, match="not an address"):
            ChatClient(address, None)
    with pytest.raises(SafecotError, match="malformed") as caught:
        ChatClient("http://host/v1", "sk-ü")
    assert "sk-" not in str(caught.value)


def test_overload_halves_and_success_raises_the_limit() -> None:
    async def play() -> list[int]:
        limit = AdaptiveLimit(16)
        seen = [int(limit.limit)]
        limit.overloaded()
        limit.overloaded()  # the same second
        seen.append(int(limit.limit))
        for _ in range(50):
            limit.succeeded()
        seen.append(int(limit.limit))
        return seen

    assert asyncio.run(play()) == [16, 8, 12]


@pytest.mark.parametrize(
    ("status", "text", "failure"),
    [
        (401, "", Failure.KEY_REFUSED),
        (403, "flagged by moderation", Failure.BLOCKED),
        (403, "", Failure.KEY_REFUSED),
        (402, "", Failure.OUT_OF_QUOTA),
        (429, '{"code": "insufficient_quota"}', Failure.OUT_OF_QUOTA),
        (400, "maximum context length", Failure.REJECTED),
        (302, "", Failure.REJECTED),
        (503, "", Failure.SERVER_ERROR),
    ],
)
def test_failure_of(status: int, text: str, failure: Failure) -> None:
    assert failure_of(status, text) is failure


def test_small_parts() -> None:
    waits = [retry_after({"Retry-After": v}) for v in ("", "soon", "3", "-1", "nan", "1e9")]
    assert waits == [None, None, 3.0, 0.0, None, 60.0]
    assert retry_after({"Retry-After": format_datetime(datetime.now(UTC) + timedelta(seconds=30))}) > 20
    assert retry_after({"retry-after-ms": "250", "retry-after": "1"}) == 0.25
    assert text_of({"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}) == "ab"
    with pytest.raises(TypeError):
        text_of({"content": 3})
