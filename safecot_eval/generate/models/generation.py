"""One batch through a VLM: messages to tensors, tensors to texts with their token counts and the reason they ended."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from safecot_eval.generate.decoding import DEFAULT
from safecot_eval.generate.finish_reasons import LENGTH, STOP
from safecot_eval.util.errors import SafecotError

DEFAULT_MAX_NEW_TOKENS = 1024
_MEDIA = re.compile(
    r"<(\|?)(image|img|video|audio|image_pad|video_pad|vision_start|vision_end|vision_pad|image_soft_token"
    r"|start_of_image|end_of_image|img_context|global-img|fake_token_around_image|row_\d+_col_\d+)(\|?)>",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Turn:
    """What one request shows the model.

    Attributes:
        messages: For the chat template: text parts, and image parts without their image.
        images: The images, in order.
    """

    messages: list[dict[str, Any]]
    images: list[Any]


@dataclass(frozen=True, slots=True)
class Output:
    """What came back.

    Attributes:
        text: The answer, cut at the first stop string.
        input_tokens: Of the prompt, images included, padding not.
        output_tokens: Generated, the end token not included: a budget that is used up was not enough.
        finish_reason: ``stop`` or ``length``.
    """

    text: str
    input_tokens: int
    output_tokens: int
    finish_reason: str


def to_turn(messages: Sequence[Mapping[str, Any]], system_prompt: str | None = None) -> Turn:
    """Separate a conversation of lmms-eval from its images.

    Raises:
        SafecotError: it has a part that is neither text nor image.
    """
    images: list[Any] = []
    turns: list[dict[str, Any]] = []
    if system_prompt and not (messages and messages[0]["role"] == "system"):
        turns.append({"role": "system", "content": [{"type": "text", "text": system_prompt}]})
    for message in messages:
        parts: list[dict[str, Any]] = []
        for part in message["content"]:
            if part["type"] == "image":
                images.append(part["url"])
                parts.append({"type": "image"})
            elif part["type"] == "text":
                parts.append({"type": "text", "text": without_placeholders(part["text"])})
            else:
                raise SafecotError(
                    f"safecot_hf shows models text and images; this task has a {part['type']}."
                )
        turns.append({"role": message["role"], "content": parts})
    return Turn(turns, images)


def without_placeholders(text: str) -> str:
    """Break image placeholders inside a text: every processor would look for the image that belongs to them.

    >>> without_placeholders("Say <image> and <|image_pad|>, 3 < 4.")
    'Say < image > and < |image_pad| >, 3 < 4.'
    """
    return _MEDIA.sub(r"< \1\2\3 >", text)


def encode(processor: Any, turns: Sequence[Turn]) -> Any:
    """Tensors of a batch, padded on the left.

    Args:
        processor: Of the checkpoint.
        turns: Requests with equally many images each.
    """
    texts = [
        processor.apply_chat_template(turn.messages, tokenize=False, add_generation_prompt=True)
        for turn in turns
    ]
    options: dict[str, Any] = {"text": texts, "padding": True, "return_tensors": "pt"}
    if turns[0].images:
        options["images"] = [turn.images for turn in turns]
    start = processor.tokenizer.bos_token
    if start and all(text.startswith(start) for text in texts):
        options["add_special_tokens"] = False  # the template has written it already
    return processor(**options)


def generate(model: Any, processor: Any, turns: Sequence[Turn], settings: Mapping[str, Any]) -> list[Output]:
    """Answer one batch.

    Args:
        model: In evaluation mode.
        processor: Of the same checkpoint.
        turns: Requests with equally many images each.
        settings: lmms-eval's generation settings: ``max_new_tokens``, ``temperature``, ``top_p``, ``top_k``,
            ``num_beams``, ``do_sample``, ``repetition_penalty``, ``until``, ``seed``.
    """
    import torch

    inputs = encode(processor, turns).to(model.device)
    for name, value in inputs.items():
        if torch.is_tensor(value) and torch.is_floating_point(value):
            inputs[name] = value.to(model.dtype)
    until = settings.get("until") or []
    stops = [stop for stop in ([until] if isinstance(until, str) else until) if stop]
    limit = int(settings.get("max_new_tokens", DEFAULT_MAX_NEW_TOKENS))
    ends = _end_tokens(model, processor)
    if settings.get("seed") is not None:
        torch.manual_seed(_seed_of(int(settings["seed"]), turns))
    with torch.inference_mode():
        ids = model.generate(
            **inputs,
            **_sampling(settings),
            max_new_tokens=limit,
            eos_token_id=sorted(ends),
            pad_token_id=processor.tokenizer.pad_token_id,
            **({"stop_strings": stops, "tokenizer": processor.tokenizer} if stops else {}),
        )
    width = inputs["input_ids"].shape[1]
    asked = inputs["attention_mask"].sum(dim=1).tolist()
    pad = processor.tokenizer.pad_token_id
    return [
        _read(processor, row, ends, pad, stops, limit, int(count))
        for row, count in zip(ids[:, width:].tolist(), asked, strict=True)
    ]


def _seed_of(seed: int, turns: Sequence[Turn]) -> int:
    """A seed for one batch: the same batch draws the same answers, whatever was asked before it."""
    content = json.dumps([seed, [turn.messages for turn in turns]], sort_keys=True, ensure_ascii=True)
    return int.from_bytes(hashlib.sha256(content.encode()).digest()[:7], "big")


def _sampling(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of ``generate``; greedy unless a temperature above 0 asks for sampling."""
    temperature = float(settings.get("temperature") or 0)
    chosen: dict[str, Any] = {"num_beams": int(settings.get("num_beams") or 1)}
    if settings.get("repetition_penalty") is not None:
        chosen["repetition_penalty"] = float(settings["repetition_penalty"])
    if temperature > 0 and settings.get("do_sample", True):
        chosen |= {"do_sample": True, "temperature": temperature}
        for name in ("top_p", "top_k"):
            if settings.get(name) not in (None, DEFAULT):
                chosen[name] = settings[name]
        return chosen
    # The checkpoint's own sampling defaults would only raise warnings.
    return chosen | {"do_sample": False, "temperature": None, "top_p": None, "top_k": None}


def _end_tokens(model: Any, processor: Any) -> set[int]:
    """Tokens that end an answer: the checkpoint's and the tokenizer's, which do not always agree."""
    configured = model.generation_config.eos_token_id
    found = [
        *(configured if isinstance(configured, list) else [configured]),
        processor.tokenizer.eos_token_id,
    ]
    return {token for token in found if token is not None}


def _read(
    processor: Any, ids: list[int], ends: set[int], pad: int, stops: list[str], limit: int, input_tokens: int
) -> Output:
    end = next((place for place, token in enumerate(ids) if token in ends), None)
    ended = end is not None
    if end is None:  # a stop string, or the budget: what follows is padding
        end = len(ids)
        while end and ids[end - 1] == pad:
            end -= 1
    text = processor.tokenizer.decode(ids[:end], skip_special_tokens=True, clean_up_tokenization_spaces=False)
    cuts = [place for stop in stops if (place := text.find(stop)) >= 0]
    if cuts:
        text = text[: min(cuts)]
    finish_reason = STOP if ended or cuts or end < limit else LENGTH
    return Output(text, input_tokens, end, finish_reason)
