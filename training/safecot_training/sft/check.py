"""Is a base fit for tuning? Asked before the first step, because the numbers would not say it.

A run whose answers never end, whose prompts differ from those that the model will be asked with, or whose adapters sit in
the vision tower trains without complaint. Every question here is answered with the base's own processor and with its
architecture on no device; no weights are read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from safecot_eval.util.errors import SafecotError
from safecot_eval.util.files import disk_error, write_text
from safecot_eval.util.wording import counted
from safecot_training.sft.collator import IGNORED, AnswerCollator
from safecot_training.sft.families import Family, is_frozen, lora_targets
from safecot_training.sft.turns import AnswerShape, Fixed, answer_shape, fix_template

_SIZES = ((448, 336), (336, 448), (56, 40), (640, 120))
"""Width and height of the pictures that are shown: wide, high, small, and of a ratio over five."""
_QUESTION, _ANSWER = "What is in the picture, and may I use it?", "A red square. Yes, use it."


class Status(StrEnum):
    """Outcome of one question."""

    OK = "ok"
    FIXED = "fixed"
    FAILS = "fails"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the table.

    Attributes:
        question: What was looked at.
        status: ``fixed`` where training puts it right by itself.
        sentence: What was found; for a failure, what to do.
    """

    question: str
    status: Status
    sentence: str


@dataclass(frozen=True)
class Fitness:
    """What :func:`check_base` found.

    Attributes:
        findings: One per question, in the order of the table.
        shape: How an answer is written; None where that could not be found out.
    """

    findings: tuple[Finding, ...]
    shape: AnswerShape | None

    @property
    def fails(self) -> tuple[Finding, ...]:
        """Findings that must stop a run."""
        return tuple(finding for finding in self.findings if finding.status is Status.FAILS)


def check_base(
    base: str,
    config: Any,
    processor: Any,
    stops: set[int],
    family: Family,
    *,
    full: bool,
    targets: str = "",
    vision: bool = True,
    projector: bool = True,
) -> Fitness:
    """Ask all questions about a base; its processor's template is fixed where it can be.

    Args:
        base: For messages.
        config: The base's configuration.
        processor: The base's processor; changed as :func:`~safecot_training.sft.turns.fix_template` says.
        stops: Tokens that end an answer when the base is asked.
        family: Names of its parts.
        full: Whether the language model itself is tuned, not adapters on it.
        targets: The recipe's ``lora_targets``.
        vision: Whether the vision tower is to stay as it is.
        projector: The same for the projector.
    """
    try:
        before = answer_shape(processor, stops, base)
        fixed = fix_template(processor, stops, base)
        shape = answer_shape(processor, stops, base)
    except SafecotError as error:
        return Fitness((Finding("chat template", Status.FAILS, str(error)),), None)
    collator = AnswerCollator(processor, shape)
    if not _shows_pictures(processor):
        no_place = Finding(
            "image tokens",
            Status.FAILS,
            "the chat template has no place for a picture; put the template of the model's own repository into "
            "chat_template.jinja.",
        )
        return Fitness((_end(before, shape), no_place), shape)
    asked: list[tuple[str, Callable[[], Finding]]] = [
        ("end of an answer", lambda: _end(before, shape)),
        ("prompt", lambda: _prompt(collator, before)),
        ("beginning", lambda: _beginning(collator, fixed)),
        ("image tokens", lambda: _image_tokens(collator)),
        ("loss", lambda: _loss(collator)),
        ("rows side by side", lambda: _batch(collator)),
        ("what is tuned", lambda: _tuned(config, family, targets, full=full, frozen=(vision, projector))),
    ]
    return Fitness(tuple(_answered(question, look, base) for question, look in asked), shape)


def require_fit(base: str, fitness: Fitness) -> AnswerShape:
    """Stop where something fails.

    Raises:
        SafecotError: one sentence per failure.
    """
    if fitness.fails or fitness.shape is None:
        told = " ".join(f"{finding.question}: {finding.sentence}" for finding in fitness.fails)
        raise SafecotError(f"{base} is not fit for tuning (`safecot train check` shows all). {told}")
    return fitness.shape


def _answered(question: str, look: Callable[[], Finding], base: str) -> Finding:
    try:
        return look()
    except Exception as error:  # processors and remote code fail in any way; the table names it
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        return Finding(
            question, Status.FAILS, f"{base} cannot be looked at ({reason}); is its processor complete?"
        )


def _row(images: Sequence[Image.Image]) -> dict[str, Any]:
    return {
        "prompt": [{"role": "user", "content": _QUESTION}],
        "completion": [{"role": "assistant", "content": _ANSWER}],
        "images": list(images),
    }


def _pictures(count: int) -> list[Image.Image]:
    return [Image.new("RGB", size, "red") for size in _SIZES[:count]]


def _end(before: AnswerShape, shape: AnswerShape) -> Finding:
    if before.ends:
        return Finding("end of an answer", Status.OK, f"the template ends it with {shape.end}")
    return Finding(
        "end of an answer",
        Status.FIXED,
        f"the template puts nothing after it that stops generation; it is trained to end with {shape.end}",
    )


def _prompt(collator: AnswerCollator, before: AnswerShape) -> Finding:
    """The prompt's tokens against transformers' own way of asking."""
    for count in (0, 1, 2):
        row = _row(_pictures(count))
        encoded = collator.encode(row)
        trained = encoded["input_ids"][0][encoded["labels"][0] == IGNORED].tolist()
        asked = collator.processor.apply_chat_template(
            _asked(row["images"]),
            add_generation_prompt=True, tokenize=True, return_dict=True, processor_kwargs={"return_tensors": "pt"},
        )["input_ids"][0].tolist()  # fmt: skip
        if trained != asked:
            return Finding(
                "prompt",
                Status.FAILS,
                f"with {counted(count, 'picture')}, {len(trained)} tokens are trained on and {len(asked)} asked with; update "
                "transformers, or report the base.",
            )
    if before.follows:
        return Finding("prompt", Status.OK, "trained on with the tokens it is asked with")
    return Finding(
        "prompt",
        Status.FIXED,
        "the template writes a finished conversation differently from a prompt; it is trained on as it is asked",
    )


def _beginning(collator: AnswerCollator, fixed: Fixed) -> Finding:
    tokenizer = collator.processor.tokenizer
    start = tokenizer.bos_token
    ids = collator.encode(_row([]))["input_ids"][0].tolist()
    count = ids.count(tokenizer.bos_token_id) if start else 0
    text = collator.processor.apply_chat_template(_asked([]), tokenize=False, add_generation_prompt=True)
    if count > 1:
        return Finding(
            "beginning",
            Status.FAILS,
            f"a prompt holds {start} {count} times; take it out of the template or of the tokenizer.",
        )
    if fixed.beginning:
        return Finding(
            "beginning",
            Status.FIXED,
            f"{start} was left to the tokenizer, and servers that ask with the template's text alone leave it out; now "
            "the template writes it",
        )
    if count and not text.startswith(start):
        return Finding(
            "beginning",
            Status.OK,
            f"{start}, added by the tokenizer; vLLM's chat has to be asked with add_special_tokens: true",
        )
    return Finding("beginning", Status.OK, f"{start} once" if count else "none")


def _asked(images: Sequence[Image.Image]) -> list[dict[str, Any]]:
    parts = [*({"type": "image", "image": image} for image in images), {"type": "text", "text": _QUESTION}]
    return [{"role": "user", "content": parts}]


def _shows_pictures(processor: Any) -> bool:
    with_one, without = (
        processor.apply_chat_template(_asked(_pictures(count)), tokenize=False, add_generation_prompt=True)
        for count in (1, 0)
    )
    return bool(with_one != without)


def _image_tokens(collator: AnswerCollator) -> Finding:
    """Tokens that a picture adds to a prompt, against what the processor says it takes."""
    plain = collator.encode(_row([]))["input_ids"].shape[1]
    count = getattr(collator.processor, "_get_num_multimodal_tokens", None)
    added = []
    for size in _SIZES:
        image = Image.new("RGB", size, "red")
        added.append(int(collator.encode(_row([image]))["input_ids"].shape[1]) - plain)
    if count is not None and "cross_attention_mask" not in collator.encode(_row(_pictures(1))):
        told = count(image_sizes=[size[::-1] for size in _SIZES])["num_image_tokens"]
        short = [f"{w} x {h}" for (w, h), own, all_ in zip(_SIZES, told, added, strict=True) if own > all_]
        if short:
            return Finding(
                "image tokens",
                Status.FAILS,
                f"{', '.join(short)}: fewer tokens in the prompt than the vision tower gives; check patch_size and "
                "vision_feature_select_strategy of the processor.",
            )
    return Finding(
        "image tokens", Status.OK, f"{min(added)} to {max(added)} a picture, alike in tuning and asking"
    )


def _loss(collator: AnswerCollator) -> Finding:
    shape, tokenizer = collator.shape, collator.processor.tokenizer
    wanted = (shape.lead + _ANSWER + shape.end).strip()
    for count in (0, 1, 2):
        encoded = collator.encode(_row(_pictures(count)))
        learnt = encoded["labels"][0][encoded["labels"][0] != IGNORED]
        text = tokenizer.decode(learnt, clean_up_tokenization_spaces=False).strip()
        if text.replace(" ", "") != wanted.replace(" ", ""):
            return Finding(
                "loss",
                Status.FAILS,
                f"it is on {text!r} instead of {wanted!r}; the tokenizer changes what it reads.",
            )
    return Finding(
        "loss", Status.OK, f"on the answer and its end, {len(learnt)} tokens of {encoded['labels'].shape[1]}"
    )


def _batch(collator: AnswerCollator) -> Finding:
    batch = collator([_row(_pictures(1)), _row([]), _row(_pictures(2))])
    rows, tokens = batch["input_ids"].shape
    return Finding("rows side by side", Status.OK, f"one picture, none and two: {rows} x {tokens} tokens")


def _tuned(config: Any, family: Family, targets: str, *, full: bool, frozen: tuple[bool, bool]) -> Finding:
    """Names of what a run changes, on a model without weights."""
    from transformers import AutoModelForImageTextToText

    with torch.device("meta"):
        model = AutoModelForImageTextToText.from_config(config)
    remedy = (
        "the family's line in safecot_training/sft/families.py does not fit this version of transformers."
    )
    if full:
        names = [name for name, _ in model.named_parameters()]
        towers = [name for name in names if is_frozen(name, family, vision=True, projector=True)]
        if not towers or len(towers) == len(names):
            return Finding(
                "what is tuned", Status.FAILS, f"no vision tower is found under its name; {remedy}"
            )
        return Finding(
            "what is tuned",
            Status.OK,
            f"{len(names) - len(towers)} parameters of the language model; {len(towers)} of tower and projector",
        )
    pattern = re.compile(lora_targets(family, targets))
    hit = {name: module for name, module in model.named_modules() if pattern.fullmatch(name)}
    if targets:
        kept = [name for name in hit if is_frozen(f"{name}.", family, vision=frozen[0], projector=frozen[1])]
        example = next(name for name, each in model.named_modules() if _adaptable(each))
        return _told(targets, hit, kept, example)
    astray = [name for name in hit if any(part in name for part in (*family.vision, *family.projector))]
    if not hit or astray or not all(isinstance(module, torch.nn.Linear) for module in hit.values()):
        found = f"adapters would sit on {astray[0]}" if astray else f"{len(hit)} layers get an adapter"
        return Finding("what is tuned", Status.FAILS, f"{found}; {remedy}")
    return Finding(
        "what is tuned", Status.OK, f"adapters on {len(hit)} linear layers of the language model, no others"
    )


def _told(targets: str, hit: Mapping[str, Any], kept: Sequence[str], example: str) -> Finding:
    """What the recipe's own ``lora_targets`` match."""
    other = next((name for name, module in hit.items() if not _adaptable(module)), None)
    if not hit or other is not None:
        found = (
            "matches no layer"
            if other is None
            else f"also matches {other!r}, which is not a layer that can have an adapter"
        )
        return Finding(
            "what is tuned",
            Status.FAILS,
            f"lora_targets {targets!r} {found}; it is compared with whole names, such as {example!r}.",
        )
    if kept:
        return Finding(
            "what is tuned",
            Status.FAILS,
            f"lora_targets {targets!r} also matches {kept[0]!r} ({len(kept)} of {len(hit)} layers), in a part that the recipe keeps "
            "as it is; narrow it to the language model, or set freeze_vision or freeze_projector to false.",
        )
    return Finding(
        "what is tuned", Status.OK, f"adapters on {counted(len(hit), 'layer')} that lora_targets names"
    )


def _adaptable(module: Any) -> bool:
    return isinstance(
        module, torch.nn.Linear | torch.nn.Embedding | torch.nn.Conv1d | torch.nn.Conv2d | torch.nn.Conv3d
    )


def write_processor(processor: Any, base: str, before: str, out: Path | None) -> Path:
    """Write a fixed processor, or its chat template alone beside the base's files.

    Args:
        processor: With the fixed template.
        base: Folder of the base, or its hub id.
        before: The template as it was; kept as ``chat_template.jinja.orig``.
        out: Folder for the whole processor; None writes into the base's folder.

    Returns:
        What was written.

    Raises:
        SafecotError: the base is not a folder and ``out`` is not given, or the disk is full.
    """
    if out is not None:
        try:
            out.mkdir(parents=True, exist_ok=True)
            processor.save_pretrained(out)
        except OSError as error:
            raise disk_error(out, error) from error
        return out
    folder = Path(base).expanduser()
    if not folder.is_dir():
        raise SafecotError(
            f"{base} is not a folder on this machine; name a folder for the fixed processor with --out."
        )
    target = folder / "chat_template.jinja"
    kept = folder / "chat_template.jinja.orig"
    if not kept.exists():
        write_text(kept, before)
    write_text(target, processor.chat_template)
    return target
