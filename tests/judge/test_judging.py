"""Existing runs: nothing generated, only what is missing judged, every kind of stop survived."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from safecot_eval.aggregate.tables import load_runs
from safecot_eval.judge.endpoint.cache import COMMIT_EVERY
from safecot_eval.judge.endpoint.remote import RemoteJudge
from safecot_eval.judge.judge_runs import BATCH, judge_runs
from safecot_eval.judge.lite.judge import LiteJudge
from safecot_eval.judge.rubric_files import own
from safecot_eval.judge.sidecar import Sidecar, file_name
from safecot_eval.records.json_files import enumerate_jsonl
from safecot_eval.util.errors import SafecotError
from tests.judge.conftest import make_run
from tests.judge.emulated import EmulatedServer

ROOT = Path(__file__).parents[2]


def test_a_second_call_does_only_what_is_missing(
    tmp_path: Path, emulated: EmulatedServer, judge_of: Callable[..., RemoteJudge]
) -> None:
    run = make_run(tmp_path / "runs", 30)
    only_harm = {"harm": own()["harm"]}
    judge_runs([run], judge_of(emulated, cache_path=None), only_harm, judge_id="j", quiet=True)
    assert emulated.judged == 30
    outcome = judge_runs([run], judge_of(emulated, cache_path=None), own(), judge_id="j", quiet=True)
    assert (outcome.before, outcome.written, emulated.judged) == (30, 30, 60)
    before = (run.folder / "verdicts" / "j.jsonl").read_bytes()
    judge_runs([run], judge_of(emulated, cache_path=None), own(), judge_id="j", quiet=True)
    assert emulated.judged == 60
    assert (run.folder / "verdicts" / "j.jsonl").read_bytes() == before


def test_judges_stand_side_by_side_and_reach_the_table(
    tmp_path: Path, emulated: EmulatedServer, judge_of: Callable[..., RemoteJudge]
) -> None:
    run = make_run(tmp_path / "runs", 9)
    lite = LiteJudge()
    judge_runs([run], judge_of(emulated), own(), judge_id="one", quiet=True)
    judge_runs([run], lite, {"refusal": own()["refusal"]}, judge_id=lite.id, quiet=True)
    table = load_runs(tmp_path / "runs")
    assert set(table.evaluator) >= {"one/refusal", "one/harm", f"{lite.id}/refusal"}
    refused = table[table.evaluator == f"{lite.id}/refusal"].sort_values("item_id").refused.tolist()
    assert refused == [True, False, False] * 3


def test_answers_that_cannot_be_scored_are_not_judged(
    tmp_path: Path,
    emulated: EmulatedServer,
    judge_of: Callable[..., RemoteJudge],
    capsys: pytest.CaptureFixture[str],
) -> None:
    from safecot_eval.records.run import find_runs
    from tests.conftest import make_doc, write_run

    docs = [make_doc(sample_id=f"{n:016x}", item_id=str(n)) for n in range(3)]
    write_run(tmp_path / "r", [(docs[0], ""), (docs[1], "[LMMS_EVAL_REQUEST_FAILED x]"), (docs[2], "Yes.")])
    outcome = judge_runs(find_runs([tmp_path / "r"]), judge_of(emulated), own(), judge_id="j")
    assert outcome.written == emulated.judged == 1
    assert "1 of 1 verdicts" in capsys.readouterr().err, (
        "answers that nobody judges look like work that is left"
    )


def test_cut_tails_missing_lines_and_old_wordings_are_mended(
    tmp_path: Path, emulated: EmulatedServer, judge_of: Callable[..., RemoteJudge]
) -> None:
    run = make_run(tmp_path / "runs", 10, rubrics=("harm",))
    judge_runs([run], judge_of(emulated), own(), judge_id="j", quiet=True)
    path = run.folder / "verdicts" / "j.jsonl"
    whole = path.read_bytes()
    kept = whole.splitlines(keepends=True)
    path.write_bytes(b"".join(kept[:6]) + kept[6][:20])
    judge_runs([run], judge_of(emulated), own(), judge_id="j", quiet=True)
    assert path.read_bytes() == whole
    changed = [json.loads(line) for line in kept]
    changed[9]["rubric_hash"] = "of an older wording"
    path.write_text("".join(json.dumps(line) + "\n" for line in changed))
    judge_runs([run], judge_of(emulated), own(), judge_id="j", quiet=True)
    assert [json.loads(line) for line in path.read_bytes().splitlines()] == [
        json.loads(line) for line in kept
    ]


def test_damage_and_company_are_sentences(tmp_path: Path) -> None:
    folder = tmp_path / "m"
    (folder / "verdicts").mkdir(parents=True)
    path = folder / "verdicts" / file_name("j")
    path.write_text("{}\nnot json\n{}\n")
    with pytest.raises(SafecotError, match="line 2"), Sidecar(folder, "j", {}):
        pass
    path.unlink()
    with (
        Sidecar(folder, "j", {}),
        pytest.raises(SafecotError, match="another process"),
        Sidecar(folder, "j", {}),
    ):
        pass
    assert not path.exists(), "an empty file is not left behind"


@pytest.mark.slow
@pytest.mark.xdist_group("judge-vllm")
def test_killed_twenty_times_gives_the_same_file(tmp_path: Path) -> None:
    """kill -9 at 20 random moments, then rerun: the file of an undisturbed run, less than a batch repeated."""
    chance = random.Random(20261125)
    make_run(tmp_path / "template", 150)
    with EmulatedServer(latency_s=0.004) as server:

        def start(name: str) -> subprocess.Popen[str]:
            arguments = [str(tmp_path / name), server.url, str(tmp_path / f"{name}.sqlite")]
            return subprocess.Popen(
                [sys.executable, "-m", "tests.judge.kill_target", *arguments],
                cwd=ROOT,
                stdout=subprocess.PIPE,
                text=True,
            )

        def verdicts(name: str) -> bytes:
            return (tmp_path / name / "verdicts" / "j.jsonl").read_bytes()

        shutil.copytree(tmp_path / "template", tmp_path / "calm")
        calm = start("calm")
        assert calm.stdout is not None
        assert calm.stdout.readline() == "start\n"
        began = time.monotonic()
        assert calm.wait(60) == 0
        seconds = time.monotonic() - began
        assert server.judged == 300
        kills = round_number = 0
        while kills < 20:
            name, round_number = f"run{round_number}", round_number + 1
            shutil.copytree(tmp_path / "template", tmp_path / name)
            before, kills_before = server.judged, kills
            while kills < 20:
                process = start(name)
                assert process.stdout is not None
                assert process.stdout.readline() == "start\n"
                time.sleep(chance.uniform(0.02, 0.8 * seconds))
                if process.poll() is not None:
                    break
                process.kill()
                process.wait()
                kills += 1
                time.sleep(0.05)
            process = start(name)
            assert process.wait(60) == 0
            repeated = server.judged - before - 300
            assert repeated <= (kills - kills_before) * (min(BATCH, COMMIT_EVERY + 8) - 1)
            assert verdicts(name) == verdicts("calm")
    assert len(list(enumerate_jsonl(tmp_path / "calm" / "verdicts" / "j.jsonl"))) == 300
