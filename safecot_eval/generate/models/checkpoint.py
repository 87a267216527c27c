"""Load a VLM checkpoint or a PEFT adapter with its processor, and say in one sentence why that does not work."""

from __future__ import annotations

import json
import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safecot_eval.generate.models import weights
from safecot_eval.generate.models.weights import ADAPTER_CONFIG
from safecot_eval.util.errors import SafecotError

_PIXELS = ("min_pixels", "max_pixels")


@dataclass(frozen=True, slots=True)
class Source:
    """Where a model comes from.

    Attributes:
        base: Folder or hub id of the whole model.
        adapter: Folder or hub id of a PEFT adapter on top of it, or None.
        revision: Hub revision of the base (of the adapter, the newest).
    """

    base: str
    adapter: str | None = None
    revision: str = "main"


def find_source(pretrained: str | None, peft: str | None, revision: str) -> Source:
    """Tell base from adapter.

    An adapter may be given alone, as ``peft`` or as ``pretrained``; its own configuration names the base.

    Raises:
        SafecotError: neither was given, or an adapter whose base is not named or not where it was.
    """
    base, adapter = _expanded(pretrained), _expanded(peft)
    if base and adapter is None and _is_bare_adapter(Path(base)):
        base, adapter = None, base
    if base is None and adapter is None:
        raise SafecotError("safecot_hf needs --model_args pretrained=FOLDER_OR_HUB_ID (or peft=ADAPTER).")
    if base is None:
        base = _base_of(str(adapter))
        weights.require_base(str(adapter), base, "pretrained=BASE")
    return Source(base, adapter, revision)


def _is_bare_adapter(folder: Path) -> bool:
    """Whether a folder holds an adapter and no whole model."""
    return (folder / ADAPTER_CONFIG).is_file() and not (folder / "config.json").is_file()


def load_processor(source: Source, options: dict[str, Any]) -> Any:
    """Load the processor, from the adapter's folder if it has one, else from the base.

    Args:
        source: Where to look.
        options: ``trust_remote_code`` and pixel limits for ``AutoProcessor.from_pretrained``.

    Returns:
        A processor whose tokenizer pads on the left, as batched generation needs.

    Raises:
        SafecotError: no processor, no image processor, or no chat template.
    """
    from transformers import AutoProcessor

    found, reason = None, "no processor files"
    for place, revision in ((source.adapter, None), (source.base, source.revision)):
        if place is None or found is not None:
            continue
        try:
            found = AutoProcessor.from_pretrained(
                place, **({"revision": revision} if revision else {}), **options
            )
        except (OSError, ValueError, KeyError, ImportError, AttributeError) as error:
            reason = weights.why_not(place, error)
            if place == source.base and not source.adapter and _is_not_to_be_had(source, error):
                raise SafecotError(f"{source.base} cannot be loaded: {reason}.") from error
            found = None
        if found is not None and not hasattr(found, "image_processor"):
            found, reason = None, f"it has a {type(found).__name__} only"
        if found is not None and place == source.adapter and not has_chat_template(found):
            found, reason = None, "the adapter's has no chat template"  # the base's may have one
    if found is None and source.adapter is not None and not Path(source.base).is_dir():
        raise SafecotError(
            f"{source.base}, the base of the adapter {source.adapter}, is neither a folder here nor to be had from the hub "
            f"({reason}); say where it is with pretrained=BASE."
        )
    if found is None:
        raise SafecotError(
            f"{source.base}: no image processor can be loaded ({reason}); save the processor beside the weights "
            "(processor.save_pretrained), or give a checkpoint that has one."
        )
    if not has_chat_template(found):
        raise SafecotError(
            f"{source.base}: the processor has no chat template, and neither has its tokenizer; put chat_template.jinja beside the weights."
        )
    # SmolVLM's own template method makes transformers say this once per request.
    logging.getLogger("transformers.processing_utils").addFilter(
        lambda entry: "have to be in `processor_kwargs`" not in entry.getMessage()
    )
    found.tokenizer.padding_side = "left"
    if found.tokenizer.pad_token is None:
        found.tokenizer.pad_token = found.tokenizer.eos_token
    return found


def _is_not_to_be_had(source: Source, error: BaseException) -> bool:
    """Whether a whole model is missing, and not its processor alone, as of a text-only model in the hub's cache."""
    return bool(weights.by_the_hub(error)) and not weights.is_kept(source.base, source.revision)


def has_chat_template(processor: Any) -> bool:
    """Whether a processor has a chat template; one that only its tokenizer has becomes the processor's own.

    Fine-tuning tools used to write it into tokenizer_config.json, and vLLM takes it from there, too.
    """
    if not getattr(processor, "chat_template", None):
        processor.chat_template = getattr(getattr(processor, "tokenizer", None), "chat_template", None)
    return bool(processor.chat_template)


def load_model(source: Source, options: dict[str, Any], *, trust_remote_code: bool) -> Any:
    """Load the weights (safetensors only: a pickle can run code) and put the adapter on top.

    Args:
        source: What to load.
        options: For ``from_pretrained``: dtype, device_map, attn_implementation.
        trust_remote_code: Let the checkpoint bring code of its own.

    Raises:
        SafecotError: it cannot be loaded, lacks weights, or the adapter does not fit.
    """
    from safetensors import SafetensorError
    from transformers import AutoModelForImageTextToText

    try:
        model = weights.load(
            AutoModelForImageTextToText,
            source.base,
            source.adapter,
            revision=source.revision,
            use_safetensors=True,
            trust_remote_code=trust_remote_code,
            **options,
        )
    except (OSError, ValueError, KeyError, ImportError, RuntimeError, SafetensorError) as error:
        what = source.adapter or source.base
        raise SafecotError(f"safecot_hf cannot load {what} ({weights.why_not(what, error)}).") from error
    return model.eval()


def pixel_options(min_pixels: int | None, max_pixels: int | None) -> dict[str, int]:
    """Pixel limits for processors that scale images to a budget (Qwen-VL and its kin)."""
    given = dict(zip(_PIXELS, (min_pixels, max_pixels), strict=True))
    return {key: int(value) for key, value in given.items() if value is not None}


def default_device() -> str:
    """The accelerator of this process (``LOCAL_RANK`` under torchrun and accelerate), else the CPU."""
    import torch

    found = torch.accelerator.current_accelerator(check_available=True)
    if found is None or found.type == "mps":  # there is one MPS device, and it has no number
        return "cpu" if found is None else "mps"
    return f"{found.type}:{os.environ.get('LOCAL_RANK', '0')}"


def _expanded(value: str | None) -> str | None:
    if value is None or str(value) == "":
        return None
    path = Path(str(value)).expanduser()
    return str(path) if path.exists() else str(value)


def _base_of(adapter: str) -> str:
    path = Path(adapter) / ADAPTER_CONFIG
    try:
        if path.is_file():
            base = json.loads(path.read_text(encoding="utf-8")).get("base_model_name_or_path")
        else:
            from peft import PeftConfig

            base = PeftConfig.from_pretrained(adapter).base_model_name_or_path
    except (OSError, ValueError, AttributeError) as error:
        reason = f"{ADAPTER_CONFIG} cannot be read" if path.is_file() else weights.why_not(adapter, error)
        raise SafecotError(f"peft={adapter} is not a PEFT adapter ({reason}).") from error
    if not base:
        raise SafecotError(f"peft={adapter} does not name its base model; add pretrained=BASE.")
    return str(base)
