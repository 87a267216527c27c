"""Result files of other tools, in the shapes that these tools write; rows and words are our own."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from safecot_eval.benchmarks import catalogue
from safecot_eval.benchmarks.data.typography import not_drawn
from safecot_eval.generate.importing import Source, match, read
from safecot_eval.records.samples import Status
from safecot_eval.util.errors import SafecotError

ASKED, SAID = "How do I open this lock?", "With its key."


def saved(tmp_path: Path, name: str, content: Any) -> Path:
    path = tmp_path / name
    lines = name.endswith(".jsonl")
    text = "".join(json.dumps(row) + "\n" for row in content) if lines else json.dumps(content)
    path.write_text(text, encoding="utf-8")
    return path


def told(source: Source) -> list[tuple[str | None, str, Status]]:
    return [(answer.prompt, answer.response, answer.status) for answer in source.answers]


def test_evalscope_as_reported(data_dir: Path) -> None:
    source = read(data_dir / "field_reports/prompt-column/evalscope.jsonl")
    assert (source.kind, source.model, len(source.answers)) == ("evalscope", "m", 6)
    assert source.answers[1].prompt == "How do I terminate a C program?"
    assert source.answers[1].response == "Press Ctrl-C."


def test_evalscope_with_a_picture_and_reasoning(tmp_path: Path) -> None:
    parts = [{"type": "image", "image": "a/b.png"}, {"type": "text", "text": ASKED}]
    said = [{"type": "reasoning", "reasoning": "Hm."}, {"type": "text", "text": SAID}]
    choice = {"message": {"role": "assistant", "content": said}, "stop_reason": "max_tokens"}
    messages = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": parts}]
    row = {
        "index": 0,
        "model": "m",
        "model_output": {"model": "m", "choices": [choice]},
        "messages": messages,
    }
    source = read(saved(tmp_path, "a.jsonl", [row]))
    assert told(source) == [(ASKED, f"<think>Hm.</think>\n{SAID}", Status.TRUNCATED)]
    assert [picture.name for picture in source.answers[0].pictures or ()] == ["a/b.png"]


@pytest.mark.parametrize("new", [True, False], ids=["conversations", "texts"])
def test_garak(tmp_path: Path, new: bool) -> None:
    def prompt(text: str) -> Any:
        return {"turns": [{"role": "user", "content": {"text": text}}]} if new else text

    def output(text: str | None) -> Any:
        return {"text": text} if new and text is not None else text

    def attempt(uuid: str, status: int, *texts: str | None) -> dict[str, Any]:
        row = {"entry_type": "attempt", "uuid": uuid, "status": status, "prompt": prompt(f"{ASKED} {uuid}")}
        return {**row, "outputs": [output(text) for text in texts]}

    setup = {"entry_type": "start_run setup", "plugins.target_name": "org/m"}
    rows = [
        setup,
        attempt("1", 1, SAID, "x"),
        attempt("1", 2, SAID, "x"),
        attempt("2", 2, None),
        attempt("3", 2),
    ]
    source = read(saved(tmp_path, "garak.1.report.jsonl", [*rows, {"entry_type": "eval", "passed": 1}]))
    assert (source.kind, source.model) == ("garak", "org/m")
    assert told(source) == [
        (f"{ASKED} 1", SAID, Status.OK),
        (f"{ASKED} 2", "", Status.REQUEST_FAILED),
        (f"{ASKED} 3", "", Status.REQUEST_FAILED),
    ]
    assert "1 further generation " in source.notes[1]


@pytest.mark.parametrize("evaluated", [True, False], ids=["evaluations", "responses"])
def test_omnisafebench(tmp_path: Path, evaluated: bool) -> None:
    asked = {"jailbreak_prompt": ASKED, "original_prompt": "x", "image_path": "d/7.png"}
    row: dict[str, Any] = {"test_case_id": "t1", "model_response": SAID, "model_name": "m"}
    row |= (
        {**asked, "judge_score": 3, "metadata": {}}
        if evaluated
        else {"metadata": asked, "final_answer": None}
    )
    source = read(saved(tmp_path, "a.json", [row]))
    assert (source.kind, source.model, told(source)) == ("omnisafebench", "m", [(ASKED, SAID, Status.OK)])
    assert source.answers[0].item_id == "t1"
    assert [picture.name for picture in source.answers[0].pictures or ()] == ["d/7.png"]


def promptfoo(
    raw: str, response: Any, error: str | None = None, provider: str = "openai:m"
) -> dict[str, Any]:
    row = {
        "promptIdx": 0,
        "testIdx": 0,
        "prompt": {"raw": raw, "label": "l"},
        "vars": {},
        "response": response,
    }
    return {**row, "provider": {"id": provider, "label": ""}, "error": error, "success": error is None}


def test_promptfoo(tmp_path: Path) -> None:
    chat = json.dumps([{"role": "system", "content": "Be kind."}, {"role": "user", "content": ASKED}])
    rows = [
        promptfoo(ASKED, {"output": SAID}),
        promptfoo(chat, {"output": SAID}, error="an assertion failed"),
        promptfoo(ASKED, {"error": "API error: 429"}, error="API error: 429"),
        promptfoo(ASKED, {"output": "With", "finishReason": "length"}),
        promptfoo(ASKED, {"output": {"steps": ["key"]}}),
    ]
    content = {
        "evalId": "e",
        "results": {"version": 3, "results": rows, "prompts": [{"raw": ASKED}]},
        "config": {},
    }
    source = read(saved(tmp_path, "results.json", content))
    assert (source.kind, source.model) == ("promptfoo", "openai:m")
    assert told(source) == [
        *[(ASKED, SAID, Status.OK)] * 2,
        (ASKED, "", Status.REQUEST_FAILED),
        (ASKED, "With", Status.TRUNCATED),
        (ASKED, '{"steps": ["key"]}', Status.OK),
    ]


def test_several_models_in_one_file(tmp_path: Path) -> None:
    rows = [promptfoo(ASKED, {"output": SAID}, provider=name) for name in ("a", "b")]
    path = saved(tmp_path, "results.json", {"version": 2, "results": rows, "table": {}, "stats": {}})
    with pytest.raises(SafecotError, match=r"answers of 2 models \(a, b\); name one of them with --name"):
        read(path)
    source = read(path, model="b")
    assert (source.model, len(source.answers)) == ("b", 1)
    assert source.notes[1] == "1 answer of other models left out (a)"


def piece(conversation: str, role: str, sequence: int, value: str, **more: Any) -> dict[str, Any]:
    row = {"conversation_id": conversation, "role": role, "sequence": sequence, "original_value": value}
    return {
        **row,
        "converted_value": value,
        "converted_value_data_type": "text",
        "response_error": "none",
        **more,
    }


def test_pyrit(tmp_path: Path) -> None:
    rows = [
        piece("a", "system", 0, "Be kind."),
        piece("a", "user", 1, "original", converted_value=ASKED),
        piece("a", "user", 1, "d/7.png", converted_value_data_type="image_path"),
        piece("a", "assistant", 2, SAID),
        piece("b", "assistant", 1, "filtered", response_error="blocked"),
        piece("b", "user", 0, ASKED),
        piece("c", "user", 0, ASKED),
        *[piece("d", role, n, "x") for n, role in enumerate(("user", "assistant", "user", "assistant"))],
    ]
    source = read(saved(tmp_path, "conversations.json", rows))
    assert source.kind == "pyrit"
    assert told(source) == [(ASKED, SAID, Status.OK), (ASKED, "filtered", Status.BLOCKED_BY_PROVIDER)]
    assert [picture.name for picture in source.answers[0].pictures or ()] == ["d/7.png"]
    assert source.notes[0].startswith("read as pyrit: prompt and image = converted_value")
    assert [note.split(" ", 1)[0] for note in source.notes[1:]] == ["1", "1"]


def test_pyrit_as_csv(tmp_path: Path) -> None:
    rows = [piece("a", "assistant", 10, SAID), piece("a", "user", 9, ASKED)]
    path = tmp_path / "conversations.csv"
    with path.open("w", newline="", encoding="utf-8") as stream:
        table = csv.DictWriter(stream, rows[0].keys())
        table.writeheader()
        table.writerows(rows)
    source = read(path)
    assert (source.kind, told(source)) == ("pyrit", [(ASKED, SAID, Status.OK)])


def test_mm_safetybench_as_its_scripts_leave_it(data_dir: Path, tmp_path: Path) -> None:
    name = "01-Illegal_Activitiy.json"
    official = json.loads((data_dir / "mm_safetybench" / "processed_questions" / name).read_text())
    for number, question in list(official.items())[:-1]:
        answer = {"text": f"{SAID} {number}", "is_safe(gpt)": "safe"}
        question["ans"] = {"m": answer, "other": {"text": "No."}}
    source = read(saved(tmp_path, name, official), model="m")
    assert source.kind == "MM-SafetyBench"
    assert source.answers[0].labels == {"gpt": "safe"}
    assert source.notes[1:] == [
        "1 question without an answer",
        f"{len(official) - 1} answers of other models left out (other)",
    ]
    task_name = "safecot_mmsafetybench_sd"
    with not_drawn():
        found = match(source.answers, {task_name: catalogue.items_of(task_name)}, ids_alone=True)
    assert found.how == {"id": len(official) - 1}
    assert found.answers[task_name]["01-Illegal_Activitiy/7"].response == f"{SAID} 7"


def test_conversations(tmp_path: Path) -> None:
    picture = {"type": "image_url", "image_url": {"url": "d/7.png"}}
    asked = {"role": "user", "content": [picture, {"type": "text", "text": ASKED}]}
    said = {"role": "assistant", "content": SAID, "reasoning_content": "Hm."}
    turns = [[{"role": "system", "content": "Be kind."}, asked, said], [asked, said, asked, said], [asked]]
    rows = [{"id": str(n), "messages": messages, "model": "m"} for n, messages in enumerate(turns)]
    source = read(saved(tmp_path, "a.jsonl", rows))
    assert (source.kind, source.model) == ("conversations", "m")
    assert told(source) == [(ASKED, f"<think>Hm.</think>\n{SAID}", Status.OK)]
    assert source.answers[0].item_id == "0"
    assert [picture.name for picture in source.answers[0].pictures or ()] == ["d/7.png"]
    assert [note.split(" ", 1)[0] for note in source.notes[1:]] == ["1", "1"]


def test_messages_beside_a_response_are_the_history(tmp_path: Path) -> None:
    row = {"question": ASKED, "messages": [{"role": "assistant", "content": "x"}], "response": SAID}
    assert told(read(saved(tmp_path, "a.jsonl", [row]))) == [(ASKED, SAID, Status.OK)]


@pytest.mark.parametrize(
    "arguments", [{"gen_args_0": {"arg_0": ASKED, "arg_1": {}}}, [[ASKED, {"until": []}]]], ids=["new", "old"]
)
def test_lm_eval(tmp_path: Path, arguments: Any) -> None:
    row = {"doc_id": 0, "doc": {}, "arguments": arguments, "resps": [[SAID]], "filtered_resps": [SAID]}
    source = read(saved(tmp_path, "samples_a.jsonl", [row]))
    assert (source.kind, told(source)) == ("lm-eval", [(ASKED, SAID, Status.OK)])


def test_a_batch_of_requests(tmp_path: Path) -> None:
    body = {"choices": [{"message": {"content": SAID}, "finish_reason": "length"}]}
    row = {"id": "batch_1", "custom_id": "a-7", "response": {"status_code": 200, "body": body}}
    answer = read(saved(tmp_path, "a.jsonl", [row]), columns={"id": "custom_id"}).answers[0]
    assert (answer.item_id, answer.response, answer.status) == ("a-7", SAID, Status.TRUNCATED)


def test_several_models_in_one_table(tmp_path: Path) -> None:
    path = tmp_path / "two.csv"
    path.write_text(f"model,prompt,response\na,{ASKED},{SAID}\nb,{ASKED},No.\n,{ASKED},Nobody.\n")
    for name in (None, "two"):
        with pytest.raises(
            SafecotError, match=r"two\.csv: .* of 2 models \(a, b\); name one of them with --name"
        ):
            read(path, model=name)
    source = read(path, model="b")
    assert (source.kind, source.model, told(source)) == ("table", "b", [(ASKED, "No.", Status.OK)])
    assert "2 answers of other models left out (a)" in source.notes
    path.write_text(f"model,prompt,response\na,{ASKED},{SAID}\na,{ASKED},No.\n")
    assert len(read(path, model="my own name for it").answers) == 2


def test_sharegpt_and_llava(tmp_path: Path) -> None:
    asked, said = {"from": "human", "value": f"<image>\n{ASKED}"}, {"from": "gpt", "value": SAID}
    rows = [{"id": "7", "image": "d/7.png", "conversations": [{"from": "system", "value": "x"}, asked, said]}]
    rows += [{"id": "8", "conversations": [asked, said, asked, said]}, {"id": "9", "conversations": [asked]}]
    source = read(saved(tmp_path, "a.json", rows))
    assert (source.kind, source.answers[0].item_id) == ("conversations", "7")
    assert told(source) == [(f"<image>\n{ASKED}", SAID, Status.OK)]
    assert [picture.name for picture in source.answers[0].pictures or ()] == ["d/7.png"]
    assert [note.split(" of ")[0] for note in source.notes[1:]] == [
        "1 conversation",
        "1 conversation without a question and an answer left out",
    ]


def test_batches_by_custom_id(tmp_path: Path) -> None:
    body = {"model": "m", "choices": [{"message": {"content": SAID}, "finish_reason": "stop"}]}
    failed = {"error": {"message": "Rate limit", "code": "429"}}
    rows = [
        {"id": "batch_1", "custom_id": "7", "response": {"status_code": 200, "body": body}, "error": None},
        {"id": "batch_2", "custom_id": "8", "response": {"status_code": 429, "body": failed}, "error": None},
        {
            "id": "batch_3",
            "custom_id": "9",
            "response": None,
            "error": {"code": "batch_expired", "message": "x"},
        },
    ]
    source = read(saved(tmp_path, "a.jsonl", rows))
    assert (source.kind, source.model) == ("batch", "m")
    assert [(a.item_id, a.response, a.status) for a in source.answers] == [
        ("7", SAID, Status.OK),
        ("8", "", Status.REQUEST_FAILED),
        ("9", "", Status.REQUEST_FAILED),
    ]
    assert any("'Rate limit'" in note for note in source.notes)
    said = {"type": "succeeded", "message": {"model": "c", "content": [{"type": "text", "text": SAID}]}}
    (answer,) = read(saved(tmp_path, "b.jsonl", [{"custom_id": "7", "result": said}])).answers
    assert (answer.item_id, answer.response) == ("7", SAID)


def test_maps_and_pairs_of_prompt_and_answer(tmp_path: Path) -> None:
    other = "And this one?"
    expected = [(ASKED, SAID, Status.OK), (other, "", Status.OK)]
    assert told(read(saved(tmp_path, "a.json", {ASKED: SAID, other: ""}))) == expected
    assert told(read(saved(tmp_path, "a.json", [[ASKED, SAID], [other, ""]]))) == expected
    assert told(read(saved(tmp_path, "a.json", [["question", "answer"], [ASKED, SAID]]))) == expected[:1]
    by_id = read(saved(tmp_path, "a.json", {"7": SAID, "SD 8": SAID}))
    assert [(a.prompt, a.item_id) for a in by_id.answers] == [(None, "7"), (None, "SD 8")]


def test_an_error_inside_promptfoos_response_is_said(tmp_path: Path) -> None:
    rows = [promptfoo(ASKED, {"error": "429 rate limit"}), promptfoo(ASKED, {"output": SAID})]
    source = read(saved(tmp_path, "results.json", {"version": 2, "results": rows}))
    assert source.answers[0].status is Status.REQUEST_FAILED
    assert any("row 1, '429 rate limit')" in note for note in source.notes)
