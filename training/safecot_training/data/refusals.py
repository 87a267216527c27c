"""Refusal sentences, one for each phrase of a list: a training target that refuses must be seen as a refusal."""

from __future__ import annotations

from pathlib import Path

from safecot_eval.scoring.refusal import DEFAULT_LIST, load_list
from safecot_eval.util import safe_yaml
from safecot_eval.util.errors import SafecotError
from safecot_training.data.examples import Example, stable_unit

REFUSALS = Path(__file__).parent / "refusal_sentences.yaml"


def load_refusals(refusal_list: str = DEFAULT_LIST, path: Path = REFUSALS) -> tuple[str, ...]:
    """One refusal sentence per phrase of a list, in its order.

    Raises:
        SafecotError: no such list, or a sentence that does not hold its phrase.
    """
    sentences = safe_yaml.read_mapping(path).get("sentences") or {}
    if not isinstance(sentences, dict):
        raise SafecotError(f"{path}: sentences must be a mapping of a phrase to its sentence.")
    refusals = []
    for phrase in load_list(refusal_list).phrases:
        sentence = str(sentences.get(phrase, phrase))
        if phrase.lower() not in sentence.lower():
            raise SafecotError(f"{path}: the sentence for {phrase!r} does not hold the phrase: {sentence!r}.")
        refusals.append(sentence)
    return tuple(refusals)


def choose_refusal(example: Example, refusals: tuple[str, ...], seed: int) -> str:
    """Choose a refusal for an example: the same one in every variant."""
    return choose(refusals, "refusal", seed, example.example_id)


def choose(wordings: tuple[str, ...], *parts: object) -> str:
    """Choose a wording by a hash of ``parts``: the same parts choose the same wording on every machine."""
    return wordings[int(stable_unit(*parts) * len(wordings))]
