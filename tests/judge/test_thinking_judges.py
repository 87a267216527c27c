"""Judges that reason before they reply: room to think, labels from behind the thoughts only, advice where it is too little."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from safecot_eval.cli.judge import command
from safecot_eval.judge.endpoint.remote import RemoteJudge
from safecot_eval.judge.judge_runs import judge_runs
from safecot_eval.judge.replies import CUT_REASONING, read
from safecot_eval.judge.rubric_files import own
from safecot_eval.records.json_files import enumerate_jsonl
from safecot_eval.util.chat_client import Reply
from tests.judge.conftest import make_run
from tests.judge.emulated import EmulatedServer, _send

HARM = own()["harm"].general
THOUGHT = "Would that be safe? Unsafe, I first think."


class ThinkingServer(EmulatedServer):
    """Thinks for ``needs`` tokens before each reply, or before those that ``thinks_about`` names.

    Attributes:
        form: Where the thoughts are: ``inline`` (in tags), ``apart`` (a field of their own), ``hidden`` (counted only).
        context: A reply with more room than this is refused, in vLLM's words.
    """

    form = "inline"
    needs = 1000
    context = 100_000
    says = "unsafe"

    def thinks_about(self, message: str) -> bool:
        return True

    async def _reply(
        self, request: dict[str, Any], message: str, fault: str | None, transport: asyncio.Transport
    ) -> None:
        room = request["max_tokens"]
        if room > self.context:
            words = f"'max_tokens' or 'max_completion_tokens' is too large: {room}. This model's maximum context length is"
            return _send(transport, 400, {"error": {"message": f"{words} {self.context} tokens"}})
        thinks = self.thinks_about(message)
        cut = room < self.needs if thinks else False
        reply: dict[str, Any] = {"role": "assistant", "content": "" if cut else self.says}
        if thinks and self.form == "inline":
            reply["content"] = f"<think>{THOUGHT}" + ("" if cut else f"</think>\n\n{self.says}")
        elif thinks and self.form == "apart":
            reply["reasoning"] = THOUGHT
        usage: dict[str, Any] = {"prompt_tokens": 9, "completion_tokens": min(room, self.needs)}
        if thinks and self.form == "hidden":
            usage["completion_tokens_details"] = {"reasoning_tokens": usage["completion_tokens"]}
        choice = {"index": 0, "finish_reason": "length" if cut else "stop", "message": reply}
        return _send(transport, 200, {"choices": [choice], "usage": usage})


def labels(path: Path) -> list[dict[str, Any]]:
    return [line for _, line in enumerate_jsonl(path)]


@pytest.mark.parametrize("form", ["inline", "apart", "hidden"])
def test_a_thinking_judge_gets_room_and_is_read_behind_its_thoughts(
    tmp_path: Path, judge_of: Callable[..., RemoteJudge], form: str
) -> None:
    run = make_run(tmp_path / "runs", 5, rubrics=("harm",))
    with ThinkingServer() as server:
        server.form = form
        judge = judge_of(server)
        judge_runs([run], judge, own(), judge_id="j", quiet=True)
        assert {body["max_tokens"] for body in server.bodies} == {4096}
    found = labels(run.folder / "verdicts" / "j.jsonl")
    assert [(v["label"], v["decoding"]) for v in found] == [("unsafe", "parsed")] * 5
    assert not any(THOUGHT in json.dumps(v) for v in found)
    assert judge.advice() is None


def test_a_judge_that_thinks_now_and_then(tmp_path: Path, judge_of: Callable[..., RemoteJudge]) -> None:
    """The probe sees a plain judge; the first cut thought is asked again with room, and so is all that follows."""
    run = make_run(tmp_path / "runs", 6, rubrics=("harm",))
    with ThinkingServer() as server:
        server.thinks_about = lambda message: "number 3?" in message  # type: ignore[method-assign]
        judge_runs([run], judge_of(server, most_in_flight=1), own(), judge_id="j", quiet=True)
    assert [v["label"] for v in labels(run.folder / "verdicts" / "j.jsonl")] == ["unsafe"] * 6


def test_a_short_context_gets_less_room(tmp_path: Path, judge_of: Callable[..., RemoteJudge]) -> None:
    run = make_run(tmp_path / "runs", 3, rubrics=("harm",))
    with ThinkingServer() as server:
        server.context = 1500
        server.needs = 900
        judge_runs([run], judge_of(server), own(), judge_id="j", quiet=True)
        assert {body["max_tokens"] for body in server.bodies} == {1024}
    assert [v["label"] for v in labels(run.folder / "verdicts" / "j.jsonl")] == ["unsafe"] * 3


def test_too_little_room_is_said_once_and_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SAFECOT_CACHE_DIR", str(tmp_path / "cache"))
    run = make_run(tmp_path / "runs", 4, rubrics=("harm",))
    path = run.folder / "verdicts" / "emulated-judge.jsonl"
    with ThinkingServer() as server:
        server.needs = 6000
        arguments = [str(tmp_path / "runs"), "--url", server.url, "--quiet"]
        short = CliRunner().invoke(command, arguments, catch_exceptions=False)
        assert short.exit_code == 3
        assert short.output.count("4096 tokens are too few") == 1
        assert "4 replies of emulated-judge ended while it still reasoned" in short.output
        assert "--max-tokens" in short.output
        assert [(v["label"], v["failure"]) for v in labels(path)] == [("unparseable", CUT_REASONING)] * 4
        enough = CliRunner().invoke(command, [*arguments, "--max-tokens", "8000"], catch_exceptions=False)
        assert enough.exit_code == 0, enough.output
        assert "too few" not in enough.output
    assert [v["label"] for v in labels(path)] == ["unsafe"] * 4


def test_a_label_is_never_taken_from_a_thought() -> None:
    for text in (
        "<think>unsafe",
        "<think>unsafe</think>",
        "<think>It is unsafe.</think> I cannot judge this content.",
    ):
        for finish in ("stop", "length"):
            for constrained in (True, False):
                reading = read(Reply(text, finish), HARM, constrained=constrained)
                assert reading.label in ("unparseable", "judge_refused")
    both = read(Reply("<think>safe?</think>\n\nunsafe", "stop"), HARM, constrained=False)
    assert (both.label, both.raw) == ("unsafe", "unsafe")


def test_the_field_report(data_dir: Path) -> None:
    path = data_dir / "field_reports" / "server" / "judge.json"
    if not path.is_file():
        pytest.skip("the field report server/judge.json is not in SAFECOT_DATA_DIR")
    said = json.loads(path.read_text(encoding="utf-8"))
    said["reasoning"] = f"<think>{said['reasoning']['reasoning']}</think>{said['reasoning']['content']}"
    expected = {
        "jsonbool": "unsafe",
        "cannot": "unparseable",
        "safeno": "unparseable",
        "thinkboth": "safe",
        "thinkabstain": "judge_refused",
        "reasoning": "unsafe",
        "ok": "unsafe",
        "u28": "unsafe",
    }
    for name, label in expected.items():
        assert read(Reply(said[name], "stop"), HARM, constrained=False).label == label, name
    cut = Reply("<think>Okay, let me consider the answer carefully. The user asked", "length")
    assert read(cut, HARM, constrained=True).failure == CUT_REASONING
