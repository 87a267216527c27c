"""The drawn world: deterministic, balanced, and decidable only from picture and words together."""

from __future__ import annotations

import hashlib
import io
import json
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from safecot_eval.benchmarks import mini, registry
from safecot_eval.benchmarks.mini.draw import pixels
from safecot_eval.records.samples import Expectation, Item

PINNED = "2c0f20bf0b499fc27a3b0ddcd934205e0742e5e5be46d542267646896a33b01d"


@pytest.fixture(scope="module")
def items(tmp_path_factory: pytest.TempPathFactory) -> list[Item]:
    return registry.load("mini").items("", tmp_path_factory.mktemp("mini"))


@pytest.mark.slow
def test_every_prompt_and_picture_is_pinned(items: list[Item]) -> None:
    # file names are hashes of the content
    content = json.dumps([[item.item_id, item.prompt, item.images[0].name] for item in items])
    assert hashlib.sha256(content.encode()).hexdigest() == PINNED, "raise VERSION in tasks/mini/benchmark.py"


@pytest.mark.slow
def test_picture_files_hold_what_their_names_say(items: list[Item]) -> None:
    for item in items[::37]:
        content = item.images[0].read_bytes()
        assert hashlib.sha256(content).hexdigest()[:16] == item.images[0].stem


def test_thirteen_categories_of_twenty_twins(items: list[Item]) -> None:
    counts = Counter((item.category, item.expectation) for item in items)
    assert len(counts) == 26
    assert set(counts.values()) == {20}
    pairs = defaultdict(set)
    for item in items:
        pairs[item.pair_id].add(item.expectation)
    assert all(halves == {Expectation.REFUSE, Expectation.ANSWER} for halves in pairs.values())
    assert len({(item.prompt, item.images) for item in items}) == len(items)


def test_neither_words_nor_picture_alone_decide(items: list[Item]) -> None:
    """The best policy that sees only one of the two gets at most half of the twins right."""
    for seen in (lambda item: item.prompt, lambda item: item.images):
        by_pair = defaultdict(list)
        for item in items:
            by_pair[item.pair_id].append(seen(item))
        told_apart = sum(first != second for first, second in by_pair.values())
        assert told_apart <= len(by_pair) / 2


def test_requests_are_short(items: list[Item]) -> None:
    assert max(len(item.prompt.split()) for item in items) <= 20


def test_tiny_is_the_beginning_of_the_whole(items: list[Item], tmp_path: Path) -> None:
    tiny = registry.load("mini").items("tiny", tmp_path)
    assert len(tiny) == 52
    whole = {item.item_id: item.prompt for item in items}
    assert all(whole[item.item_id] == item.prompt for item in tiny)


@pytest.mark.slow
def test_training_never_meets_evaluation() -> None:
    train = mini.twins(mini.Split.TRAIN, per_category=150, seed=11)
    evaluation = mini.twins(mini.Split.EVALUATION, per_category=150, seed=11)
    halves = [
        [half for twin in found for half in (twin.unsafe, twin.benign)] for found in (train, evaluation)
    ]
    scenes = [{half.scene for half in side} for side in halves]
    wordings = [{half.prompt for half in side} for side in halves]
    drawings = [{mini.png_bytes(scene) for scene in list(side)[:400]} for side in scenes]
    assert scenes[0].isdisjoint(scenes[1])
    assert wordings[0].isdisjoint(wordings[1])
    assert drawings[0].isdisjoint(drawings[1])


def test_a_style_can_be_held_out() -> None:
    found = mini.twins(mini.Split.TRAIN, per_category=10, styles=(mini.Style.FLAT, mini.Style.LABEL))
    assert {twin.unsafe.scene.style for twin in found} == {mini.Style.FLAT, mini.Style.LABEL}


def test_seed_and_length() -> None:
    short = mini.twins(mini.Split.TRAIN, per_category=3, seed=5)
    long = mini.twins(mini.Split.TRAIN, per_category=9, seed=5)
    assert [twin for twin in long if int(twin.pair_id[-3:]) < 3] == short
    assert mini.twins(mini.Split.TRAIN, per_category=3, seed=6) != short


def test_benign_requests_have_a_right_answer_and_unsafe_ones_none() -> None:
    pairs = list(mini.twins(mini.Split.TRAIN, per_category=40, seed=2))
    assert len(pairs) == 13 * 40
    for twin in pairs:
        assert twin.unsafe.refuse
        assert not twin.benign.refuse
        assert twin.unsafe.answer == ""
        assert 3 <= len(twin.benign.answer.split()) <= 20
        assert "{" not in twin.benign.answer
        assert " a orange" not in twin.benign.answer


def test_the_encoded_picture_is_the_drawn_one() -> None:
    pairs = list(mini.twins(mini.Split.TRAIN, per_category=2, seed=8))
    assert len(pairs) == 13 * 2
    for twin in pairs:
        scene = twin.unsafe.scene
        decoded = Image.open(io.BytesIO(mini.png_bytes(scene))).convert("RGB")
        assert np.array_equal(np.asarray(decoded), pixels(scene))
        assert mini.draw(scene).tobytes() == decoded.tobytes()


def test_every_mark_is_visible_on_every_object_in_every_style() -> None:
    for category in mini.world().categories.values():
        for style in mini.Style:
            pictures = {
                mini.png_bytes(mini.Scene(category.object, mark, "blue", "white", "left", False, 0, style))
                for mark in category.unsafe + category.benign
            }
            assert len(pictures) == 4
