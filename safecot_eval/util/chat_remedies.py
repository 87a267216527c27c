"""What a server refuses about every request, and how to ask it instead: found out from its own words, kept for a run.

Servers that speak OpenAI's API differ in the parameters they take. One that refuses a parameter says so for each request;
where its sentence names the parameter, the next request goes without it, or by its other name. Nothing else is guessed. What
was changed is said once and recorded with the run, since a dropped temperature is another way to decode.
"""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from safecot_eval.util.chat_replies import parameters_of, sentence_of

LIMITS = ("max_tokens", "max_completion_tokens")
"""Names of the limit on generated tokens."""

JPEG_QUALITY = 92
LONGEST_SIDES = (None, 1024, 512)
"""What images over a server's limit on the size of a request are scaled down to, one after the other."""

# The first that a sentence names goes: where temperature and top_p exclude each other, greedy decoding needs no top_p.
_MAY_GO = ("top_p", "seed", "stop", "top_logprobs", "logprobs", "structured_outputs", "temperature")
_REFUSES = re.compile(
    r"unsupported|support|unrecogni|unknown|unexpected|not permitted|not allowed|forbidden|not available|deprecated"
    r"|both|only (the )?default|invalid|extra|positive|must be",
    re.IGNORECASE,
)
_VALUE = re.compile(
    r"too large|too high|at most|exceed|less than|greater than|maximum|context", re.IGNORECASE
)
_TOO_LARGE = re.compile(
    r"entity too large|payload too large|request[_ ]too[_ ]large|(request|image|body|payload)\b.{0,40}\b(exceeds|too large|too big)",
    re.IGNORECASE,
)
_OF_ONE_REQUEST = re.compile(
    r"context[_ ]length|context window|context size|maximum context|too long|too many tokens|too many images|longer than"
    r"|input length|prompt length|(invalid|process|decode|load|read|open).{0,20} image",
    re.IGNORECASE,
)
_ADVICE = (
    (r"max_completion_tokens", "--model_args token_parameter=max_completion_tokens"),
    (r"temperature|top_p", "--model_args send_temperature=False"),
    (r"max_tokens|max_new_tokens", "a smaller --gen_kwargs max_new_tokens="),
    (r"413|too large|too big|exceeds", "a server that takes larger requests (nginx: client_max_body_size)"),
    (r"\bimages?\b|image_url|vision|multi-?modal", "a model that takes images"),
    (r"(model|deployment)\b.{0,80}\b(exist|found|unknown|access|available)|unknown model", "--model_args model= with a name that the server knows"),
    (r"(path|route|url|resource|page) not found|not found|404|405", "a base_url that ends where /chat/completions follows"),
    (r"status 3\d\d", "the address that it redirects to as base_url"),
    (r"data:|event-stream", "a server or gateway that does not stream unless it is asked to"),
)  # fmt: skip


@dataclass
class Adaptations:
    """What was learned about a server; one for all clients of a run.

    Attributes:
        say: Receives a sentence for each change.
        dropped: Parameters that are not sent.
        renamed: The name of the limit on tokens that the server wants.
        too_large: Size in bytes of the smallest request that was refused for its size.
        answered: Requests that were answered.
    """

    say: Callable[[str], None] = lambda sentence: None
    dropped: dict[str, str] = field(default_factory=dict)
    renamed: str | None = None
    not_streamed: bool = False
    too_large: int | None = None
    longest_side: int = 0
    answered: int = 0
    version: int = 0
    _changes: dict[str, str] = field(default_factory=dict)

    def described(self) -> list[dict[str, str]]:
        """What was changed and the server's reason, for the provenance of a run."""
        return [{"change": change, "reason": reason} for change, reason in self._changes.items()]

    def applied(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """The body as this server takes it; images are left to :meth:`smaller`."""
        if not self.version:
            return body
        changed = {name: value for name, value in body.items() if name not in self.dropped}
        if "logprobs" in self.dropped:
            changed.pop("top_logprobs", None)  # means nothing without
        for name in LIMITS:
            if self.renamed and name in changed:
                changed[self.renamed] = changed.pop(name)
        if self.not_streamed:
            changed["stream"] = False
        return changed

    def smaller(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """The body with its images as JPEG, scaled down as far as the server made necessary."""
        side = LONGEST_SIDES[self.longest_side]
        messages = [
            {**turn, "content": [_reduced(part, side) for part in turn["content"]]}
            if isinstance(turn.get("content"), list)
            else turn
            for turn in body["messages"]
        ]
        return {**body, "messages": messages}

    def learn(self, status: int, text: str, body: Mapping[str, Any], size: int) -> bool:
        """Look for a remedy in a refusal.

        Args:
            status: Of the response.
            text: Its body, without secrets.
            body: What was sent.
            size: In bytes.

        Returns:
            Whether asking again can help.
        """
        sentence = sentence_of(text)
        if status == 200:
            streamed = re.match(r"\s*(data|event|):", text)
            return bool(streamed) and self._change(
                "sent stream: false", "the reply was a stream of events", not_streamed=True
            )
        if status == 413 or (_TOO_LARGE.search(sentence) and not is_about_one_request(sentence)):
            return self._shrink(sentence or f"status {status}", body, size)
        if not 400 <= status < 500 or not _REFUSES.search(sentence):
            return False
        limit = next((name for name in LIMITS if name in body), None)
        other = LIMITS[LIMITS[0] == limit]
        about = [sentence, *(f"'{name}'" for name in parameters_of(text))]
        if limit and _names(limit, about) and (_names(other, about) or not _VALUE.search(sentence)):
            return self._change(f"sent {other} instead of {limit}", sentence, renamed=other)
        named = next((name for name in _MAY_GO if name in body and _names(name, about)), None)
        return named is not None and self.drop(named, sentence)

    def drop(self, name: str, reason: str) -> bool:
        """Send a parameter no longer; False where it is not sent already."""
        if name in self.dropped:
            return False
        return self._change(f"did not send {name}", reason, dropped={**self.dropped, name: reason})

    def _shrink(self, reason: str, body: Mapping[str, Any], size: int) -> bool:
        if not _has_image(body):
            return False
        step = 0 if self.too_large is None else self.longest_side + 1
        if step >= len(LONGEST_SIDES):
            return False
        side = LONGEST_SIDES[step]
        how = f"of at most {side} pixels on the longer side " if side else ""
        return self._change(
            f"sent images as JPEG {how}where a request was too large",
            reason,
            too_large=min(size, self.too_large or size),
            longest_side=step,
        )

    def _change(self, change: str, reason: str, **settings: Any) -> bool:
        if change in self._changes:  # tried, and refused all the same
            return False
        for name, value in settings.items():
            setattr(self, name, value)
        self.version += 1
        self._changes[change] = reason[:200]
        self.say(f"{change[0].upper()}{change[1:]}: {reason[:200]}")
        return True


def is_about_one_request(text: str) -> bool:
    """Whether a refusal is about what was asked, so that the next request may be answered.

    >>> is_about_one_request("This model's maximum context length is 4096 tokens."), is_about_one_request("no")
    (True, False)
    """
    return bool(_OF_ONE_REQUEST.search(text))


def advice(text: str) -> str:
    """What a person can do about a refusal."""
    found = (remedy for pattern, remedy in _ADVICE if re.search(pattern, text, re.IGNORECASE))
    return next(found, "other --model_args, or another server")


def _names(parameter: str, texts: Sequence[str]) -> bool:
    """Whether a text speaks of a parameter; ``stop`` and ``seed`` are words as well, and count where they are marked."""
    pattern = rf"(?<![\w-]){parameter}(?![\w-])"
    if parameter in ("stop", "seed"):
        pattern = rf"[`'\"“‘]{parameter}[`'\"”’]|(parameter|argument|field|key|supplied)s?:? {parameter}\b|\b{parameter} (parameter|is not)"
    return any(re.search(pattern, text) for text in texts)


def _has_image(body: Mapping[str, Any]) -> bool:
    contents = [turn.get("content") for turn in body.get("messages", [])]
    return any(
        part.get("type") == "image_url" for parts in contents if isinstance(parts, list) for part in parts
    )


def _reduced(part: Mapping[str, Any], longest_side: int | None) -> Mapping[str, Any]:
    """An image part as JPEG; other parts as they are."""
    encoded = part["image_url"]["url"].partition(";base64,")[2] if part.get("type") == "image_url" else ""
    if not encoded:
        return part
    from PIL import Image

    with Image.open(io.BytesIO(base64.b64decode(encoded))) as opened:
        image = opened.convert("RGB")
    if longest_side:
        image.thumbnail((longest_side, longest_side))
    return {**part, "image_url": {"url": data_url(image, "JPEG", quality=JPEG_QUALITY)}}


def data_url(image: Any, image_format: str, **options: Any) -> str:
    """A Pillow image as a ``data:`` address."""
    buffer = io.BytesIO()
    image.save(buffer, format=image_format, **options)
    return f"data:image/{image_format.lower()};base64,{base64.b64encode(buffer.getvalue()).decode()}"
