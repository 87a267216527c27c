"""``safecot_openai``: a model behind an OpenAI-compatible endpoint, with every failure told apart.

lmms-eval's own ``openai`` back end turns a failed request into a text, a provider's filter into an empty answer, and
loses why a generation ended. This one notes all of it, keeps each answer in the journal as it arrives, and stops
sending when the key is refused or the account is empty.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from lmms_eval.api.instance import GenerationResult, Instance
from loguru import logger

from safecot_eval.generate.decoding import DEFAULT
from safecot_eval.generate.finish_reasons import IMAGE_ABSENT, LENGTH, STOP
from safecot_eval.generate.models.base import SafecotModel, failed, result
from safecot_eval.records.samples import ImageSource, Status
from safecot_eval.util.chat_client import ChatClient, Failure, Reply
from safecot_eval.util.chat_remedies import LIMITS, Adaptations, advice, data_url
from safecot_eval.util.chat_replies import FinishReason
from safecot_eval.util.errors import SafecotError

DEFAULT_MAX_NEW_TOKENS = 1024
MAX_STOPS = 4
IMAGE_FORMATS = ("PNG", "JPEG")


class SafecotOpenAI(SafecotModel):
    """Asks an endpoint.

    The key comes from ``OPENAI_API_KEY``; ``safecot run`` puts an ``api_key=`` of its command line there, so that no
    message shows it.

    Args:
        model: The served model's id.
        base_url: Ends in ``/v1``; ``OPENAI_API_BASE`` or ``OPENAI_BASE_URL`` if not given.
        num_concurrent: Requests in flight at most.
        timeout: Seconds for one request.
        max_retries: Further attempts after the first.
        retry_backoff_s: Wait before the first retry.
        token_parameter: ``max_tokens``, or ``max_completion_tokens`` for providers that insist on it.
        image_format: ``PNG`` or ``JPEG`` (smaller).
        system_prompt: Sent before every question, if given.
        send_temperature: Some reasoning models refuse a temperature; False leaves it out.
        name: Name on the leaderboard.

    Raises:
        SafecotError: no model or endpoint, or a value that is none of the above.
    """

    model_id = "safecot_openai"

    def __init__(
        self,
        model: str | None = None,
        base_url: str | None = None,
        num_concurrent: int = 32,
        timeout: float = 600.0,
        max_retries: int = 5,
        retry_backoff_s: float = 1.0,
        token_parameter: str = "max_tokens",  # noqa: S107 - the name of a parameter
        image_format: str = "PNG",
        system_prompt: str | None = None,
        send_temperature: bool = True,
        name: str | None = None,
    ) -> None:
        super().__init__()
        if model is None:
            raise SafecotError("safecot_openai needs --model_args model=NAME,base_url=http://HOST:PORT/v1.")
        url = base_url or os.environ.get("OPENAI_API_BASE") or os.environ.get("OPENAI_BASE_URL")
        if not url:
            raise SafecotError("safecot_openai: no base_url= and no OPENAI_API_BASE; name the endpoint.")
        if token_parameter not in LIMITS or image_format not in IMAGE_FORMATS:
            raise SafecotError(
                f"safecot_openai: token_parameter is one of {', '.join(LIMITS)}, image_format one of "
                f"{', '.join(IMAGE_FORMATS)}."
            )
        self.model, self.base_url, self.name = str(model), str(url), str(name or model)
        self.num_concurrent = max(1, int(num_concurrent))
        self.timeout, self.max_retries = float(timeout), int(max_retries)
        self.retry_backoff_s = float(retry_backoff_s)
        self.token_parameter, self.image_format = token_parameter, image_format
        self.system_prompt, self.send_temperature = system_prompt, bool(send_temperature)
        self.adaptations = Adaptations(_say)
        self.answer_sink: Callable[[Instance, GenerationResult], None] | None = None

    def answers(self, requests: Sequence[Instance]) -> list[GenerationResult]:
        """Ask for all, many at a time.

        Raises:
            SafecotError: the address is malformed, a proxy is in the way, or the endpoint refuses the first requests all
                for the same reason.
        """
        return asyncio.run(self._all(requests))

    async def _all(self, requests: Sequence[Instance]) -> list[GenerationResult]:
        found: list[GenerationResult | None] = [None] * len(requests)
        numbers = iter(range(len(requests)))
        async with ChatClient(
            self.base_url,
            os.environ.get("OPENAI_API_KEY"),
            concurrency=self.num_concurrent,
            timeout_s=self.timeout,
            retries=self.max_retries,
            backoff_s=self.retry_backoff_s,
            adaptations=self.adaptations,
        ) as client:
            workers = [
                asyncio.create_task(self._work(client, requests, numbers, found))
                for _ in range(min(self.num_concurrent, len(requests)))
            ]
            try:
                await asyncio.gather(*workers)
            finally:
                for worker in workers:
                    worker.cancel()
            if client.ended is not None and not self.adaptations.answered and _says_no(client.ended):
                raise SafecotError(
                    f"{client.address.shown} refuses every request: {client.ended.detail.rstrip('.')}. Remedy: "
                    f"{advice(client.ended.detail)}."
                )
            if client.ended is not None:
                logger.error("safecot_openai stopped asking: {}", client.ended.detail)
        return [answer if answer is not None else failed("not sent") for answer in found]

    async def _work(
        self,
        client: ChatClient,
        requests: Sequence[Instance],
        numbers: Iterator[int],
        found: list[GenerationResult | None],
    ) -> None:
        for number in numbers:
            request = requests[number]
            document = self.document(request)
            if client.ended is None:
                body = await asyncio.to_thread(self.body, request, document)
                reply = await client.complete(body)
            else:
                reply = client.ended
            if "stop" in self.adaptations.dropped:
                reply = replace(reply, text=_cut(reply.text, request))
            found[number] = answer = self._answer(reply, document)
            if self.answer_sink is not None:
                self.answer_sink(request, answer)

    def body(self, request: Instance, document: Mapping[str, Any]) -> dict[str, Any]:
        """The JSON that is sent for a request."""
        _, to_messages, settings, *_ = request.args
        messages = [
            {"role": turn["role"], "content": [self._part(part) for part in turn["content"]]}
            for turn in to_messages(document)
        ]
        if self.system_prompt and messages[0]["role"] != "system":
            messages.insert(0, {"role": "system", "content": self.system_prompt})
        body: dict[str, Any] = {
            "model": self.model,
            "messages": messages,
            self.token_parameter: int(settings.get("max_new_tokens", DEFAULT_MAX_NEW_TOKENS)),
        }
        if self.send_temperature:
            body["temperature"] = settings.get("temperature", 0)
            # Greedy decoding has no use for it.
            if settings.get("top_p") not in (None, DEFAULT) and body["temperature"]:
                body["top_p"] = settings["top_p"]
        if settings.get("seed") is not None:
            body["seed"] = settings["seed"]
        if stops := [stop for stop in settings.get("until") or [] if stop][:MAX_STOPS]:
            body["stop"] = stops
        return body

    def _part(self, part: Mapping[str, Any]) -> dict[str, Any]:
        if part["type"] == "text":
            return {"type": "text", "text": part["text"]}
        return {"type": "image_url", "image_url": {"url": data_url(part["url"], self.image_format)}}

    def _answer(self, reply: Reply, document: Mapping[str, Any]) -> GenerationResult:
        if reply.failure not in (None, Failure.BLOCKED):
            return failed(f"{reply.failure}, {reply.detail}")
        if reply.failure is Failure.BLOCKED:
            finish_reason = Status.BLOCKED_BY_PROVIDER.value
        elif document.get("image_source") == ImageSource.ABSENT:
            finish_reason = IMAGE_ABSENT
        else:
            finish_reason = LENGTH if reply.finish_reason == FinishReason.LENGTH else STOP
        return result(
            reply.text,
            finish_reason,
            input_tokens=reply.input_tokens,
            output_tokens=reply.output_tokens,
            reasoning_tokens=reply.reasoning_tokens,
        )


def _say(sentence: str) -> None:
    logger.warning("safecot_openai: {}", sentence)


def _cut(text: str, request: Instance) -> str:
    """An answer up to its first stop string, where the server does not take any."""
    places = [
        place for stop in request.args[2].get("until") or [] if stop and (place := text.find(stop)) >= 0
    ]
    return text[: min(places)] if places else text


def _says_no(reply: Reply) -> bool:
    return reply.failure in (Failure.REJECTED, Failure.BROKEN_REPLY)
