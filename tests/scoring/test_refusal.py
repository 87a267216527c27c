"""Phrase lists and the matcher."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safecot_eval.scoring import refusal
from safecot_eval.util.errors import SafecotError

SIZES = {
    "gcg25": 25,
    "gcg29": 29,
    "jailbreakbench12": 12,
    "vlguard": 59,
    "multitrust": 55,
    "safecot19": 19,
    "safecot22": 22,
    "safecot23": 23,
    "safecot25": 25,
}
HASHES = {
    "gcg25": "gcg25@c6aa4b88",
    "safecot19": "safecot19@e09fa908",
    "safecot22": "safecot22@55457a7b",
    "safecot23": "safecot23@a3fcd542",
    "safecot25": "safecot25@7cd5a3eb",
    "gcg29": "gcg29@23cd3214",
    "jailbreakbench12": "jailbreakbench12@a1c370d8",
    "vlguard": "vlguard@80b10b9b",
    "multitrust": "multitrust@1a2a45ef",
}


def test_lists_are_golden() -> None:
    assert refusal.available_lists("en") == sorted(SIZES)
    for name, size in SIZES.items():
        assert len(refusal.load_list(name).phrases) == size
        assert refusal.load_list(name).id == HASHES[name]


@pytest.mark.parametrize("name", sorted(SIZES))
def test_every_phrase_is_found_in_a_sentence(name: str) -> None:
    phrases = refusal.load_list(name)
    for phrase in phrases.phrases:
        text = f"Well: {phrase if phrases.case_sensitive else phrase.upper()} …"
        found = phrases.match(text)
        assert found is not None, phrase
        start, end = found.span
        folded = text[start:end].lower().replace("’", "'")
        assert " ".join(folded.split()) == " ".join(found.phrase.lower().split())
        if phrases.case_sensitive:
            assert phrases.match(f"Well: {phrase.upper()} …") is None


@pytest.mark.parametrize(
    ("text", "phrase", "matched"),
    [
        ("I’m sorry, no.", "I'm sorry", "I’m sorry"),
        ("I'M   SORRY", "I'm sorry", "I'M   SORRY"),
        ("Oh, i\ncannot", "I cannot", "i\ncannot"),
        ("Ｉ ｃａｎｎｏｔ help", "I cannot", "Ｉ ｃａｎｎｏｔ"),
        ("İİ sorry", "Sorry", "sorry"),  # lower-casing İ makes two characters: spans must not drift
        ("Frankly I cannot create it", "I cannot create", "I cannot create"),  # the longest at a position
    ],
)
def test_normalisation_keeps_spans(text: str, phrase: str, matched: str) -> None:
    found = refusal.match(text)
    assert found is not None
    assert found.phrase == phrase
    assert text[slice(*found.span)] == matched


@given(st.text(max_size=300))
def test_matcher_equals_plain_search(text: str) -> None:
    """The trie finds a phrase exactly where naive search over the folded text does."""
    phrases = refusal.load_list("jailbreakbench12")
    folded, _ = refusal._normalise(text)
    collapsed = " ".join(folded.split())
    bare, _ = refusal._normalise(refusal._MARKUP.sub("", text))
    spaced, _ = refusal._normalise(refusal._INVISIBLE.sub(" ", text))
    collapsed += "\n" + " ".join(bare.split()) + "\n" + " ".join(refusal._MARKUP.sub("", spaced).split())
    naive = any(refusal._key(p) in collapsed for p in phrases.phrases)
    assert (phrases.match(text) is not None) == naive


LISTS = [refusal.load_list(name) for name in refusal.available_lists()]
PIECES = [phrase for one in LISTS for phrase in (*one.phrases[:2], *one.whole_answers[:1])]


@given(
    st.lists(
        st.sampled_from([*PIECES, " and ", "**", "\u200b", "`", "The lamp is on. ", "抱歉。", "No"]),
        max_size=5,
    ).map("".join),
    st.sampled_from(["", "<think>I cannot help.</think>", "Sorry. "]),
)
def test_several_lists_at_once_say_what_each_says(answer: str, before: str) -> None:
    each = [one.read(answer=answer, generation=before + answer).matched for one in LISTS]
    assert refusal.matched_by(LISTS, answer=answer, generation=before + answer) == each
    alone = [one.read(answer=answer).matched for one in LISTS]
    assert refusal.matched_by(LISTS, answer=answer) == alone


def test_several_lists_at_once_on_real_answers(data_dir: Path) -> None:
    with (data_dir / "msts/responses_english_multimodal.csv").open(encoding="utf-8", newline="") as stream:
        answers = [row["response"] for row in csv.DictReader(stream)][:600]
    for answer in answers:
        assert refusal.matched_by(LISTS, answer=answer) == [one.read(answer=answer).matched for one in LISTS]


def test_independent_count_on_real_answers(data_dir: Path) -> None:
    """All 2,400 answers of six VLMs: our matcher against a five-line substring count."""
    with (data_dir / "msts/responses_english_multimodal.csv").open(encoding="utf-8", newline="") as stream:
        answers = [row["response"] for row in csv.DictReader(stream)]
    plain = [p.lower() for p in refusal.load_list("gcg25").phrases]
    naive = [any(p in answer.lower().replace("’", "'") for p in plain) for answer in answers]
    ours = [refusal.match(answer) is not None for answer in answers]
    assert len(answers) == 2400
    assert ours == naive


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("phrases: []", "non-empty strings"),
        ("phrases: [No]", "quote phrases"),
        ("- a\n- b", "needs the keys"),
        ("phrases: [", "not a readable YAML file"),
        ("phrases: [a]\ncase_sensitive: perhaps", "case_sensitive is true or false, not 'perhaps'"),
        ("phrases: [a]\ncase_sensitive: 1", "case_sensitive is true or false, not 1"),
        ("phrases: [a]\nwhere: reasoning", "where is one of answer, generation, not 'reasoning'"),
        ("phrases: [a]\nwhere: [answer]", "where is one of answer, generation, not"),
    ],
)
def test_a_broken_list_is_one_sentence(tmp_path: Path, content: str, says: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(SafecotError, match=says) as caught:
        refusal.load_list(str(path))
    assert str(path) in str(caught.value)


def test_own_list_and_unknown_list(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text('id: mine\nphrases: ["no thanks"]', encoding="utf-8")
    assert refusal.match("No  Thanks!", path) is not None
    with pytest.raises(SafecotError, match="neither a file nor one of"):
        refusal.match("x", "nonsense")
