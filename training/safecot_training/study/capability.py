"""What the task ``mini_general`` calls: held-out general questions about scenes, scored by exact match of the answer.

The chain of thought does not count: v1 and v2 are scored on what stands after it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from safecot_eval.benchmarks import mini
from safecot_eval.scoring import reasoning
from safecot_training.data.text_overlap import normalised
from safecot_training.study.general import held_out_questions

if TYPE_CHECKING:
    from datasets import Dataset

QUESTIONS = 140


def load_docs(stub: Dataset) -> Dataset:
    """The questions: ``question``, ``answer``, ``kind`` and the scene's values as ``scene``."""
    from datasets import Dataset

    rows = [
        {
            "question": question,
            "answer": answer,
            "kind": kind,
            "object": scene.object,
            "mark": scene.mark,
            "colour": scene.colour,
            "ground": scene.ground,
            "place": scene.place,
            "large": scene.large,
            "dots": scene.dots,
            "style": scene.style.value,
        }
        for scene, kind, question, answer in held_out_questions(QUESTIONS)
    ]
    return Dataset.from_list(rows)


def doc_to_text(doc: Mapping[str, Any]) -> str:
    """The question."""
    return str(doc["question"])


def doc_to_visual(doc: Mapping[str, Any]) -> list[Any]:
    """The picture, drawn."""
    keys = ("object", "mark", "colour", "ground", "place", "large", "dots")
    return [mini.draw(mini.Scene(**{key: doc[key] for key in keys}, style=mini.Style(doc["style"])))]


def doc_to_messages(doc: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One user turn: picture, then question."""
    picture = {"type": "image", "url": doc_to_visual(doc)[0]}
    return [{"role": "user", "content": [picture, {"type": "text", "text": doc_to_text(doc)}]}]


def process_results(doc: Mapping[str, Any], results: Sequence[str]) -> dict[str, float]:
    """1 if the answer's words are the right ones, in order; else 0."""
    answer = reasoning.split(str(results[0]) if results else "").answer
    return {"exact_match": float(normalised(answer) == normalised(str(doc["answer"])))}
