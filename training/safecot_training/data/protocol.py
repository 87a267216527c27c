"""The recorded SafeCoT protocol: prompts, refusal sentences, templates and written thoughts, read from prepared data.

What is read here is in the public history of ``mjc-ma-01/mllm-safety-cot`` (commit eafa278). That it is the code of the
SafeCoT paper (arXiv 2506.08399) is inferred, not stated. It has no licence, so that none of it is part of this project:
``safecot data prepare safecot_runs safecot_training`` fetches it, and this module reads

========================================= ===========================================================================
``safecot_runs/protocol.json``            system line, the two prompts, the refusal sentences of each variant
``safecot_training/cot_templates.yaml``   templates of v1 by category
``safecot_training/v1.jsonl``             the order of the examples, the questions asked about MultiTrust's images
``safecot_training/v2_*.jsonl``           thoughts that VLMs wrote, each with the refusal after it
========================================= ===========================================================================
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from safecot_eval.benchmarks.data import roots
from safecot_eval.records.json_files import enumerate_jsonl
from safecot_eval.util import safe_yaml
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.files import read_json

NAME = "safecot"
PLACEHOLDER = "{A}"
PLAIN_VARIANT = "v0"
WRITERS = {
    "llama": ("v2_llama_mmsafetybench", "v2_llama_multitrust_nsfw", "v2_llama_multitrust_risk"),
    "qwenvl": ("v2_qwenvl",),
    "llavaguard": ("v2_llavaguard",),
}
"""Recorded files of v2 by their writer; two of the writers were shown MM-SafetyBench only."""


@dataclass(frozen=True, slots=True)
class Thought:
    """One recorded example of v2.

    Attributes:
        category: Of its image, in the spelling of :func:`pool_key`.
        target: The thought and the refusal after it, as they are.
        writer_prompt: What the writer was asked.
    """

    category: str
    target: str
    writer_prompt: str


@dataclass(frozen=True)
class Protocol:
    """What the recorded training data were made of.

    Attributes:
        system: First words of every user turn.
        prompts: ``cot`` and ``plain``, each with the placeholder ``{A}``.
        refusals: Sentences by variant.
        templates: v1's templates by category, in the spelling of :func:`pool_key`.
        questions: What is asked about MultiTrust's images.
        images: Names of the recorded examples' images, in their order.
        folder: Where the recorded examples are.
        digest: Hash of what was read, for the manifest.
    """

    system: str
    prompts: Mapping[str, str]
    refusals: Mapping[str, tuple[str, ...]]
    templates: Mapping[str, tuple[str, ...]]
    questions: tuple[str, ...]
    images: tuple[str, ...]
    folder: Path
    digest: str

    def prompt_name(self, variant: str, *, general: bool) -> str:
        """``plain`` for the safety half of v0, ``cot`` for everything else, the general half of v0 included."""
        return "plain" if variant == PLAIN_VARIANT and not general else "cot"

    def user_turn(self, prompt: str, question: str) -> str:
        """System line and prompt are joined without a space, as recorded."""
        return self.system + self.prompts[prompt].replace(PLACEHOLDER, question)

    def pool(self, category: str) -> tuple[str, ...]:
        """Templates of a category.

        Raises:
            SafecotError: the recorded templates have none.
        """
        key = pool_key(category)
        if key not in self.templates:
            raise SafecotError(
                f"{self.folder / 'cot_templates.yaml'}: no templates for {category!r} (looked for {key!r}); there "
                f"are: {', '.join(self.templates)}."
            )
        return self.templates[key]

    def thoughts(self, writer: str) -> dict[str, Thought]:
        """Recorded v2 examples of a writer, by :func:`image_key`.

        Raises:
            SafecotError: a file is missing or malformed.
        """
        found = {}
        for name in WRITERS[writer]:
            path = self.folder / f"{name}.jsonl"
            for number, row in enumerate_jsonl(_existing(path)):
                where = f"{path}, line {number}"
                image = _text(row, "image", where)
                found[image_key(image)] = Thought(
                    category=pool_key(PurePosixPath(image).parts[2 if image.startswith("mm-") else 3]),
                    target=_text(row, "target", where),
                    writer_prompt=_text(row, "writer_prompt", where),
                )
        return found


def image_key(name: str) -> str:
    """An image's recorded name without its ending: copies come in other formats.

    >>> image_key("mm-safetybench/imgs/07-Sex/SD/3.jpg")
    'mm-safetybench/imgs/07-Sex/SD/3'
    """
    return PurePosixPath(name).with_suffix("").as_posix()


def pool_key(category: str) -> str:
    """Spelling of a category among the recorded templates; MM-SafetyBench's own misspelling is taken for its meaning.

    >>> pool_key("04-Physical_Harm"), pool_key("01-Illegal_Activitiy"), pool_key("insulting_gesture")
    ('physical harm', 'illegal activity', 'insulting_gesture')
    """
    if not re.match(r"\d\d-", category):
        return category
    words = category.split("-", 1)[1].lower().replace("_", " ")
    return "illegal activity" if words == "illegal activitiy" else words


def load_protocol() -> Protocol:
    """Read the prepared data.

    Raises:
        SafecotError: they are not on this machine, or not as recorded (the file and the key are named).
    """
    facts_file = _existing(_folder("safecot_runs") / "protocol.json")
    folder = _folder("safecot_training")
    templates_file, examples_file = folder / "cot_templates.yaml", folder / "v1.jsonl"
    facts = read_json(facts_file)
    prompt = facts.get("prompt")
    if not isinstance(prompt, dict):
        raise SafecotError(f"{facts_file}: 'prompt' must be an object; prepare the data again.")
    where = f"{facts_file}, prompt"
    prompts = {name: _text(prompt, name, where) for name in ("cot", "plain")}
    for name, text in prompts.items():
        if text.count(PLACEHOLDER) != 1:
            raise SafecotError(f"{where}: {name!r} must hold {PLACEHOLDER} once, for the question.")
    images, questions = _examples(_existing(examples_file))
    digest = hashlib.sha256()
    for path in (facts_file, templates_file, examples_file):
        digest.update(_existing(path).read_bytes())
    return Protocol(
        system=_text(prompt, "system_part", where),
        prompts=prompts,
        refusals={
            variant: _texts(facts, f"refusals_{variant}", str(facts_file)) for variant in ("v0", "v1", "v2")
        },
        templates={
            key: _texts_of(value, key, templates_file)
            for key, value in safe_yaml.read_mapping(templates_file).items()
        },
        questions=questions,
        images=images,
        folder=folder,
        digest=digest.hexdigest(),
    )


def _folder(name: str) -> Path:
    found = roots.present(name)
    if found is None:
        raise SafecotError(
            f"--protocol {NAME} reads recorded templates and sentences from {name}/, which is not on this machine: run "
            f"`safecot data prepare {name}`, or put it below the folder that SAFECOT_DATA_DIR names."
        )
    return found


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise SafecotError(f"{path}: missing; run `safecot data prepare safecot_runs safecot_training`.")
    return path


def _examples(path: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Image names in order, and the distinct questions about MultiTrust's images in alphabetical order."""
    images, questions = [], set()
    for number, row in enumerate_jsonl(path):
        image = _text(row, "image", f"{path}, line {number}")
        images.append(image)
        if image.startswith("Multitrust/"):
            questions.add(_text(row, "question", f"{path}, line {number}"))
    if not questions:
        raise SafecotError(f"{path}: no example of MultiTrust; prepare the data again.")
    return tuple(images), tuple(sorted(questions))


def _text(record: Mapping[str, Any], key: str, where: str) -> str:
    value = record.get(key)
    if not isinstance(value, str) or not value:
        raise SafecotError(f"{where}: {key!r} must be a text; prepare the data again.")
    return value


def _texts(record: Mapping[str, Any], key: str, where: str) -> tuple[str, ...]:
    return _texts_of(record.get(key), key, Path(where))


def _texts_of(value: Any, key: str, path: Path) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(isinstance(text, str) and text for text in value):
        raise SafecotError(f"{path}: {key!r} must be a list of texts; prepare the data again.")
    return tuple(value)
