"""Put a preset between lmms-eval and the model that it builds, for the time of one run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from safecot_eval.generate import lmms_eval
from safecot_eval.generate.presets import messages as chat
from safecot_eval.generate.presets.preset import Kind, Preset
from safecot_eval.generate.presets.self_check import Rewrite, SelfCheck, changed


@contextmanager
def applied(preset: Preset | None, *, system_role: bool, steps: Counter[str]) -> Iterator[None]:
    """Let the next models that lmms-eval builds be asked the preset's way; None changes nothing.

    Args:
        preset: The baseline.
        system_role: Whether the model takes a system message (see :func:`messages.with_system`).
        steps: Receives the counts of a self-check.
    """
    if preset is None:
        yield
        return

    def prompted(model: Any) -> Any:
        return attach(model, preset, system_role=system_role, steps=steps)

    with lmms_eval.built_models(prompted):
        yield


def attach(model: Any, preset: Preset, *, system_role: bool, steps: Counter[str]) -> Any:
    """Change how one model is asked; returns the model.

    Raises:
        SystemExit: the back end takes text and images, not messages (one sentence; lmms-eval swallows exceptions).
    """
    if getattr(model, "is_simple", True):
        raise SystemExit(
            f"safecot: --preset {preset.id}: {type(model).__name__} is a simple back end of lmms-eval, which takes no "
            "messages; use a chat back end (safecot_hf, safecot_openai, openai, vllm)."
        )
    generate = model.generate_until
    if preset.kind is Kind.SELF_CHECK:
        model.generate_until = SelfCheck(model, generate, preset, steps)
        return model
    rewrite = rewriting(preset, system_role=system_role)

    def generate_until(requests: Sequence[Any]) -> list[Any]:
        pairs = {id(other := changed(request, rewrite)): (other, request) for request in requests}
        sink = getattr(model, "answer_sink", None)
        if sink is not None:  # the journal knows the requests that it sent
            model.answer_sink = lambda other, answer: sink(pairs[id(other)][1], answer)
        try:
            answers: list[Any] = generate([other for other, _ in pairs.values()])
        finally:
            if sink is not None:
                model.answer_sink = sink
        return answers

    model.generate_until = generate_until
    return model


def rewriting(preset: Preset, *, system_role: bool) -> Rewrite:
    """The function on messages that a preset of one step is."""
    if preset.kind is Kind.SYSTEM:
        return lambda asked: chat.with_system(asked, preset.texts["system"], system_role=system_role)
    if preset.kind is Kind.BLANK_IMAGE:
        return chat.with_blank_images
    if preset.kind is Kind.PROMPT:
        return lambda asked: chat.with_prompt(asked, preset.texts["prompt"])
    return lambda asked: chat.with_suffix(asked, preset.texts["suffix"])
