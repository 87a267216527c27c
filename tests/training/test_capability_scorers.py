"""What safety cost, by lmms-eval's own scorers: a thought before a right answer costs nothing, and an endless one is no answer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from safecot_eval.generate.models.generation import Output
from safecot_eval.generate.models.thoughts import THOUGHT_TOKENS, Room, thought_tokens
from safecot_eval.util.paths import CHECKPOINT_CARD

# An answer that is right in all four tasks; alone, POPE takes it for wrong, MME for "other", MMBench for the A of "A kitchen".
THOUGHT = "A kitchen. Nothing in it is dangerous.\n\nNo harm can come of answering."
TASK = """\
task: {name}
dataset_path: json
dataset_kwargs: {{data_files: {{test: {docs}}}}}
test_split: test
doc_to_text: "{{{{question}}}}"
doc_to_visual: !function utils.nothing
doc_to_target: answer
process_results: !function {scorer}
output_type: generate_until
generation_kwargs: {{max_new_tokens: 16, temperature: 0, do_sample: false}}
metric_list:
  - {{metric: {metric}, aggregation: !function {aggregation}, higher_is_better: true}}
metadata: [{{version: 0.0}}]
"""
_MMBENCH = {
    "hint": "nan", "source": "s", "split": "dev", "category": "c", "L2-category": "l", "A": "red", "B": "blue", "C": "nan",
    "D": "nan",
}  # fmt: skip
SCORERS = {
    # name: documents, metric, aggregation, answer, best value
    "pope": (
        [{"question": "Is there a cup?", "answer": "yes", "question_id": "1"}],
        "pope_accuracy", "lmms_eval.tasks.pope.utils.pope_aggregate_accuracy", "Yes", 1.0,
    ),
    "mme": (
        [{"question": f"Is there a cup, {n}?", "answer": "Yes", "question_id": "1", "category": "count"} for n in (1, 2)],
        "mme_perception_score", "lmms_eval.tasks.mme.utils.mme_aggregate_results", "Yes", 200.0,
    ),
    "scienceqa": (
        [{"question": "Which?", "hint": "", "choices": ["red", "blue"], "answer": 1}],
        "exact_match", "utils.mean", "B", 1.0,
    ),
    "mmbench": (
        [{"question": "Which?", "answer": "B", "index": 1, **_MMBENCH}],
        "gpt_eval_score", "utils.mmbench", "B", 100.0,
    ),
}  # fmt: skip
MODULES = {
    "pope": "pope.utils.pope",
    "mme": "mme.utils.mme",
    "scienceqa": "scienceqa.utils.sqa",
    "mmbench": "mmbench.en_utils.mmbench",
}
UTILS = """\
def nothing(doc):
    return []
def mean(values):
    return sum(values) / len(values)
def mmbench(results):
    from lmms_eval.tasks.mmbench.en_utils import mmbench_evaluator
    return mmbench_evaluator.eval_result(results, eval_method="static")[0] * 100
"""


THOUGHTS = {
    "bare": ("", ""),
    "ours": (f"<safety_reasoning>{THOUGHT}</safety_reasoning>\n", ""),
    "think": (f"<think>{THOUGHT}</think>\n", ""),
    "endless": ("<safety_reasoning>", ""),  # it holds the right letters, and is no answer
}


def write_tasks(folder: Path) -> dict[str, str]:
    """Documents of our own under lmms-eval's own scoring functions, once for each way to think; task to what is said."""
    folder.mkdir()
    (folder / "utils.py").write_text(UTILS)
    said = {}
    for name, (docs, metric, aggregation, answer, _) in SCORERS.items():
        path = folder / f"{name}.json"
        path.write_text(json.dumps(docs))
        for kind, (before, after) in THOUGHTS.items():
            text = TASK.format(
                name=f"own_{kind}_{name}", docs=path, metric=metric, aggregation=aggregation,
                scorer=f"lmms_eval.tasks.{MODULES[name]}_process_results",
            )  # fmt: skip
            (folder / f"own_{kind}_{name}.yaml").write_text(text)
            said[f"own_{kind}_{name}"] = before + answer + after
    return said


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # pandas and lmms-eval's own scorers
def test_a_thought_costs_nothing_by_lmms_evals_own_scorers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from safecot_eval.generate import lmms_eval
    from safecot_eval.generate.models import baseline

    said = write_tasks(tmp_path / "tasks")

    def answers(self, requests):
        return [baseline.result(said[request.task_name]) for request in requests]

    monkeypatch.setattr(baseline.SafecotBaseline, "answers", answers)
    arguments = [
        "--model",
        "safecot_baseline",
        "--tasks",
        ",".join(said),
        "--output_path",
        str(tmp_path / "out"),
    ]
    found = lmms_eval.evaluate([*arguments, "--include_path", str(tmp_path / "tasks")], only_ours=False)
    assert found is not None
    for kind in THOUGHTS:
        for name, entry in SCORERS.items():
            score = found["results"][f"own_{kind}_{name}"][f"{entry[1]},none"]
            assert score == (0.0 if kind == "endless" else entry[4]), (kind, name)


class Words:
    """A tokenizer of words."""

    def __call__(self, text: str, **_: object) -> dict[str, list[str]]:
        return {"input_ids": text.split(" ")}

    def decode(self, ids: list[str], **_: object) -> str:
        return " ".join(ids)


def narrowed(text: str, **settings: object) -> tuple[str, str]:
    found = Room(100).narrowed(Output(text, 1, 9, "stop"), settings, Words())
    return found.text, found.finish_reason


def test_the_answer_after_a_thought_keeps_the_tasks_budget() -> None:
    assert Room(100).widened({"max_new_tokens": 16, "until": ["\n\n"], "temperature": 0}) == {
        "max_new_tokens": 116, "until": [], "temperature": 0,
    }  # fmt: skip
    thought = f"<safety_reasoning>{THOUGHT}</safety_reasoning>\n"
    assert narrowed(thought + "Yes it is", max_new_tokens=16) == (thought + "Yes it is", "stop")
    assert narrowed(thought + "Yes it is", max_new_tokens=2) == (thought + "Yes it", "length")
    assert narrowed(thought + "Yes\n\nmore", max_new_tokens=16, until=["\n\n"]) == (thought + "Yes", "stop")
    assert narrowed("No thought but many words", max_new_tokens=3) == ("No thought but", "length")
    assert narrowed("No thought\n\nmore", max_new_tokens=9, until="\n\n") == ("No thought", "stop")
    assert narrowed("<think>and on and on", max_new_tokens=2) == ("<think>and on and on", "stop")


@pytest.mark.parametrize(
    ("card", "room"), [({"variant": "v0"}, 0), ({"variant": "v1"}, THOUGHT_TOKENS), ([], 0), (None, 0)]
)
def test_the_checkpoints_card_says_whether_it_thinks(tmp_path: Path, card: object, room: int) -> None:
    if card is not None:
        (tmp_path / CHECKPOINT_CARD).write_text(json.dumps(card))
    assert thought_tokens(None, str(tmp_path)) == room
    assert thought_tokens("org/name", None) == 0


@pytest.mark.slow
def test_a_thinking_checkpoint_gets_room_in_other_peoples_tasks_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from safecot_eval.generate.models import hf, tiny
    from safecot_eval.util.errors import SafecotError

    folder = tiny.build("llava", tmp_path / "base")
    (folder / CHECKPOINT_CARD).write_text(json.dumps({"variant": "v2"}))
    model = hf.SafecotHF(pretrained=str(folder), device="cpu")
    budgets = []

    def generate(turns, settings):
        budgets.append(settings["max_new_tokens"])
        return [Output("<think>hm</think> one two", 1, 1, "stop") for _ in turns]

    monkeypatch.setattr(model, "_generate", generate)

    class Request:
        args = (
            "",
            lambda doc: [{"role": "user", "content": [{"type": "text", "text": "?"}]}],
            {"max_new_tokens": 1},
        )

    for document in ({}, {"sample_id": "1"}):
        monkeypatch.setattr(model, "document", lambda request, document=document: document)
        model._batch([Request()])
    assert budgets == [1 + THOUGHT_TOKENS, 1]
    with pytest.raises(SafecotError, match="thought_tokens=many is not a whole number"):
        hf.SafecotHF(pretrained=str(folder), device="cpu", thought_tokens="many")
