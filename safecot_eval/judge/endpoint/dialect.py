"""Whether a server holds its replies to a choice: found out with a few small requests before the first verdict.

``structured_outputs`` is vLLM's name since 0.12; the older ``guided_choice`` is accepted there and ignored, so that being
accepted proves nothing. The probe therefore asks for a word that no model says by itself. It also shows whether the judge
reasons before it replies: then a label needs room for thousands of tokens, not for a few.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from safecot_eval.judge.endpoint.endpoint import Endpoint
from safecot_eval.judge.prompts import Request
from safecot_eval.judge.replies import cut_while_reasoning
from safecot_eval.judge.rubric import IMAGE, Rubric
from safecot_eval.scoring.reasoning import split
from safecot_eval.util.chat_client import ChatClient, Failure, Reply
from safecot_eval.util.errors import SafecotError

ALTERNATIVES = 20
"""Tokens of which the probability is asked for where it decides: as many as OpenAI's API and vLLM's default allow."""
_WORDS = ["quillfrost", "marrowdeep"]
_MAY_GO = ("logprobs", "structured_outputs", "temperature")
CHOICE_TOKENS, FREE_TOKENS, REASONED_TOKENS = 32, 96, 768
THINKING_TOKENS, LEAST_THINKING_TOKENS = 4096, 512
"""For a judge that reasons on its own, and the least that is tried where a server's context is too short for that."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """How to ask; the parameters that a server does not take are left to the client's adaptations.

    Attributes:
        constrained: Replies are held to a choice by the server.
        logprobs: Token log probabilities are asked for.
        thinks: The judge reasons before it replies.
        thinking_tokens: Room for a reply with its reasoning.
        max_tokens: Room for any reply, where the user decides; None for what each kind of reply needs.
    """

    constrained: bool = True
    logprobs: bool = True
    thinks: bool = False
    thinking_tokens: int = THINKING_TOKENS
    max_tokens: int | None = None

    def thinking(self) -> Dialect:
        """The same for a judge that turns out to reason; nobody needs the log probabilities of its thoughts."""
        return replace(self, thinks=True, logprobs=False)

    def shorter(self) -> Dialect | None:
        """The same with half the room, where a server's context is too short; None where it is the least already."""
        half = self.thinking_tokens // 2
        possible = self.thinks and self.max_tokens is None and half >= LEAST_THINKING_TOKENS
        return replace(self, thinking_tokens=half) if possible else None

    def room(self, rubric: Rubric) -> int:
        """Tokens that a reply may have."""
        if self.max_tokens is not None:
            return self.max_tokens
        if self.thinks:
            return self.thinking_tokens
        if rubric.pattern:
            return REASONED_TOKENS
        return CHOICE_TOKENS if self.constrained else FREE_TOKENS

    def body(self, model: str, request: Request, images: Sequence[str] = ()) -> dict[str, Any]:
        """A request for one verdict.

        Args:
            model: The served name.
            request: What is asked.
            images: Addresses of the pictures, in order; they stand before the text, or after it where the rubric says so.
        """
        rubric = request.rubric
        free = bool(rubric.pattern) or not self.constrained
        body = self._body(model, request.message, self.room(rubric), None if free else list(rubric.replies))
        if request.answer is not None:
            body["messages"].append({"role": "assistant", "content": request.answer})
        if images:
            for turn in body["messages"]:
                turn["content"] = [{"type": "text", "text": turn["content"]}]
            pictures = [{"type": "image_url", "image_url": {"url": url}} for url in images]
            content = body["messages"][0]["content"]
            last = rubric.sees[-1] == IMAGE and len(rubric.sees) > 1
            body["messages"][0]["content"] = [*content, *pictures] if last else [*pictures, *content]
        if rubric.system:
            body["messages"].insert(0, {"role": "system", "content": rubric.system})
        if rubric.by_first_token and self.logprobs:
            body |= {"logprobs": True, "top_logprobs": ALTERNATIVES}
        return body

    def _body(self, model: str, message: str, limit: int, choices: list[str] | None) -> dict[str, Any]:
        messages = [{"role": "user", "content": message}]
        body: dict[str, Any] = {"model": model, "messages": messages, "max_tokens": limit, "temperature": 0}
        if choices is not None:
            body["structured_outputs"] = {"choice": choices}
            if self.logprobs:
                body["logprobs"] = True
        return body


async def find_out(client: ChatClient, endpoint: Endpoint) -> Dialect:
    """Ask until the server accepts the form; at most twelve small requests.

    Args:
        client: Connected to the server.
        endpoint: The judge that it serves.

    Raises:
        SafecotError: it accepts none, refuses the key, or does not answer.
    """
    model, max_tokens = endpoint.model, endpoint.max_tokens
    dialect = Dialect(max_tokens=max_tokens)
    unnamed = list(_MAY_GO)  # what may be at fault where the server does not say
    for _ in range(12):
        room = max_tokens or (dialect.thinking_tokens if dialect.thinks else CHOICE_TOKENS)
        body = dialect._body(model, "Say hello.", room, _WORDS if dialect.constrained else None)
        reply = await client.complete(body)
        if reply.failure is None:
            parts = split(reply.text)
            cut = cut_while_reasoning(reply, parts)
            if not dialect.thinks and (cut or parts.reasoning or not parts.closed or reply.reasoning_tokens):
                dialect = dialect.thinking()
                if cut and max_tokens is None:
                    continue
            held = parts.answer.strip() in _WORDS
            return replace(dialect, constrained=dialect.constrained and held)
        shorter = dialect.shorter() if too_long(reply) else None
        dropped = False
        while reply.failure is Failure.REJECTED and shorter is None and unnamed and not dropped:
            dropped = client.adaptations.drop(unnamed.pop(0), reply.detail)
        if shorter is None and not dropped:
            raise SafecotError(
                f"The judge {model!r} at {client.address.shown} does not answer ({reply.failure.value}: {reply.detail}); "
                "check {}, {} and {}.".format(*endpoint.named_by)
            )
        dialect = shorter or dialect
    return dialect


def too_long(reply: Reply) -> bool:
    """Whether a server refused a request because prompt and reply together are longer than its context."""
    said = reply.detail.lower()
    return reply.failure is Failure.REJECTED and any(
        word in said for word in ("context length", "context window", "too large", "maximum number of tokens")
    )
