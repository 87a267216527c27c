"""Servers that speak OpenAI's API with an accent: ends of generations, refusals and their remedies, addresses, lists."""

from __future__ import annotations

import asyncio
import base64
import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image

from safecot_eval.util.addresses import base_address
from safecot_eval.util.chat_client import ChatClient
from safecot_eval.util.chat_remedies import Adaptations, advice
from safecot_eval.util.chat_replies import Failure, FinishReason, Reply, finish_reason_of, parse, sentence_of
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.model_lists import is_listed, not_listed
from safecot_eval.util.secrets import Redactor
from tests.stand_in import JsonHandler, StandIn

Behaviour = Callable[[dict[str, Any], int], tuple[int, Any]]


def whole(text: str = "A circle.", finish: Any = "stop", **more: Any) -> tuple[int, Any]:
    message = {"role": "assistant", "content": text}
    return 200, {"choices": [{"index": 0, "message": message, "finish_reason": finish}], **more}


def no(message: str, status: int = 400, **more: Any) -> tuple[int, Any]:
    return status, {"error": {"message": message, **more}}


class Accent(StandIn):
    """A server that answers as a function of the request says."""

    def __init__(self, behaviour: Behaviour) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.paths: list[str] = []
        self.headers: list[dict[str, str]] = []
        outer = self

        class Handler(JsonHandler):
            def do_POST(self) -> None:
                raw = self.rfile.read(int(self.headers["Content-Length"]))
                body = json.loads(raw)
                outer.bodies.append(body)
                outer.paths.append(self.path)
                outer.headers.append(dict(self.headers))
                status, content = behaviour(body, len(raw))
                self.send(status, content)

        super().__init__(Handler)


def picture(side: int) -> str:
    noise = Image.effect_noise((side, side), 90).convert("RGB")
    buffer = io.BytesIO()
    noise.save(buffer, "PNG")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def request(number: int = 0, image: str | None = None, **more: Any) -> dict[str, Any]:
    parts: list[dict[str, Any]] = [{"type": "text", "text": f"What is it, {number}?"}]
    if image:
        parts.insert(0, {"type": "image_url", "image_url": {"url": image}})
    message = {"role": "user", "content": parts}
    return {
        "model": "m",
        "messages": [message],
        "max_tokens": 9,
        "temperature": 0,
        "top_p": 0.9,
        "seed": 1,
        **more,
    }


def ask(
    url: str, bodies: list[dict[str, Any]], *, at_once: bool = False, key: str | None = None, **options: Any
) -> tuple[list[Reply], Adaptations, ChatClient]:
    adaptations = options.pop("adaptations", Adaptations())

    async def work() -> tuple[list[Reply], Adaptations, ChatClient]:
        settings: dict[str, Any] = {"retries": 0, "backoff_s": 0.01, "timeout_s": 5, **options}
        async with ChatClient(url, key, adaptations=adaptations, **settings) as client:
            if at_once:
                replies = list(await asyncio.gather(*map(client.complete, bodies)))
            else:
                replies = [await client.complete(body) for body in bodies]
            return replies, adaptations, client

    return asyncio.run(work())


STOPS = [
    "stop",
    "STOP",
    "end_turn",
    "stop_sequence",
    "eos",
    "COMPLETE",
    "",
    "tool_calls",
    "FINISH_REASON_STOP",
    "done",
]
LENGTHS = [
    "length",
    "max_tokens",
    "MAX_TOKENS",
    "max_output_tokens",
    "model_length",
    "token_limit",
    "truncated",
]
BLOCKS = [
    *(
        "content_filter",
        "SAFETY",
        "content_filter: PROHIBITED_CONTENT",
        "PROHIBITED_CONTENT",
        "RECITATION",
        "BLOCKLIST",
    ),
    *(
        "SPII",
        "sensitive",
        "refusal",
        "ERROR_TOXIC",
        "guardrail_intervened",
        "content_filtered",
        "IMAGE_SAFETY",
    ),
]
FAILURES = ["error", "abort", "OTHER", "cancelled", "MALFORMED_FUNCTION_CALL", "timeout", "load", "quux", 7]


@pytest.mark.parametrize(
    ("values", "finish"),
    [
        (STOPS, FinishReason.STOP),
        (LENGTHS, FinishReason.LENGTH),
        (BLOCKS, FinishReason.BLOCKED),
        (FAILURES, FinishReason.FAILED),
    ],
)
def test_ends_of_generations(values: list[Any], finish: FinishReason) -> None:
    assert {value: finish_reason_of(value) for value in values} == dict.fromkeys(values, finish)
    for value in values:
        reply = parse(json.dumps(whole("half a tex", value)[1]).encode())
        failure = {FinishReason.BLOCKED: Failure.BLOCKED, FinishReason.FAILED: Failure.SERVER_ERROR}.get(
            finish
        )
        assert (reply.failure, reply.finish_reason) == (failure, finish)
        if finish is not FinishReason.FAILED:
            assert reply.text == "half a tex"


def test_an_error_beside_half_an_answer_is_no_answer() -> None:
    reply = parse(
        json.dumps(whole("half a", "stop", error={"code": 502, "message": "Upstream died"})[1]).encode()
    )
    assert (reply.failure, reply.status, reply.text) == (Failure.SERVER_ERROR, 502, "")
    assert "Upstream died" in reply.detail
    limited = parse(b'{"error": {"message": "Provider returned error", "code": 429}}')
    assert limited.failure is Failure.RATE_LIMITED
    native = whole()[1]
    native["choices"][0]["native_finish_reason"] = "SAFETY"
    assert parse(json.dumps(native).encode()).failure is Failure.BLOCKED
    for body in (
        b'{"choices": null}',
        b'{"choices": []}',
        b"[]",
        b"null",
        b'{"choices": [{"message": {"content": 3}}]}',
    ):
        assert parse(body).failure is Failure.BROKEN_REPLY
    assert parse(b'{"choices": [{"message": {"content": "x"}, "logprobs": NaN}]}').text == "x"


def o1(body: dict[str, Any], size: int) -> tuple[int, Any]:
    if "max_tokens" in body:
        return no(
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
        )
    if body.get("temperature", 1) != 1:
        return no(
            "Unsupported value: 'temperature' does not support 0 with this model. Only the default (1) is supported."
        )
    return whole()


def claude(body: dict[str, Any], size: int) -> tuple[int, Any]:
    if "temperature" in body and "top_p" in body:
        return no("`temperature` and `top_p` cannot both be specified for this model. Please use only one.")
    return whole()


def strict(body: dict[str, Any], size: int) -> tuple[int, Any]:
    for name in ("seed", "stop"):
        if name in body:
            place = {
                "type": "extra_forbidden",
                "loc": ["body", name],
                "msg": "Extra inputs are not permitted",
            }
            return 422, {"detail": [{**place, "input": body[name]}]}
    return whole()


def old(body: dict[str, Any], size: int) -> tuple[int, Any]:
    if "max_completion_tokens" in body:
        return no("Unrecognized request argument supplied: max_completion_tokens")
    return whole()


@pytest.mark.parametrize("at_once", [False, True])
@pytest.mark.parametrize(
    ("server", "body", "changes"),
    [
        (o1, request(), ["sent max_completion_tokens instead of max_tokens", "did not send temperature"]),
        (claude, request(), ["did not send top_p"]),
        (strict, request(stop=["\n"]), ["did not send seed", "did not send stop"]),
        (old, {**request(), "max_completion_tokens": 5} | {"max_tokens": None}, None),
    ],
)
def test_known_remedies_are_applied_and_remembered(
    server: Behaviour, body: dict[str, Any], changes: list[str] | None, at_once: bool
) -> None:
    if changes is None:
        body = {name: value for name, value in body.items() if name != "max_tokens"}
        changes = ["sent max_tokens instead of max_completion_tokens"]
    said: list[str] = []
    with Accent(server) as accent:
        replies, adaptations, _ = ask(
            accent.url, [body] * 6, at_once=at_once, adaptations=Adaptations(said.append), concurrency=6
        )
    assert [reply.failure for reply in replies] == [None] * 6
    assert [entry["change"] for entry in adaptations.described()] == changes
    assert len(said) == len(changes)
    assert len(accent.bodies) <= 6 + len(changes) * (6 if at_once else 1)


def test_images_over_the_limit_are_sent_smaller_and_others_as_they_are() -> None:
    def gate(body: dict[str, Any], size: int) -> tuple[int, Any]:
        return (413, "<html><body>413 Request Entity Too Large</body></html>") if size > 400_000 else whole()

    large, small = picture(700), picture(60)
    with Accent(gate) as accent:
        replies, adaptations, _ = ask(accent.url, [request(0, large), request(1, small), request(2, large)])
    assert [reply.failure for reply in replies] == [None] * 3
    sent = [body["messages"][0]["content"][0]["image_url"]["url"] for body in accent.bodies]
    kinds = [url.partition(";")[0] for url in sent]
    assert kinds[-2:] == ["data:image/png", "data:image/jpeg"]
    assert sent[-2] == small
    assert adaptations.described()[0]["reason"] == "413 Request Entity Too Large"
    assert len(accent.bodies) == 3 + len(adaptations.described())


@pytest.mark.parametrize(
    ("behaviour", "said", "remedy"),
    [
        (
            lambda body, size: (413, "<html>413 Request Entity Too Large</html>"),
            "413 Request Entity",
            "takes larger requests",
        ),
        (
            lambda body, size: no("The model `m` does not exist", 404),
            "`m` does not exist",
            "model= with a name",
        ),
        (lambda body, size: no("temperature is unknown to us"), "unknown to us", None),
        (lambda body, size: (200, 'data: {"choices": []}\n\ndata: [DONE]\n'), "data:", "does not stream"),
        (lambda body, size: (200, {"type": "message", "content": []}), "message", None),
        (lambda body, size: (301, ""), "status 301", "redirects"),
    ],
)
def test_three_equal_refusals_end_it_with_the_servers_sentence(
    behaviour: Behaviour, said: str, remedy: str | None
) -> None:
    bodies = [{"model": "m", "messages": request(n)["messages"]} for n in range(9)]
    with Accent(behaviour) as accent:
        replies, _, client = ask(accent.url, bodies)
    assert client.ended is not None
    assert said in client.ended.detail
    assert len(accent.bodies) <= 4
    assert {reply.failure is None for reply in replies} == {False}
    if remedy:
        assert remedy in advice(client.ended.detail)


def test_refusals_of_single_requests_end_nothing() -> None:
    def context(body: dict[str, Any], size: int) -> tuple[int, Any]:
        return no("This model's maximum context length is 4096 tokens. However, you requested 5000 tokens.")

    def some(body: dict[str, Any], size: int) -> tuple[int, Any]:
        text = body["messages"][0]["content"][0]["text"]
        return whole() if " 0?" in text else no("I do not like this one")

    for behaviour in (context, some):
        with Accent(behaviour) as accent:
            _, _, client = ask(accent.url, [request(number) for number in range(9)])
        assert client.ended is None
        assert len(accent.bodies) == 9


def test_a_limit_that_is_too_high_is_no_unknown_parameter() -> None:
    sentence = "max_tokens is too large: 8192. This model supports at most 4096 completion tokens."
    with Accent(lambda body, size: no(sentence, param="max_tokens")) as accent:
        (reply,), adaptations, _ = ask(accent.url, [request()])
    assert adaptations.described() == []
    assert sentence in reply.detail
    assert "max_new_tokens" in advice(reply.detail)


def test_addresses_with_a_query_and_pasted_paths() -> None:
    with Accent(lambda body, size: whole()) as accent:
        for base in (
            f"{accent.url}?api-version=2024-10-21&key=hush-hush",
            f"{accent.url}/",
            f"{accent.url}/chat/completions",
            f"{accent.url}/a%3Ab%20c",
            accent.url.replace("://", "://me:hush-hush@"),  # not a key
        ):
            (reply,), _, client = ask(base, [request()])
            assert reply.failure is None
            assert "hush" not in client.address.shown
    assert accent.paths == ["/v1/chat/completions?api-version=2024-10-21&key=hush-hush"] + [
        "/v1/chat/completions"
    ] * 2 + ["/v1/a%3Ab%20c/chat/completions", "/v1/chat/completions"]
    assert accent.headers[4]["Authorization"].startswith("Basic ")
    assert base_address("https://x.openai.azure.com/openai", "k" * 9).headers["api-key"] == "k" * 9
    for text in (
        "http://[broken",
        "h:8000/v1",
        "file:///etc/passwd",
        "http://",
        "http://a b/v1",
        "http://h:port/v1",
        "",
    ):
        with pytest.raises(SafecotError, match="not an address"):
            base_address(text, "sk-very-secret")


def test_lone_surrogates_are_sent() -> None:
    with Accent(lambda body, size: whole()) as accent:
        (reply,), _, _ = ask(
            accent.url, [{"model": "m", "messages": [{"role": "user", "content": "\ud83d"}]}]
        )
    assert reply.failure is None
    assert accent.bodies[0]["messages"][0]["content"] == "\ud83d"


@pytest.mark.parametrize(
    ("wanted", "listed", "found"),
    [
        ("llava", ["llava:latest", "llama3:latest"], True),
        ("LLaVA:latest", ["llava:latest"], True),
        ("gemini-2.5-flash", ["models/gemini-2.5-flash"], True),
        ("models/gemini-2.5-flash", ["gemini-2.5-flash"], True),
        ("openai/gpt-4o", ["openai/*"], True),
        ("openai/gpt-4o", ["*"], True),
        ("my-deployment", ["gpt-4o-2024-08-06"], False),
        ("llava", ["llava:13b"], False),
    ],
)
def test_names_on_lists(wanted: str, listed: list[str], found: bool) -> None:
    assert is_listed(wanted, listed) is found
    many = [f"model-{number}" for number in range(200)] + listed
    if not found:
        assert f"not {wanted!r}" in not_listed("http://h/v1", wanted, many)
        assert len(not_listed("http://h/v1", wanted, many)) < 400


def test_sentences_and_secrets() -> None:
    assert sentence_of('[{"error": {"code": 429, "message": "Slow  down"}}]') == "Slow down"
    assert sentence_of('{"detail": [{"loc": ["body"], "msg": "no"}]}') == "no"
    assert sentence_of("<html><h1>Bad</h1> gateway</html>") == "Bad gateway"
    redact = Redactor(["sk+very/secret"])
    shown = redact("sk+very/secret sk%2Bvery%2Fsecret https://me:pw@h/?api_key=abc&x=1\n\x1b[31m", 200)
    assert shown == "*** *** https://***@h/?api_key=***&x=1 [31m"
