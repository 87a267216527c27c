"""Answers find the item with the same text and picture, and nothing else."""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from safecot_eval.benchmarks import catalogue
from safecot_eval.generate.importing import Answer, Picture, match
from safecot_eval.generate.importing.index import AMBIGUOUS, NO_PROMPT, NO_TASK, OTHER_PICTURE, normal
from safecot_eval.generate.importing.pictures import picture
from safecot_eval.records.samples import Expectation, Item, Status
from safecot_eval.util.errors import SafecotError
from tests.generate.importing.conftest import TASK, reply


def text_item(number: int, prompt: str | None = None) -> Item:
    return Item(str(number), prompt or f"Question {number}?", "c", Expectation.ANSWER)


def shown(item: Item) -> tuple[Picture, ...]:
    return tuple(Picture(hashlib.sha256(path.read_bytes()).hexdigest()) for path in item.images)


@pytest.mark.slow
def test_prompt_and_picture_find_every_item(items: Sequence[Item]) -> None:
    answers = [
        Answer(f"row {n}", reply(n), prompt=f"<image>\r\n{item.prompt}  ", pictures=shown(item))
        for n, item in enumerate(items)
    ]
    found = match(list(reversed(answers)), {TASK: items})
    assert not found.left
    assert found.missing == {TASK: []}
    assert {name: a.response for name, a in found.answers[TASK].items()} == {
        item.item_id: reply(n) for n, item in enumerate(items)
    }
    assert found.how == {"prompt and picture": len(items)}


def test_one_prompt_with_two_pictures_needs_the_picture(items: Sequence[Item]) -> None:
    twins = [item for item in items if item.prompt == items[0].prompt]
    assert len(twins) > 1
    found = match(
        [
            Answer("row 1", "x", prompt=twins[0].prompt),
            Answer("row 2", "y", prompt=twins[0].prompt, pictures=(Picture("ab" * 32),)),
            Answer("row 3", "z", prompt=twins[0].prompt, pictures=shown(twins[1])),
            Answer("row 4", "z", prompt="Something else?"),
        ],
        {TASK: items},
    )
    assert list(found.answers[TASK]) == [twins[1].item_id]
    assert [(a.where, why) for a, why in found.left] == [
        ("row 1", AMBIGUOUS),
        ("row 2", OTHER_PICTURE),
        ("row 4", NO_PROMPT),
    ]
    assert len(found.missing[TASK]) == len(items) - 1


@pytest.mark.slow
def test_an_id_settles_what_the_prompt_leaves_open(items: Sequence[Item]) -> None:
    found = match([Answer("row 1", "x", prompt=items[1].prompt, item_id=items[1].item_id)], {TASK: items})
    assert list(found.answers[TASK]) == [items[1].item_id]


def test_an_id_alone_counts_only_with_its_task() -> None:
    task_names = {"safecot_a": [text_item(1), text_item(2)]}
    found = match([Answer("row 1", "x", item_id="2", task="safecot_a")], task_names)
    assert list(found.answers["safecot_a"]) == ["2"]
    with pytest.raises(SafecotError, match=NO_TASK):
        match([Answer("row 1", "x", item_id="2")], task_names)


@pytest.mark.slow
@pytest.mark.parametrize("category", ["02-HateSpeech", "hatespeech", "HateSpeech"])
def test_an_id_within_its_category_settles_it(category: str) -> None:
    items = [
        Item(f"{scenario}/{n}", prompt or f"{scenario} {n}?", scenario, Expectation.REFUSE, aliases=(str(n),))
        for scenario in ("01-Illegal_Activitiy", "02-HateSpeech")
        for n, prompt in ((1, "The same?"), (2, ""))
    ]
    by_prompt = Answer("row 1", "x", prompt="The same?", item_id="1", category=category)
    by_id = Answer("row 2", "y", item_id="2", category=category)
    found = match([by_prompt, by_id], {TASK: items}, ids_alone=True)
    assert {name: answer.where for name, answer in found.answers[TASK].items()} == {
        "02-HateSpeech/1": "row 1",
        "02-HateSpeech/2": "row 2",
    }
    with pytest.raises(SafecotError, match=AMBIGUOUS):  # a category that is none of theirs decides nothing
        match([replace(by_prompt, category="something else")], {TASK: items})


@pytest.mark.slow
def test_a_copy_encoded_anew_is_known_by_its_pixels(items: Sequence[Item]) -> None:
    item = items[0]
    with Image.open(item.images[0]) as image:
        stream = io.BytesIO()
        image.convert("RGB").save(stream, "BMP")
    again = picture(base64.b64encode(stream.getvalue()).decode(), ())
    assert again.sha256 not in {p.sha256 for p in shown(item)}
    found = match([Answer("row 1", "x", prompt=item.prompt, pictures=(again,))], {TASK: items})
    assert list(found.answers[TASK]) == [item.item_id]


def test_pictures_can_be_left_out_of_account() -> None:
    task_names = {"safecot_a": [text_item(1)]}
    answer = Answer("row 1", "x", prompt="Question 1?", pictures=(Picture("ab" * 32),))
    with pytest.raises(SafecotError, match="the picture is not"):
        match([answer], task_names)
    assert match([answer], task_names, pictures=False).how == {"prompt": 1}


@pytest.mark.slow
def test_the_task_that_is_filled_more_wins_and_a_tie_asks(items: Sequence[Item]) -> None:
    answers = [
        Answer(f"row {n}", reply(n), prompt=item.prompt, pictures=shown(item)) for n, item in enumerate(items)
    ]
    whole = catalogue.items_of("safecot_mini")
    found = match(answers, {"safecot_mini": whole, TASK: items})
    assert list(found.answers) == [TASK]
    with pytest.raises(SafecotError, match="--tasks"):
        match(answers, {"safecot_a": items, "safecot_b": items})
    answers[0] = Answer("row 0", "x", prompt=items[0].prompt, pictures=shown(items[0]), task="safecot_b")
    assert set(match(answers, {"safecot_a": items, "safecot_b": items[:1]}).answers) == {
        "safecot_a",
        "safecot_b",
    }


def test_answers_of_two_benchmarks_in_one_file() -> None:
    task_names = {
        "safecot_a": [text_item(n) for n in range(5)],
        "safecot_b": [text_item(n) for n in range(10, 13)],
    }
    answers = [Answer(f"row {n}", "x", prompt=f"Question {n}?") for n in (*range(5), *range(10, 13))]
    found = match(answers, task_names)
    assert {task: len(of_task) for task, of_task in found.answers.items()} == {"safecot_a": 5, "safecot_b": 3}


def test_two_answers_to_one_item() -> None:
    task_names = {"safecot_a": [text_item(1)]}
    same = [Answer("row 1", "x", prompt="Question 1?"), Answer("row 2", "x", prompt="Question 1?")]
    assert match(same, task_names).notes == [
        "safecot_a: 1 answer came twice, word for word; each counts once."
    ]
    other = Answer("row 3", "y", prompt="Question 1?")
    with pytest.raises(SafecotError, match=r"row 3: .*row 1"):
        match([same[0], other], task_names)
    with pytest.raises(SafecotError, match="row 3"):
        match([same[0], Answer("row 3", "x", prompt="Question 1?", status=Status.TRUNCATED)], task_names)


@given(st.text())
def test_normal_is_idempotent(text: str) -> None:
    assert normal(normal(text)) == normal(text)


def test_a_picture_file_beside_the_table(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"bytes")
    assert picture("a.png", (tmp_path,)).sha256 == hashlib.sha256(b"bytes").hexdigest()
    assert picture("b.png", (tmp_path,)).sha256 == ""
    assert picture("data:image/png;base64,!!", ()).sha256 == ""


@pytest.mark.parametrize("count", [3, 4])
def test_a_counter_that_starts_elsewhere_is_no_id(count: int) -> None:
    task_names = {"safecot_a": [text_item(n) for n in range(1, 5)]}
    shifted = [Answer(f"row {n}", f"{n}", item_id=str(n)) for n in range(count)]
    with pytest.raises(SafecotError, match="count from 0 to .* numbers from 1 to 4, .* column of prompts"):
        match(shifted, task_names, ids_alone=True)
    with pytest.raises(SafecotError, match="count from 1 to 5, .* numbers from 0 to 4"):
        match(
            [Answer(f"row {n}", f"{n}", item_id=str(n)) for n in range(1, 6)],
            {"safecot_a": [text_item(n) for n in range(5)]},
            ids_alone=True,
        )
    named = [replace(a, prompt=text_item(n + 1).prompt) for n, a in enumerate(shifted)]
    assert match(named, task_names, ids_alone=True).how == {"prompt": count}
    own = [Answer(f"row {n}", f"{n}", item_id=str(n)) for n in range(1, 4)]
    assert match(own, task_names, ids_alone=True).how == {"id": 3}


def test_what_word_makes_of_quotes_and_dashes_is_the_same_prompt() -> None:
    asked = text_item(1, 'What\'s "this" -- a cat... or not?')
    answer = Answer("row 1", "x", prompt="What\u2019s \u201cthis\u201d \u2013 a cat\u2026 or not?")
    assert match([answer], {"safecot_a": [asked]}).how == {"prompt": 1}
    back = match([replace(answer, prompt=asked.prompt)], {"safecot_a": [text_item(1, answer.prompt)]})
    assert back.how == {"prompt": 1}
    two = [asked, text_item(2, answer.prompt)]
    assert list(match([answer], {"safecot_a": two}).answers["safecot_a"]) == [
        "2"
    ]  # where it matters, it counts
