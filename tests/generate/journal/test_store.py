"""The journal's files."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest

from safecot_eval.generate.journal.lock import hold
from safecot_eval.generate.journal.store import Answer, Journal
from safecot_eval.util.errors import SafecotError

ANSWERS = [
    (f"{n:032x}", Answer(f"answer {n} é \ud800", "stop" if n % 2 else None, (3, n, None) if n % 3 else None))
    for n in range(20)
]


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


def test_a_journal_of_version_0_1_is_continued(tmp_path: Path) -> None:
    """Its lines have a checksum over their fields, and texts may hold half of a surrogate pair."""
    lines = []
    for key, answer in ANSWERS:
        tokens = None if answer.tokens is None else list(answer.tokens)
        fields = [key, answer.text, answer.finish_reason, tokens]
        total = hashlib.sha256(json.dumps(fields, ensure_ascii=True).encode()).hexdigest()[:16]
        content = {**dict(zip(("key", "text", "finish", "tokens"), fields, strict=True)), "sum": total}
        lines.append(json.dumps(content, ensure_ascii=True) + "\n")
    lines[4] = lines[4].replace("answer 4", "answer 5")
    (tmp_path / "m.0.jsonl").write_text("".join(lines) + lines[0][:30])
    with Journal(tmp_path, "m") as journal:
        assert (len(journal), journal.damaged) == (19, 1)
        assert journal.get(ANSWERS[4][0]) is None
        journal.append([ANSWERS[4]])
    with Journal(tmp_path, "m") as journal:
        assert all(journal.get(key) == answer for key, answer in ANSWERS)


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


def fail_under_lock(journal: Path, *kept: str) -> None:
    with hold(journal, "model"):
        for name in kept:
            (journal / name).touch()
        raise RuntimeError


@pytest.mark.parametrize("kept", [(), ("answers.jsonl",)])
def test_a_failure_leaves_new_folders_only_with_what_was_kept(tmp_path: Path, kept: tuple[str, ...]) -> None:
    with pytest.raises(RuntimeError):
        fail_under_lock(tmp_path / "runs" / "model" / ".journal", *kept)
    assert (tmp_path / "runs").exists() is bool(kept)
    (tmp_path / "mine").mkdir()
    with pytest.raises(RuntimeError):
        fail_under_lock(tmp_path / "mine" / ".journal")
    assert list((tmp_path / "mine").iterdir()) == []
