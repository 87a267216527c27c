"""``safecot_hf``: any Hugging Face VLM or PEFT adapter, in real batches.

Requests with the same settings and number of images are answered together, longest first, padded on the left. A batch
that does not fit the accelerator's memory is halved, and the smaller size is kept.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from lmms_eval.api.instance import GenerationResult, Instance
from loguru import logger
from tqdm import tqdm

from safecot_eval.generate.models import checkpoint, thoughts
from safecot_eval.generate.models.base import SafecotModel, failed, result
from safecot_eval.generate.models.generation import Output, Turn, generate, to_turn
from safecot_eval.records.samples import ImageSource, Status
from safecot_eval.scoring import reasoning
from safecot_eval.util.errors import SafecotError

DTYPES = ("auto", "float32", "bfloat16", "float16")
DEFAULT_BATCH_SIZE = 16
GIVE_UP_AFTER = 3
"""So many failed requests before any success mean that the checkpoint, not a request, is at fault."""


class SafecotHF(SafecotModel):
    """A checkpoint that ``AutoModelForImageTextToText`` can load.

    Args:
        pretrained: Folder or hub id; of an adapter, its base is found by itself.
        peft: Folder or hub id of a PEFT adapter on top of ``pretrained``.
        revision: Hub revision of the base.
        dtype: ``auto`` (as saved), ``float32``, ``bfloat16`` or ``float16``.
        device: ``cuda:0``, ``cpu`` …; the process's own accelerator if not given.
        device_map: Spread one model over several accelerators (``auto``).
        batch_size: Requests per batch; halved by itself where the memory does not suffice.
        attn_implementation: ``sdpa``, ``flash_attention_2``, ``eager``.
        trust_remote_code: Let the checkpoint run code of its own.
        min_pixels: Smallest image, for processors that scale to a budget (Qwen-VL).
        max_pixels: Largest image, likewise.
        system_prompt: Sent before every question, if given.
        name: Name on the leaderboard.
        thought_tokens: Room for a thought in other people's tasks, on top of their budget (see
            :mod:`safecot_eval.generate.models.thoughts`); by the checkpoint's card if not given.

    Raises:
        SafecotError: the checkpoint cannot be used.
    """

    model_id = "safecot_hf"

    def __init__(
        self,
        pretrained: str | None = None,
        peft: str | None = None,
        revision: str = "main",
        dtype: str = "auto",
        device: str | None = None,
        device_map: str | None = None,
        batch_size: int | str = DEFAULT_BATCH_SIZE,
        attn_implementation: str | None = None,
        trust_remote_code: bool = False,
        min_pixels: int | None = None,
        max_pixels: int | None = None,
        system_prompt: str | None = None,
        name: str | None = None,
        thought_tokens: int | str | None = None,
    ) -> None:
        super().__init__()
        if dtype not in DTYPES:
            raise SafecotError(f"safecot_hf: dtype={dtype} is none of {', '.join(DTYPES)}.")
        try:
            self.batch_size = int(batch_size)
        except ValueError:
            self.batch_size = 0
        if self.batch_size < 1:
            raise SafecotError(f"safecot_hf: batch_size={batch_size} is not a whole number above 0.")
        source = checkpoint.find_source(pretrained, peft, str(revision))
        self.room = thoughts.Room(_room(thought_tokens, source), reasoning.chosen_markers())
        trust = _switch("trust_remote_code", trust_remote_code)
        self.processor = checkpoint.load_processor(
            source, {"trust_remote_code": trust, **checkpoint.pixel_options(min_pixels, max_pixels)}
        )
        options: dict[str, Any] = {"dtype": dtype if dtype == "auto" else getattr(torch, dtype)}
        if device_map:
            options["device_map"] = device_map
        if attn_implementation:
            options["attn_implementation"] = attn_implementation
        model = checkpoint.load_model(source, options, trust_remote_code=trust)
        self._device = torch.device(device or checkpoint.default_device())
        self.model = model if device_map else model.to(self._device)
        self.system_prompt = system_prompt
        self.name = str(name or source.adapter or source.base)
        self.answer_sink: Callable[[Instance, GenerationResult], None] | None = None
        self._answered = self._failed = 0

    @property
    def device(self) -> torch.device:
        """Where the model's first layer is."""
        return torch.device(self.model.device)

    def answers(self, requests: Sequence[Instance]) -> list[GenerationResult]:
        """Answer all requests, in batches.

        Raises:
            SafecotError: a task shows something other than text and images, or the first requests all fail.
        """
        found: list[GenerationResult | None] = [None] * len(requests)
        quiet = self.rank != 0 or self.answer_sink is not None
        with tqdm(total=len(requests), desc="Model Responding", disable=quiet) as bar:
            for numbers in self._groups(requests):
                while numbers:
                    batch, numbers = numbers[: self.batch_size], numbers[self.batch_size :]
                    for number, answer in zip(batch, self._batch([requests[n] for n in batch]), strict=True):
                        found[number] = answer
                        if self.answer_sink is not None:
                            self.answer_sink(requests[number], answer)
                    bar.update(len(batch))
        return [answer if answer is not None else failed("not asked") for answer in found]

    def _groups(self, requests: Sequence[Instance]) -> list[list[int]]:
        """Numbers of requests that may share a batch, longest text first so that memory is tried at once."""
        groups: dict[tuple[str, str], list[int]] = {}
        for number, request in enumerate(requests):
            settings = json.dumps(_settings(request), sort_keys=True, default=str)
            pictured = str(self.document(request).get("image_source"))  # text alone makes batches of its own
            groups.setdefault((settings, pictured), []).append(number)
        return [sorted(group, key=lambda n: -len(str(requests[n].args[0]))) for group in groups.values()]

    def _batch(self, requests: Sequence[Instance]) -> list[GenerationResult]:
        """Answer one batch; items whose image cannot be shown are not asked."""
        answers: list[GenerationResult | None] = [None] * len(requests)
        turns: dict[int, Turn] = {}
        for number, request in enumerate(requests):
            document = self.document(request)
            messages = _messages(request, document)
            if messages is None:
                answers[number] = result("", Status.IMAGE_UNREADABLE.value)
            else:
                turns[number] = to_turn(messages, self.system_prompt)
        by_images: dict[int, list[int]] = {}
        for number, turn in turns.items():
            by_images.setdefault(len(turn.images), []).append(number)
        for numbers in by_images.values():
            settings = _settings(requests[numbers[0]])
            # Our own tasks leave room for a thought and split it themselves.
            foreign = self.room.tokens and not self.document(requests[numbers[0]]).get("sample_id")
            outputs = self._generate(
                [turns[n] for n in numbers], self.room.widened(settings) if foreign else settings
            )
            if foreign:
                outputs = [
                    output
                    if isinstance(output, str)
                    else self.room.narrowed(output, settings, self.processor.tokenizer)
                    for output in outputs
                ]
            for number, output in zip(numbers, outputs, strict=True):
                answers[number] = self._told(output)
        return [answer if answer is not None else failed("not asked") for answer in answers]

    def _generate(self, turns: list[Turn], settings: Mapping[str, Any]) -> list[Output | str]:
        """Outputs of a batch, or why there is none; a batch that is too large or has a bad item is taken apart."""
        try:
            return list(generate(self.model, self.processor, turns, settings))
        except torch.OutOfMemoryError:
            torch.cuda.empty_cache()
            if len(turns) == 1:
                return ["one request alone does not fit into the accelerator's memory"]
            self.batch_size = max(1, len(turns) // 2)
            logger.warning(
                "A batch of {} does not fit into memory: going on with {}.", len(turns), self.batch_size
            )
        except (ValueError, IndexError, RuntimeError) as error:  # one item can spoil its batch
            if len(turns) == 1:
                return [self._reason(error)]
        half = len(turns) // 2
        return self._generate(turns[:half], settings) + self._generate(turns[half:], settings)

    def _reason(self, error: Exception) -> str:
        """Why one request failed.

        Raises:
            SafecotError: nothing but failures so far.
        """
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        self._failed += 1
        if not self._answered and self._failed >= GIVE_UP_AFTER:
            raise SafecotError(
                f"safecot_hf: the first {self._failed} requests all failed with {self.name} ({reason})."
            ) from error
        logger.error("safecot_hf: a request failed: {}", reason)
        return reason

    def _told(self, output: Output | str) -> GenerationResult:
        """An output in lmms-eval's form, with its end for scoring."""
        if isinstance(output, str):
            return failed(output)
        self._answered += 1
        return result(
            output.text,
            output.finish_reason,
            input_tokens=output.input_tokens,
            output_tokens=output.output_tokens,
        )


def _room(given: int | str | None, source: checkpoint.Source) -> int:
    if given is None:
        return thoughts.thought_tokens(source.adapter, source.base)
    try:
        tokens = int(given)
    except ValueError:
        tokens = -1
    if tokens < 0:
        raise SafecotError(f"safecot_hf: thought_tokens={given} is not a whole number of 0 or more.")
    return tokens


def _settings(request: Instance) -> dict[str, Any]:
    """lmms-eval's generation settings of a request."""
    settings: dict[str, Any] = request.args[2]
    return settings


def _messages(request: Instance, document: Mapping[str, Any]) -> Any:
    """The conversation of a request; None if its image is broken or absent: the model would answer another question."""
    try:
        messages = request.args[1](document)
    except SafecotError as error:  # the image was there when the task was loaded
        logger.warning("safecot_hf: {}", error)
        return None
    absent = document.get("image_source") == ImageSource.ABSENT
    return None if absent or document.get("image_error") else messages


def _switch(name: str, value: Any) -> bool:
    if str(value).lower() in ("true", "false"):
        return str(value).lower() == "true"
    raise SafecotError(f"safecot_hf: {name}={value} is neither True nor False.")
