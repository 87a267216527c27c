"""What a server understands: found out with a few small requests before the first verdict.

``structured_outputs`` is vLLM's name since 0.12; the older ``guided_choice`` is accepted there and ignored, so that being
accepted proves nothing. The probe therefore asks for a word that no model says by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from safecot_eval.judge.rubrics import Rubric
from safecot_eval.util.chat_client import ChatClient, Failure
from safecot_eval.util.errors import SafecotError

_WORDS = ["quillfrost", "marrowdeep"]
CHOICE_TOKENS, FREE_TOKENS, REASONED_TOKENS = 32, 96, 768


@dataclass(frozen=True, slots=True)
class Dialect:
    """How to ask.

    Attributes:
        constrained: Replies are held to a choice by the server.
        logprobs: Token log probabilities are asked for.
        limit_name: ``max_tokens``, or ``max_completion_tokens`` where a server insists.
        temperature: The temperature may be set (to 0).
    """

    constrained: bool = True
    logprobs: bool = True
    limit_name: str = "max_tokens"
    temperature: bool = True

    def body(self, model: str, message: str, rubric: Rubric) -> dict[str, Any]:
        """A request for one verdict."""
        free = bool(rubric.pattern) or not self.constrained
        limit = REASONED_TOKENS if rubric.pattern else FREE_TOKENS if free else CHOICE_TOKENS
        return self._body(model, message, limit, None if free else list(rubric.replies))

    def _body(self, model: str, message: str, limit: int, choices: list[str] | None) -> dict[str, Any]:
        body: dict[str, Any] = {"model": model, "messages": [{"role": "user", "content": message}]}
        body[self.limit_name] = limit
        if self.temperature:
            body["temperature"] = 0
        if choices is not None:
            body["structured_outputs"] = {"choice": choices}
            if self.logprobs:
                body["logprobs"] = True
        return body


async def find_out(client: ChatClient, model: str) -> Dialect:
    """Ask until the server accepts the form; at most eight small requests.

    Raises:
        SafecotError: it accepts none, refuses the key, or does not answer.
    """
    dialect = Dialect()
    for _ in range(8):
        body = dialect._body(model, "Say hello.", CHOICE_TOKENS, _WORDS if dialect.constrained else None)
        reply = await client.complete(body)
        if reply.failure is None:
            held = reply.text.strip() in _WORDS
            return replace(dialect, constrained=dialect.constrained and held)
        changed = _simpler(dialect, reply.detail) if reply.failure is Failure.REJECTED else None
        if changed is None:
            raise SafecotError(
                f"The judge {model!r} at {client.url} does not answer ({reply.failure.value}: {reply.detail}); check "
                "SAFECOT_JUDGE_URL, SAFECOT_JUDGE_MODEL and SAFECOT_JUDGE_KEY."
            )
        dialect = changed
    return dialect


def _simpler(dialect: Dialect, detail: str) -> Dialect | None:
    """The next form to try after a rejection, the one that the message hints at first."""
    hints: list[tuple[str, Mapping[str, Any]]] = [
        ("max_completion_tokens", {"limit_name": "max_completion_tokens"}),
        ("temperature", {"temperature": False}),
        ("logprobs", {"logprobs": False}),
        ("structured_outputs", {"constrained": False}),
    ]
    possible = [(word, change) for word, change in hints if replace(dialect, **change) != dialect]
    for word, change in possible:
        if word in detail:
            return replace(dialect, **change)
    order = ("logprobs", "structured_outputs", "temperature", "max_completion_tokens")
    for word in order:
        for known, change in possible:
            if known == word:
                return replace(dialect, **change)
    return None
