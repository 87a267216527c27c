"""Reading recorded runs: what is read, and every kind of bad input with its sentence."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from safecot_eval.paper import question_sets
from safecot_eval.paper.findings import read_folder
from safecot_eval.paper.manifest import describe_gaps
from safecot_eval.paper.recorded import RecordedRun, parse_name, read_run
from safecot_eval.util.errors import SafecotError
from tests.paper.conftest import PAIRS, Line, Write, ood, siuo


def test_a_run_is_read_against_its_questions(invented: Path, write: Write) -> None:
    path = write("toy_1b__v1_new_data_1-1__ood", ood(3, 1)[4:])
    run = read_run(path, question_sets.load("ood"))
    assert (run.base, run.training, run.test.task) == (
        "toy_1b",
        "v1_new_data_1-1",
        "safecot_mssbench_chat_first",
    )
    assert [answer.position for answer in run.answers] == list(range(4, 2 * PAIRS))
    assert (run.not_run, run.gaps, run.unjudged) == (4, ((1, 4),), 0)
    assert describe_gaps([run]) == "items 1 to 4 are"


def test_separators_inside_an_answer_end_no_line(invented: Path, write: Write, tmp_path: Path) -> None:
    lines = ood(0, 0)
    lines[0]["answer"] = "one\u2028two\x85three\nfour"
    path = tmp_path / "toy__v0__ood.jsonl"
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")
    assert read_run(path, question_sets.load("ood")).answers[0].text == lines[0]["answer"]


def test_names_may_hold_anything_but_the_separator() -> None:
    assert parse_name(Path("a.b__nsfw+x_v1_nsfw__ood.jsonl")) == ("a.b", "nsfw+x_v1_nsfw", "ood")
    with pytest.raises(SafecotError, match="a recorded run is called <base>__<training>__<test>"):
        parse_name(Path("llama.jsonl"))


def _swap(lines: list[Line]) -> None:
    lines[2], lines[3] = lines[3], lines[2]


def _shift(lines: list[Line]) -> None:
    for line, other in zip(lines, [*lines[2:], *lines[:2]], strict=True):
        line["question"] = other["question"]


BAD: dict[str, tuple[Callable[[list[Line]], Any], str]] = {
    "out of order": (
        _swap,
        r"line 4: chat/2\.jpg comes before .* the answers are out of order; join the shards",
    ),
    "questions shifted": (
        _shift,
        r"line \d+: the question is not the one .* out of order, or of another version",
    ),
    "item twice": (
        lambda lines: lines.append(lines[5]),
        r"line 17: the item of chat/5\.jpg was answered in line 6",
    ),
    "probability over 1": (
        lambda lines: lines[1].update(judge_accept_probability=1.25),
        r"line 2: judge_accept_probability is 1\.25, not a number from 0 to 1",
    ),
    "negative probability": (
        lambda lines: lines[0].update(judge_accept_probability=-0.01),
        r"line 1: judge_accept_probability is -0\.01",
    ),
    "no number": (
        lambda lines: lines[0].update(judge_accept_probability=float("nan")),
        r"line 1: .* is nan, not",
    ),
    "a word": (lambda lines: lines[0].update(judge_accept_probability="0.5"), r"line 1: .* is '0\.5', not"),
    "unknown label": (
        lambda lines: lines[3].update(label="benign"),
        r"line 4: the label 'benign' is neither safe nor",
    ),
    "wrong label": (
        lambda lines: lines[3].update(label="safe"),
        r"line 4: chat/3\.jpg is not safe in MSSBench chat",
    ),
    "unknown picture": (
        lambda lines: lines[3].update(image="chat/99.jpg"),
        r"line 4: no item .* 'chat/99\.jpg'",
    ),
    "unknown prompt": (
        lambda lines: lines[3].update(prompt="long"),
        r"line 4: the prompt 'long' is neither cot nor",
    ),
    "no answer": (
        lambda lines: lines[3].pop("answer"),
        r"line 4: the field 'answer' is missing or not a text",
    ),
    "nothing": (lambda lines: lines.clear(), r"holds no answers"),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_runs_are_refused_with_their_line(kind: str, invented: Path, write: Write) -> None:
    change, sentence = BAD[kind]
    lines = ood(2, 1)
    change(lines)
    path = write("toy__v1__ood", lines)
    with pytest.raises(SafecotError, match=sentence) as caught:
        read_folder(path.parent)
    assert str(path) in str(caught.value)


def test_lines_that_are_no_objects(invented: Path, write: Write) -> None:
    path = write("toy__v1__ood", ood(2, 1))
    path.write_text(path.read_text(encoding="utf-8") + "{\n", encoding="utf-8")
    with pytest.raises(SafecotError, match=r"line 17: not a JSON object"):
        read_folder(path.parent)


def test_folders_without_runs(tmp_path: Path, invented: Path, write: Write) -> None:
    with pytest.raises(SafecotError, match="is not a folder; name one with recorded runs"):
        read_folder(tmp_path / "nowhere")
    with pytest.raises(SafecotError, match="no recorded runs"):
        read_folder(tmp_path / "runs")
    write("toy__v1__iid", ood(1, 1))
    with pytest.raises(SafecotError, match="there is no recorded test set 'iid'; there are ood and siuo"):
        read_folder(tmp_path / "runs")


def _manifest(folder: Path, *entries: dict[str, Any]) -> None:
    (folder / "manifest.json").write_text(json.dumps(list(entries)), encoding="utf-8")


def test_a_manifest_whose_file_is_not_there(invented: Path, write: Write) -> None:
    folder = write("toy__v1__ood", ood(1, 1)).parent
    _manifest(folder, {"file": "toy__v1__ood.jsonl"}, {"file": "toy__v2__ood.jsonl"})
    with pytest.raises(SafecotError, match=r"manifest\.json: names toy__v2__ood\.jsonl, which is not there"):
        read_folder(folder)


def test_a_run_that_lost_a_shard_the_manifest_knows_of(invented: Path, write: Write) -> None:
    folder = write("toy__v1__ood", [*ood(1, 1)[:4], *ood(1, 1)[8:]]).parent
    _manifest(folder, {"file": "toy__v1__ood.jsonl", "items": 16, "shards": "4 of 4"})
    with pytest.raises(
        SafecotError, match=r"12 answers, but manifest\.json names 16 \(4 of 4 shards\); items 5 to 8 are"
    ):
        read_folder(folder)
    _manifest(folder, {"file": "toy__v1__ood.jsonl", "items": 12, "shards": "3 of 4"})
    (run,) = read_folder(folder)[1]
    assert run.gaps == ((5, 8),)


@pytest.mark.parametrize(
    ("entry", "sentence"),
    [
        ({"file": "toy__v1__ood.jsonl", "judged": 3}, "16 judged, but manifest.json names 3"),
        ({"file": "toy__v1__ood.jsonl", "shards": "all"}, "'shards' is 'all'; write it as '3 of 4'"),
        ({"file": "toy__v1__ood.jsonl", "items": "16"}, "are whole numbers"),
        (
            {"file": "toy__v1__ood.jsonl", "recorded": {"final_scores.txt": 1}},
            "'recorded' is not an object of texts",
        ),
        ({"file": "../toy__v1__ood.jsonl"}, "'file' is not the name of a .jsonl file"),
    ],
)
def test_manifests_of_another_form(
    entry: dict[str, Any], sentence: str, invented: Path, write: Write
) -> None:
    folder = write("toy__v1__ood", ood(1, 1)).parent
    _manifest(folder, entry)
    with pytest.raises(SafecotError, match=sentence):
        read_folder(folder)
    _manifest(folder, {"file": "toy__v1__ood.jsonl"}, {"file": "toy__v1__ood.jsonl"})
    with pytest.raises(SafecotError, match="is named twice"):
        read_folder(folder)
    (folder / "manifest.json").write_text("{}", encoding="utf-8")
    with pytest.raises(SafecotError, match="a list of runs was expected, not dict"):
        read_folder(folder)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("[]", "a list of pairs under 'chat' was expected"),
        ('{"chat": [{"queries": []}]}', "chat 0: 'queries' is not a list that begins with a text"),
        (
            '{"chat": [{"queries": ["?"], "safe_image_path": "1.jpg"}]}',
            "the field 'unsafe_image_path' is missing",
        ),
        (
            '{"chat": [{"queries": ["?"], "safe_image_path": "1.jpg", "unsafe_image_path": "1.jpg"}]}',
            "belongs to two",
        ),
        ("{", "not valid JSON"),
    ],
)
def test_questions_of_another_layout(content: str, sentence: str, invented: Path) -> None:
    (invented / "mssbench" / "combined_first_queries.json").write_text(content, encoding="utf-8")
    with pytest.raises(SafecotError, match=sentence):
        question_sets.load("ood")


def test_the_official_file_comes_first(invented: Path, write: Write) -> None:
    first = invented / "mssbench" / "combined_first_queries.json"
    content = json.loads(first.read_text(encoding="utf-8"))
    for pair in content["chat"]:
        pair["queries"].append("And then?")
    (invented / "mssbench" / "combined.json").write_text(json.dumps(content), encoding="utf-8")
    first.unlink()
    found: RecordedRun = read_run(write("toy__v1__ood", ood(1, 1)), question_sets.load("ood"))
    assert len(found.answers) == 16
    (invented / "mssbench" / "combined.json").unlink()
    with pytest.raises(SafecotError, match="neither combined.json nor combined_first_queries.json is there"):
        question_sets.load("ood")


def test_siuo_is_all_unsafe(invented: Path, write: Write) -> None:
    run = read_run(write("toy__v2__siuo", siuo(2, 3)), question_sets.load("siuo"))
    assert {question.unsafe for question in run.test.questions} == {True}
    assert run.gaps == ((4, 5),)
    assert run.answers[0].prompt == ""
