"""What a crash can leave behind, once for everything that appends: the journal, the verdict cache and the v2 writer."""

from __future__ import annotations

import asyncio
import json
import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safecot_eval.generate.journal.store import Answer, Journal
from safecot_eval.judge.endpoint.cache import VerdictCache
from safecot_eval.judge.replies import ParsedJudgement
from safecot_eval.util.appends import AppendLog, parse_line, write_line
from safecot_eval.util.files import locked
from safecot_training.cot import writer

KEYS = [f"{n:032x}" for n in range(20)]
Values = dict[str, Any]


class JournalStore:
    """The journal's file, seen as keys and values."""

    name = "m.0.jsonl"

    def value(self, n: int) -> Any:
        return Answer(
            f"answer {n} \u00e9 \ud800 " + "x" * 5 * n,
            "stop" if n % 2 else None,
            (3, n, None) if n % 3 else None,
        )

    def read(self, folder: Path) -> tuple[Values, int]:
        with Journal(folder, "m") as journal:
            return {key: value for key in KEYS if (value := journal.get(key)) is not None}, journal.damaged

    def append(self, folder: Path, entries: Values) -> None:
        with Journal(folder, "m") as journal:
            journal.append(list(entries.items()))


class VerdictStore:
    """The verdict cache, likewise."""

    name = "verdicts.jsonl"

    def value(self, n: int) -> Any:
        return ParsedJudgement(
            "safe" if n % 2 else "unsafe", n / 20 if n % 3 else None, "raw\u2028" * n, "", "choice"
        )

    def read(self, folder: Path) -> tuple[Values, int]:
        with VerdictCache(folder / self.name) as cache:
            assert cache._log is not None
            return dict(cache.get_many(KEYS)), cache._log.damaged

    def append(self, folder: Path, entries: Values) -> None:
        with VerdictCache(folder / self.name) as cache:
            for key, value in entries.items():
                cache.put(key, value)


class WriterStore:
    """The v2 writer's replies, likewise."""

    name = "v2_replies.jsonl"

    def value(self, n: int) -> Any:
        return {"id": str(n), "attempt": n % 3, "text": f"The picture shows {n} things.\r\n"}

    def read(self, folder: Path) -> tuple[Values, int]:
        with writer._opened(folder / self.name) as log:
            return {key: value for key in KEYS if (value := log.get(key)) is not None}, log.damaged

    def append(self, folder: Path, entries: Values) -> None:
        with writer._opened(folder / self.name) as log:
            log.append(list(entries.items()))


STORES = [JournalStore(), VerdictStore(), WriterStore()]
every_store = pytest.mark.parametrize("store", STORES, ids=lambda store: type(store).__name__)


def filled(store: Any, folder: Path) -> tuple[Values, bytes]:
    truth = {key: store.value(n) for n, key in enumerate(KEYS)}
    store.append(folder, truth)
    assert store.read(folder) == (truth, 0)
    return truth, (folder / store.name).read_bytes()


@every_store
def test_a_tail_that_was_cut_anywhere(store: Any, tmp_path: Path) -> None:
    truth, whole = filled(store, tmp_path)
    draw = random.Random(7)
    for cut in [0, 1, len(whole) - 1, *(draw.randrange(len(whole)) for _ in range(40))]:
        (tmp_path / store.name).write_bytes(whole[:cut])
        left = whole[:cut].count(b"\n")
        kept = dict(list(truth.items())[:left])
        assert store.read(tmp_path) == (kept, 0)
        following = dict(list(truth.items())[left : left + 1])
        store.append(tmp_path, following)
        assert store.read(tmp_path) == (kept | following, 0)


@every_store
def test_torn_lines_are_no_results(store: Any, tmp_path: Path) -> None:
    """300 times one byte is changed, or a stretch is zero as after a power cut: what is read is what was written."""
    truth, whole = filled(store, tmp_path)
    draw = random.Random(11)
    for number in range(300):
        torn, at = bytearray(whole), draw.randrange(len(whole))
        torn[at : at + (draw.randrange(1, 200) if number % 3 == 0 else 1)] = (
            bytes(min(200, len(whole) - at)) if number % 3 == 0 else bytes([draw.randrange(256)])
        )
        (tmp_path / store.name).write_bytes(bytes(torn))
        found, damaged = store.read(tmp_path)
        assert all(value == truth[key] for key, value in found.items())
        lost = len(truth) - len(found)
        assert damaged or not lost or b"\n" not in torn[-1:], "what is lost is counted, but for a tail"


@every_store
def test_of_duplicates_the_later_one_counts(store: Any, tmp_path: Path) -> None:
    truth, whole = filled(store, tmp_path)
    (tmp_path / store.name).write_bytes(whole + whole[: whole.index(b"\n") + 1])
    assert store.read(tmp_path) == (truth, 0)
    store.append(tmp_path, {KEYS[0]: store.value(7)})
    assert store.read(tmp_path)[0] == {**truth, KEYS[0]: store.value(7)}


@pytest.mark.slow
def test_killed_while_appending(tmp_path: Path) -> None:
    """A process that is killed at some moment, three times: nothing that it had appended is lost."""
    code = (
        f"import sys; from pathlib import Path; from {__name__} import STORES, KEYS\n"
        "for n, key in enumerate(KEYS * 1000):\n"
        "    for store in STORES: store.append(Path(sys.argv[1]), {key: store.value(n % 20)})\n"
        "    print(n, flush=True)\n"
    )
    draw = random.Random(3)
    for _ in range(3):
        child = subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        for _ in range(draw.randrange(3, 30)):
            done = int(child.stdout.readline())
        child.kill()
        child.wait()
        for store in STORES:
            found, damaged = store.read(tmp_path)
            assert damaged == 0
            assert all(found[key] == store.value(n) for n, key in enumerate(KEYS[: done + 1]))


def test_processes_append_to_one_file_without_losing_a_line(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from safecot_eval.util.appends import AppendLog\n"
        "with AppendLog(Path(sys.argv[1]), durable=False) as log:\n"
        "    for n in range(60): log.append([(f'{sys.argv[2]}-{n}', {'text': 'x' * (n * 50)})])\n"
    )
    path = tmp_path / "shared.jsonl"
    children = [subprocess.Popen([sys.executable, "-c", code, str(path), str(n)]) for n in range(3)]
    assert [child.wait() for child in children] == [0, 0, 0]
    with AppendLog(path) as log:
        assert (len(log), log.damaged) == (180, 0)
        assert all(log.get(f"{p}-{n}") == {"text": "x" * (n * 50)} for p in range(3) for n in range(60))


def test_what_others_append_is_seen_and_a_line_in_the_making_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    with AppendLog(path) as one, AppendLog(path) as two:
        one.append([("a", {"v": 1})])
        assert two.get("a") is None
        two.refresh()
        assert two.get("a") == {"v": 1}
        half = write_line("b", {"v": 2})
        with path.open("ab") as stream:
            stream.write(half[:9])
            stream.flush()
            two.refresh()
            assert "b" not in two
            stream.write(half[9:])
        two.refresh()
        assert (two.get("b"), two.damaged) == ({"v": 2}, 0)
        two.append([("c", {"v": 3})])
        one.append([("d", {"v": 4})])
        assert [one.get(key) for key in "abcd"] == [{"v": n} for n in (1, 2, 3, 4)]


def test_a_full_disk_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with AppendLog(tmp_path / "x.jsonl") as log:
        log.append([("a", {"v": 1})])
        before = log.path.read_bytes()

        def full(descriptor: int) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            log.append([("b", {"v": 2})])
        monkeypatch.undo()
        assert log.path.read_bytes() == before
        assert "b" not in log


def test_the_writers_lines_of_version_0_1_are_read(tmp_path: Path) -> None:
    path = tmp_path / "v2_replies.jsonl"
    rows = [{"key": key, "id": str(n), "attempt": 0, "text": f"t {n}"} for n, key in enumerate(KEYS[:3])]
    path.write_text(
        "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows) + '{"key": "cut off in'
    )
    with writer._opened(path) as log:
        assert [log.get(key) for key in KEYS[:3]] == [
            {k: v for k, v in row.items() if k != "key"} for row in rows
        ]
        log.append([("new", {"text": "y"})])
    with writer._opened(path) as log:
        assert len(log) == 4


@given(
    st.text(),
    st.dictionaries(
        st.text().filter(lambda k: k not in ("key", "sum")), st.none() | st.text() | st.integers()
    ),
)
@settings(max_examples=150, deadline=None)
def test_a_line_is_read_as_written(key: str, value: dict[str, Any]) -> None:
    value = {k: v for k, v in value.items() if not isinstance(v, int) or abs(v) < 2**63}
    assert parse_line(write_line(key, value)) == (key, value)


def _takes(path: Path) -> bool:
    try:
        with locked(path):
            return True
    except BlockingIOError:
        return False


def test_a_lock_excludes_places_threads_and_processes(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    code = (
        "import sys; from pathlib import Path\nfrom safecot_eval.util.files import locked\n"
        "try:\n    with locked(Path(sys.argv[1])): print('taken')\nexcept BlockingIOError: print('excluded')\n"
    )

    def process() -> str:
        done = subprocess.run(
            [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    async def in_a_thread(call: Callable[[Path], bool]) -> bool:
        return await asyncio.to_thread(call, path)

    with locked(path):
        assert not _takes(path)
        assert not asyncio.run(in_a_thread(_takes))
        assert process() == "excluded"
    assert _takes(path)
    assert process() == "taken"


@pytest.mark.slow
def test_a_lock_excludes_where_lmms_eval_has_changed_filelock(tmp_path: Path) -> None:
    """lmms-eval makes filelock's locks one object per path, which a second place of the process could take again."""
    code = (
        "import sys; from pathlib import Path\nfrom lmms_eval import evaluator\n"
        "evaluator._enable_reentrant_filelocks()\nfrom filelock import FileLock\n"
        "assert FileLock(sys.argv[1] + '2') is FileLock(sys.argv[1] + '2'), 'lmms-eval has changed: is our class needed?'\n"
        "from safecot_eval.util.files import locked\n"
        "with locked(Path(sys.argv[1])):\n    try:\n        with locked(Path(sys.argv[1])): print('taken')\n"
        "    except BlockingIOError: print('excluded')\n"
    )
    path = str(tmp_path / "x.lock")
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("excluded")


def test_no_module_needs_what_windows_lacks() -> None:
    """``fcntl`` is imported nowhere in what a command loads."""
    code = (
        "import sys; sys.modules['fcntl'] = None\n"
        "import safecot_eval.cli, safecot_eval.util.files, safecot_eval.util.appends, safecot_eval.judge.sidecar\n"
        "import safecot_eval.generate.journal.lock\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
