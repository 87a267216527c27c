"""SafeMT's scripted dialogues as a model is asked them, and its turns with answers of the model's own."""

from __future__ import annotations

from pathlib import Path

from safecot_eval.benchmarks import catalogue, documents
from safecot_eval.generate.task import doc_to_messages
from safecot_eval.records.samples import Expectation


def test_the_scripted_dialogues_of_safemt(invented_as_written: Path) -> None:
    (item,) = catalogue.items_of("safecot_safemt_4turn")
    (doc,) = documents.documents("safecot_safemt_4turn")
    messages = doc_to_messages(doc)
    assert [message["role"] for message in messages] == ["user", "assistant"] * 3 + ["user"]
    assert messages[0]["content"][0]["type"] == "image"
    assert messages[-1]["content"] == [{"type": "text", "text": item.prompt}]
    own = catalogue.items_of("safecot_safemt_own")
    assert [one.category for one in own] == [f"turn {n}" for n in range(1, 9)]
    assert [one.expectation for one in own] == [Expectation.RESPOND_SAFELY] * 7 + [Expectation.REFUSE]
