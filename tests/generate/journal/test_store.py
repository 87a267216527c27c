"""The journal's files."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safecot_eval.generate.journal import store
from safecot_eval.generate.journal.lock import hold
from safecot_eval.generate.journal.store import Answer, Journal
from safecot_eval.util.errors import SafecotError

ANSWERS = [
    (f"{n:032x}", Answer(f"answer {n} é \ud800", "stop" if n % 2 else None, (3, n, None) if n % 3 else None))
    for n in range(20)
]


@given(st.text(), st.none() | st.text(), st.none() | st.tuples(*[st.none() | st.integers(0, 10**9)] * 3))
@settings(max_examples=200, deadline=None)
def test_a_line_is_read_as_written(text, finish, tokens) -> None:
    answer = Answer(text, finish, tokens)
    assert store.parse_line(store.write_line("k", answer)) == ("k", answer)


def test_answers_survive_closing(tmp_path: Path) -> None:
    with Journal(tmp_path, "m") as journal:
        journal.append(ANSWERS[:7])
        journal.append(ANSWERS[7:])
        assert journal.get(ANSWERS[3][0]) == ANSWERS[3][1]
    with Journal(tmp_path, "m") as journal:
        assert len(journal) == 20
        assert all(journal.get(key) == answer for key, answer in ANSWERS)
        assert journal.get("other") is None
    with Journal(tmp_path, "another-model") as journal:
        assert len(journal) == 0


def test_every_process_reads_all_parts(tmp_path: Path) -> None:
    with Journal(tmp_path, "m", part=0) as zero, Journal(tmp_path, "m", part=1) as one:
        zero.append(ANSWERS[:10])
        one.append(ANSWERS[10:])
    with Journal(tmp_path, "m", part=1) as journal:
        assert len(journal) == 20
        journal.append([("new", Answer("x"))])
        assert journal.get("new") == Answer("x")


def test_cut_anywhere_keeps_all_whole_lines(tmp_path: Path) -> None:
    with Journal(tmp_path, "m") as journal:
        journal.append(ANSWERS)
        path = journal.path
    whole = path.read_bytes()
    draw = random.Random(7)
    for cut in [0, 1, len(whole) - 1, *(draw.randrange(len(whole)) for _ in range(60))]:
        path.write_bytes(whole[:cut])
        with Journal(tmp_path, "m") as journal:
            expected = whole[:cut].count(b"\n")
            assert len(journal) == expected
            assert journal.damaged == 0
            journal.append([ANSWERS[expected]] if expected < 20 else [])
        with Journal(tmp_path, "m") as journal:
            assert len(journal) == min(20, expected + 1)
            assert journal.damaged == 0


def test_damage_is_never_an_answer(tmp_path: Path) -> None:
    """500 random bytes changed: what is still read is what was written."""
    with Journal(tmp_path, "m") as journal:
        journal.append(ANSWERS)
        path = journal.path
    whole, truth, draw = path.read_bytes(), dict(ANSWERS), random.Random(11)
    for _ in range(500):
        damaged = bytearray(whole)
        damaged[draw.randrange(len(whole))] = draw.randrange(256)
        path.write_bytes(bytes(damaged))
        with Journal(tmp_path, "m") as journal:
            for key, answer in truth.items():
                assert journal.get(key) in (None, answer)
            assert all(key in truth for key in journal._places)


def test_a_full_disk_is_one_sentence_and_keeps_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Journal(tmp_path, "m") as journal:
        journal.append(ANSWERS[:5])
        real = os.fsync

        def full(descriptor: int) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(SafecotError, match=r"No space left on device.*5 answers are kept"):
            journal.append(ANSWERS[5:])
        monkeypatch.setattr(os, "fsync", real)
        journal.append(ANSWERS[5:8])
    with Journal(tmp_path, "m") as journal:
        assert len(journal) == 8
        assert all(journal.get(key) == answer for key, answer in ANSWERS[:8])


def test_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("precious\n")
    (tmp_path / "m.0.jsonl").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SafecotError, match="symbolic link"):
        Journal(tmp_path, "m")
    assert (tmp_path / "elsewhere").read_text() == "precious\n"


def test_one_process_at_a_time(tmp_path: Path) -> None:
    with (
        hold(tmp_path / ".journal", "model"),
        pytest.raises(
            SafecotError, match=rf"another safecot run writes model here \(process {os.getpid()} on"
        ),
        hold(tmp_path / ".journal", "model"),
    ):
        pass
    with hold(tmp_path / ".journal", "model"), hold(tmp_path / ".journal", "another"):
        pass
