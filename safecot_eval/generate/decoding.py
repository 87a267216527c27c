"""How answers are drawn from a model: a YAML file with generation settings, for runs that follow somebody's protocol.

Tasks decode greedily. ``--decoding safecot`` draws as the recorded SafeCoT answers were drawn; a run with it has a row and,
on the page, columns of its own.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, StrictBool, StrictFloat, StrictInt

from safecot_eval.util.errors import SafecotError
from safecot_eval.util.files import sha256_of
from safecot_eval.util.settings import Settings

FOLDER = Path(__file__).parent / "decodings"
HELP = "docs/safecot-protocol.md"
DEFAULT = "default"
"""Value of ``top_p`` and ``top_k`` that leaves them to the checkpoint, or to the server."""
SEED = 1234
"""The first seed where ``--seed`` gives none (lmms-eval's own for torch)."""
_OURS = ("safecot_hf", "safecot_openai")
_OPENAI = ("openai", "async_openai")
Positive = Annotated[StrictInt, Field(gt=0)]
Number = Annotated[StrictFloat, Field(ge=0, allow_inf_nan=False)]


class Sampling(Settings):
    """lmms-eval's generation settings; what is absent is left to the task."""

    what: ClassVar[str] = "decoding"
    help: ClassVar[str] = HELP

    max_new_tokens: Positive | None = None
    do_sample: StrictBool | None = None
    temperature: Number | None = None
    top_p: Number | Literal["default"] | None = None
    top_k: StrictInt | Literal["default"] | None = None
    repetition_penalty: Number | None = None


class Decoding(Settings):
    """One way to draw answers.

    Attributes:
        id: What ``--decoding`` calls it.
        title: What the leaderboard adds to the model's name.
        protocol: The protocol that it belongs to; its id if none is given.
        sampling: The settings, under the key ``settings``.
    """

    what: ClassVar[str] = "decoding"
    help: ClassVar[str] = HELP

    id: str
    title: str
    protocol: str = Field(default_factory=lambda data: data["id"])
    sampling: Sampling = Field(alias="settings")

    @property
    def settings(self) -> dict[str, Any]:
        """The settings that it gives, by their names in lmms-eval."""
        return self.sampling.model_dump(exclude_unset=True)

    @property
    def sha256(self) -> str:
        """Hash of the settings."""
        content = json.dumps(self.settings, sort_keys=True, ensure_ascii=True)
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
        given = self.settings
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
    if asked.endswith((".yaml", ".yml")):
        return Decoding.read(Path(asked).expanduser())
    path = FOLDER / f"{asked}.yaml"
    if not path.is_file():
        raise SafecotError(
            f"--decoding: there is no {asked!r}; there is {', '.join(names())}, or give a YAML file."
        )
    return Decoding.read(path)


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
