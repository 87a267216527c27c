"""How answers are drawn from a model: a YAML file with generation settings, for runs that follow somebody's protocol.

Tasks decode greedily. ``--decoding safecot`` draws as the recorded SafeCoT answers were drawn; a run with it has a row and,
on the page, columns of its own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from safecot_eval.util import safe_yaml
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.files import sha256_of

FOLDER = Path(__file__).parent / "decodings"
DEFAULT = "default"
"""Value of ``top_p`` and ``top_k`` that leaves them to the checkpoint, or to the server."""
SEED = 1234
"""The first seed where ``--seed`` gives none (lmms-eval's own for torch)."""
_OURS = ("safecot_hf", "safecot_openai")
_OPENAI = ("openai", "async_openai")
_KINDS: dict[str, tuple[type, ...]] = {
    "max_new_tokens": (int,),
    "do_sample": (bool,),
    "temperature": (int, float),
    "top_p": (int, float, str),
    "top_k": (int, str),
    "repetition_penalty": (int, float),
}


@dataclass(frozen=True)
class Decoding:
    """One way to draw answers.

    Attributes:
        id: What ``--decoding`` calls it.
        title: What the leaderboard adds to the model's name.
        protocol: The protocol that it belongs to.
        settings: lmms-eval's generation settings.
    """

    id: str
    title: str
    protocol: str
    settings: Mapping[str, Any]

    @property
    def sha256(self) -> str:
        """Hash of the settings."""
        content = json.dumps(dict(self.settings), sort_keys=True, ensure_ascii=True)
        return sha256_of(content)

    @property
    def sampled(self) -> bool:
        """Whether two answers to the same question may differ."""
        return bool(self.settings.get("do_sample", True)) and float(self.settings.get("temperature") or 0) > 0

    def gen_kwargs(self, model: str, seed: int) -> str:
        """lmms-eval's ``--gen_kwargs``.

        Only our back ends and the OpenAI clients take a seed per request; the others draw by lmms-eval's own ``--seed``.
        Only ours know the value ``default``; for others the task's ``top_p`` of 1 stands.

        >>> load("safecot").gen_kwargs("safecot_hf", 7)
        'max_new_tokens=500,do_sample=True,temperature=0.7,top_p=default,seed=7'
        >>> load("safecot").gen_kwargs("qwen2_5_vl", 7)
        'max_new_tokens=500,do_sample=True,temperature=0.7'
        """
        given = dict(self.settings)
        if model not in _OURS:
            given = {name: value for name, value in given.items() if value != DEFAULT}
        if self.sampled and model in (*_OURS, *_OPENAI):
            given["seed"] = seed
        return ",".join(f"{name}={value}" for name, value in given.items())


def names() -> list[str]:
    """Ids of the decodings that come with the package."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def load(asked: str) -> Decoding:
    """Read a decoding.

    Args:
        asked: An id, or a YAML file of the user's own.

    Raises:
        SafecotError: there is none of this name, or the file is none.
    """
    path = Path(asked).expanduser() if asked.endswith((".yaml", ".yml")) else FOLDER / f"{asked}.yaml"
    if not path.is_file():
        raise SafecotError(
            f"--decoding: there is no {asked!r}; there is {', '.join(names())}, or give a YAML file."
        )
    try:
        content = safe_yaml.load(path.read_text(encoding="utf-8"))
        settings = _settings(content["settings"])
        name = str(content["id"])
        return Decoding(name, str(content["title"]), str(content.get("protocol") or name), settings)
    except (yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise SafecotError(
            f"{path}: not a decoding ({reason}); it needs id, title and settings ({', '.join(_KINDS)})."
        ) from error


def _settings(given: Mapping[str, Any]) -> dict[str, Any]:
    for name, value in given.items():
        kinds = _KINDS.get(name)
        if kinds is None:
            raise ValueError(f"there is no setting {name!r}")
        is_kind = isinstance(value, kinds) and not (isinstance(value, bool) and bool not in kinds)
        if not is_kind or (isinstance(value, str) and value != DEFAULT):
            raise ValueError(f"{name} cannot be {value!r}")
    if not given.get("max_new_tokens", 1) > 0:
        raise ValueError(f"max_new_tokens cannot be {given['max_new_tokens']!r}")
    if not 0 <= given.get("temperature", 0) < float("inf"):
        raise ValueError(f"temperature cannot be {given['temperature']!r}")
    return dict(given)


def protocol_of(prompt: str, decoding: str) -> str:
    """What sets a run apart from runs with the benchmark's own prompt and greedy answers; empty for those.

    Args:
        prompt: The preset's protocol.
        decoding: The decoding's.

    >>> protocol_of("safecot", "safecot"), protocol_of("safecot", ""), protocol_of("", "safecot"), protocol_of("", "")
    ('safecot', 'safecot prompt', 'safecot decoding', '')
    """
    if prompt == decoding:
        return prompt
    parts = [f"{prompt} prompt"] if prompt else []
    return ", ".join([*parts, f"{decoding} decoding"] if decoding else parts)
