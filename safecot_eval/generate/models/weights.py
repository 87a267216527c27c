"""Load weights, and refuse what would answer with something else than them.

transformers fills weights that a checkpoint lacks with random numbers, and peft leaves out an adapter's tensors whose names
it does not find; both only warn. An evaluation that went on would put random numbers, or the bare base, under the
checkpoint's name.
"""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from safecot_eval.util.errors import SafecotError
from safecot_eval.util.paths import CHECKPOINT_CARD

ADAPTER_CONFIG = "adapter_config.json"
_NAMED = 3
_SAMPLE, _STRIDE = 2**16, 2**24
_NOT_APPLIED = "Found missing adapter keys"
"""How peft's warning begins; peft calls it free of false alarms."""


def load(auto: Any, base: str, adapter: str | None = None, **options: Any) -> Any:
    """Load a whole model and put an adapter on top.

    Args:
        auto: A class of transformers with ``from_pretrained``.
        base: Folder or hub id of the whole model.
        adapter: Folder or hub id of a PEFT adapter, or None.
        options: For ``from_pretrained`` of the base; ``device_map="meta"`` compares the names and loads no weights.

    Returns:
        The model; a ``PeftModel`` if there is an adapter.

    Raises:
        SafecotError: weights are missing, or tensors of the adapter fit nothing (they are named).
        OSError, ValueError, RuntimeError: transformers or peft cannot load it.
    """
    model, found = auto.from_pretrained(base, output_loading_info=True, **options)
    if lacking := sorted(found["missing_keys"]):
        raise SafecotError(
            f"{base} lacks {named(lacking)}: the model would answer with random weights; save or download the checkpoint "
            "again, whole."
        )
    if adapter is None:
        return model
    _require_safetensors(Path(adapter))
    _require_same_architecture(Path(adapter), model, base)
    require_same_base(adapter, base, options.get("revision"))
    return _with_adapter(model, adapter, base, on_meta=options.get("device_map") == "meta")


def check_folder(base: str, adapters: Iterable[str] = ()) -> None:
    """Refuse a checkpoint that another program is to serve, by names alone: no weights are loaded.

    Args:
        base: Folder of a whole model; hub ids and quantised weights are left to the program.
        adapters: Folders of adapters on top of it.

    Raises:
        SafecotError: weights are missing, or tensors of an adapter fit nothing.
    """
    if not (Path(base) / "config.json").is_file():
        return
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForImageTextToText

    try:
        config = AutoConfig.from_pretrained(base)
        kinds = [
            k for k in (AutoModelForImageTextToText, AutoModelForCausalLM) if type(config) in k._model_mapping
        ]
        if not kinds or getattr(config, "quantization_config", None):
            return
        load(kinds[0], base, use_safetensors=True, device_map="meta")
        for adapter in filter(os.path.isdir, adapters):
            load(kinds[0], base, adapter, use_safetensors=True, device_map="meta")
    except (OSError, ValueError, KeyError, ImportError, RuntimeError):
        return  # what cannot be looked at here, the program will read or refuse itself


def _with_adapter(model: Any, adapter: str, base: str, *, on_meta: bool) -> Any:
    from peft import PeftModel

    how = {"low_cpu_mem_usage": True} if on_meta else {}
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("error", message=_NOT_APPLIED)
            model = PeftModel.from_pretrained(model, adapter, **how)
    except UserWarning as warning:
        lacking = str(warning).partition("[")[2].rpartition("]")[0].replace("'", "").split(", ")
        raise _not_applied(adapter, base, "the adapter lacks", lacking) from warning
    offloaded = {"cpu", "disk"} & {
        str(place) for place in (getattr(model, "hf_device_map", None) or {}).values()
    }
    if not offloaded:
        # from_pretrained keeps to itself what it did not use; loading a second time costs as much as the adapter is large.
        result = model.load_adapter(adapter, "default", **how)
        if result.unexpected_keys:
            raise _not_applied(adapter, base, "the base has no place for", result.unexpected_keys)
        if result.missing_keys:
            raise _not_applied(adapter, base, "the adapter lacks", result.missing_keys)
    return model


def _not_applied(adapter: str, base: str, what: str, names: Iterable[str]) -> SafecotError:
    return SafecotError(
        f"{adapter} does not fit {base}: {what} {named(sorted(names))}, and what does not fit would be left out; give the base "
        "that it was trained on, or rename its tensors (transformers 4.52 put the layers of VLMs under "
        "model.language_model)."
    )


def named(keys: list[str]) -> str:
    """Names for a message: the first few, and how many there are.

    >>> named(["a"]), named(["a", "b", "c", "d"])
    ('a', '4 tensors (a, b, c, …)')
    """
    if len(keys) == 1:
        return keys[0]
    return f"{len(keys)} tensors ({', '.join(keys[:_NAMED])}{', …' if len(keys) > _NAMED else ''})"


def _require_safetensors(adapter: Path) -> None:
    """An adapter folder holds safetensors: peft would also read a pickle."""
    if adapter.is_dir() and not (adapter / "adapter_model.safetensors").is_file():
        raise ValueError("it has no adapter_model.safetensors; weights in a pickle are not read")


def _require_same_architecture(adapter: Path, model: Any, base: str) -> None:
    """Layers of different architectures may have the same names and sizes; peft would apply them."""
    config = adapter_config(adapter)
    mapping = config.get("auto_mapping")
    trained_on = mapping.get("base_model_class") if isinstance(mapping, Mapping) else None
    here = type(model).__name__
    if trained_on is None and config.get("base_model_name_or_path"):
        trained_on, here = _model_type(str(config["base_model_name_or_path"])), model.config.model_type
    if trained_on is not None and trained_on != here:
        raise SafecotError(
            f"{adapter} was trained on a {trained_on}, and {base} is a {here}; give the base that it was trained on."
        )


def require_same_base(adapter: str, base: str, revision: str | None = None) -> None:
    """Refuse a base with other weights than the one that an adapter of ours was trained on: names and sizes would fit.

    Raises:
        SafecotError: the adapter's card has the fingerprint of another base.
    """
    try:
        card = json.loads((Path(adapter) / CHECKPOINT_CARD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return
    expected = card.get("base_fingerprint") if isinstance(card, dict) else None
    if not expected or (found := fingerprint(base, revision)) == "" or found == expected:
        return
    raise SafecotError(
        f"{adapter} was trained on {card.get('base_model')}, and the weights of {base} are others; give the base that it was "
        "trained on."
    )


def fingerprint(base: str, revision: str | None = None) -> str:
    """Tell weights apart without reading them whole: a hash of each file's name and size, its header, and a part of every 16 MiB.

    Returns:
        A hexadecimal digest; empty for a base that is not on this machine.
    """
    folder = Path(base).expanduser()
    if not folder.is_dir():
        found = _cached(base, revision)
        if found is None:
            return ""
        folder = found
    digest = hashlib.sha256()
    files = sorted(folder.glob("*.safetensors"))
    for path in files:
        size = path.stat().st_size
        digest.update(f"{path.name} {size}".encode())
        with path.open("rb") as stream:
            for place in range(0, size, _STRIDE):
                stream.seek(place)
                digest.update(stream.read(_SAMPLE))
            stream.seek(max(0, size - _SAMPLE))
            digest.update(stream.read(_SAMPLE))
    return digest.hexdigest() if files else ""


def _cached(base: str, revision: str | None) -> Path | None:
    from huggingface_hub import try_to_load_from_cache

    try:
        found = try_to_load_from_cache(base, "config.json", revision=revision)
    except ValueError:  # no hub id
        return None
    return Path(found).parent if isinstance(found, str) else None


def _model_type(base: str) -> str | None:
    """The architecture of a base that is on this machine; None if it is not."""
    from transformers import AutoConfig

    try:
        return str(AutoConfig.from_pretrained(base, local_files_only=True).model_type)
    except (OSError, ValueError):
        return None


def adapter_config(adapter: Path) -> Mapping[str, Any]:
    """An adapter folder's configuration; empty if there is none or it cannot be read."""
    try:
        content = json.loads((adapter / ADAPTER_CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def require_base(adapter: str, base: str, option: str) -> None:
    """Refuse a base that an adapter's configuration names by a path of another machine, or from another folder.

    Args:
        adapter: The adapter.
        base: Its base, as its configuration has it.
        option: How the user says where the base is.

    Raises:
        SafecotError: the base is a path, and not a folder here.

    >>> require_base("out/adapter", "Qwen/Qwen2.5-VL-3B-Instruct", "pretrained=BASE")
    """
    here = Path(base).expanduser()
    if here.is_dir():
        return
    relative = not here.is_absolute() and "\\" not in base and base[1:2] != ":"
    # A name with one slash may be a hub id; it is a path where it leads to a model from above the adapter.
    above = Path(adapter).expanduser().absolute().parents if relative else ()
    meant = next((each / base for each in above if (each / base / "config.json").is_file()), None)
    if relative and (meant is not None or is_path(base)):
        raise SafecotError(
            f"{adapter} names its base by a relative path, {base}; from here that is {Path(os.path.abspath(here))}, and no such "
            f"folder exists. Say where the base is with {option}"
            + (f" (perhaps {os.path.normpath(meant)})." if meant is not None else ".")
        )
    if is_path(base):
        raise SafecotError(f"The base of {adapter}, {base}, is not here; say where it is with {option}.")


def require_whole_there(name: str, what: str) -> None:
    """The same as :func:`require_there` of a whole model.

    Raises:
        SafecotError: it is neither, or an adapter.
    """
    require_there(name, what)
    folder = Path(name).expanduser()
    if (folder / ADAPTER_CONFIG).is_file() and not (folder / "config.json").is_file():
        base = adapter_config(folder).get("base_model_name_or_path") or "its base"
        raise SafecotError(
            f"{what} {name!r} is an adapter of {base}; give a whole model: that base, or both merged."
        )


def require_there(name: str, what: str) -> None:
    """Refuse a base or an adapter that can only be a folder and is none, or one without a model, before anything is imported for it.

    Args:
        name: Folder or hub id.
        what: What the user calls it.

    Raises:
        SafecotError: it is neither.

    >>> require_there("Qwen/Qwen2.5-VL-3B-Instruct", "Base model")
    """
    folder = Path(name).expanduser()
    absent = not folder.is_dir() and (folder.is_file() or is_path(name))
    if absent or (folder.is_dir() and _lacks_a_model(folder)):
        raise SafecotError(f"{what} {name!r}: {why_not(name)}.")


def why_not(name: str, error: BaseException | None = None) -> str:
    """Why a base or an adapter cannot be loaded, where the hub's own words would speak of something else.

    Args:
        name: Folder or hub id.
        error: What transformers or peft raised, if they were asked.

    Returns:
        Part of a sentence.

    >>> why_not("/no/such/base")
    'no such folder exists, and it is not a hub id (OWNER/NAME) either'
    """
    folder = Path(name).expanduser()
    said = " ".join(str(error or "").split())[:300]
    if folder.is_file():
        return "it is a file; give the folder that holds it"
    if folder.is_dir():
        return _lacks_a_model(folder) or said
    if is_path(name):
        return "no such folder exists, and it is not a hub id (OWNER/NAME) either"
    if reason := by_the_hub(error):
        return f"no such folder exists, and {reason}"
    return said


def by_the_hub(error: BaseException | None) -> str:
    """Why the hub did not give what was asked for, as part of a sentence; empty where the error is none of its client's."""
    kinds = set()
    while error is not None:
        kinds.add(type(error).__name__)
        error = error.__cause__ or error.__context__
    return next((reason for kind, reason in _BY_THE_HUB.items() if kind in kinds), "")


def is_kept(name: str, revision: str | None = None) -> bool:
    """Whether a model's configuration is on this machine: in a folder, or in the hub's cache."""
    return Path(name).expanduser().is_dir() or _cached(name, revision) is not None


def _lacks_a_model(folder: Path) -> str:
    """What is wrong with a folder that holds neither a model nor an adapter; empty if it holds one."""
    if any((folder / name).is_file() for name in ("config.json", ADAPTER_CONFIG)):
        return ""
    inside = [each for each in ("merged", "adapter") if (folder / each).is_dir()]
    hint = f"; give {folder / inside[0]}" if inside else ""
    return f"the folder holds no config.json{hint}"


def lacks_a_processor(base: str) -> str:
    """Which files of a processor a model's folder lacks, as a sentence; empty if it has them, or is no such folder.

    >>> lacks_a_processor("owner/name")
    ''
    """
    folder = Path(base).expanduser()
    if not (folder / "config.json").is_file():
        return ""
    lacking = [
        " or ".join(names)
        for names in (("processor_config.json", "preprocessor_config.json"), _TOKENIZERS)
        if not any((folder / name).is_file() for name in names)
    ]
    if not lacking:
        return ""
    return f"{base}: there is no {', and no '.join(lacking)}; save the processor beside the weights (processor.save_pretrained)."


_TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json", "tekken.json")

_BY_THE_HUB = {
    "HFValidationError": "it is not a hub id (OWNER/NAME) either",
    "GatedRepoError": "the hub lets only those in who have accepted its terms (`hf auth login`)",
    "RepositoryNotFoundError": "the hub has no model of that name either, or none that you may see (`hf auth login`)",
    "RevisionNotFoundError": "the hub's model of that name has no such revision",
    "OfflineModeIsEnabled": "the hub was not asked: HF_HUB_OFFLINE is set, and no copy is kept on this machine",
    "ConnectError": "the hub does not answer, nor is a copy kept on this machine",
    "ConnectTimeout": "the hub does not answer, nor is a copy kept on this machine",
    "LocalEntryNotFoundError": "the hub does not answer (or HF_HUB_OFFLINE is set), nor is a copy kept on this machine",
}
"""By the error of its client; the first that fits, since they are raised from one another."""


def is_path(name: str) -> bool:
    r"""Whether a model's name can only be a path; a hub id is ``owner/name``.

    >>> is_path("/data/run7/base"), is_path("D:\\run7\\base"), is_path("owner/name")
    (True, True, False)
    """
    return name.startswith((".", "/", "~")) or name.count("/") > 1 or "\\" in name or name[1:2] == ":"
