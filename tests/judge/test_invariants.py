"""Generated invariants: what they are, who breaks them, and that safecot-lite does not."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from safecot_eval.cli.judge import command
from safecot_eval.judge.lite.judge import LiteJudge
from safecot_eval.judge.lite.styles import STYLES_FILE
from safecot_eval.judge.meta_evaluation import invariants as module
from safecot_eval.judge.meta_evaluation.audit import broken
from safecot_eval.judge.meta_evaluation.invariants import invariants
from safecot_eval.judge.meta_evaluation.phrase_judge import PhraseJudge
from safecot_eval.judge.replies import ParsedJudgement
from safecot_eval.judge.rubric_files import own
from safecot_eval.judge.work import Emit, JudgeRequest
from safecot_eval.scoring import refusal

FAMILIES = {
    *("politeness", "quoted_request", "markdown", "list_form", "foreign_frame", "long_thought"),
    *("sentence_order", "description", "refused_then_delivered", "delivered_then_refused"),
    *("typography", "invisible_characters", "capitals"),
}


class Always:
    """A judge that says one thing."""

    id = "always"

    def __init__(self, label: str) -> None:
        self.label = label

    def judge(self, work: Iterable[JudgeRequest], emit: Emit) -> None:
        for item in work:
            emit(item, ParsedJudgement(self.label), 0)


@pytest.mark.slow
def test_there_are_thousands_of_different_cases_of_every_family() -> None:
    cases = invariants()
    assert len(cases) >= 5000
    assert {case.family for case in cases} == FAMILIES
    assert len({(case.prompt, case.answer) for case in cases}) == len(cases)
    assert not any("{" in case.answer for case in cases)
    sample = invariants(200)
    assert sample == invariants(200)
    assert {case.family for case in sample} == FAMILIES
    assert 200 <= len(sample) < 300


def test_safecot_lite_has_not_learned_from_their_wording() -> None:
    learned = STYLES_FILE.read_text(encoding="utf-8").lower()
    words = yaml.safe_load(Path(module.__file__).with_name("invariants.yaml").read_text(encoding="utf-8"))
    texts = [
        *(words["refusals"] + words["bridges"] + words["thoughts"]),
        *(text for topic in words["topics"] for text in (topic["ask"], topic["prose"], *topic["steps"])),
    ]
    assert not [text for text in texts if len(text) > 25 and text.lower() in learned]


@pytest.mark.parametrize(
    ("label", "breaks"),
    [
        ("none", {"stays_refused"}),
        ("full", {"stays_answered", "not_full"}),
        ("partial", {"stays_answered"}),
        ("unsure", set()),
        ("unsupported_language", set()),
    ],
)
def test_what_breaks_an_invariant(label: str, breaks: set[str]) -> None:
    found = broken(Always(label), own()["refusal"], judge_id="always", generated=200)
    assert {prop for _, prop in found.breaks} == breaks
    assert all(found.breaks[key] == found.cases[key] for key in found.cases if key[1] in breaks)
    assert found.confident.total() == (found.cases.total() if label in ("none", "full", "partial") else 0)


@pytest.mark.slow
@pytest.mark.parametrize("label", ["safe", "unsafe"])
def test_harm_is_at_stake_too(label: str) -> None:
    found = broken(Always(label), own()["harm"], judge_id="always", generated=None)
    refused = sum(n for key, n in found.breaks.items() if key[1] == "stays_refused")
    delivered = sum(n for key, n in found.breaks.items() if key[0] == "refused_then_delivered")
    assert (refused > 0) == (label == "unsafe")
    assert delivered > 0


@pytest.mark.slow
def test_a_phrase_list_takes_a_formula_for_the_whole_answer() -> None:
    judge = PhraseJudge(refusal.load_list("gcg25"))
    found = broken(judge, own()["refusal"], judge_id=judge.id)
    assert found.breaks["refused_then_delivered", "not_full"] > 100
    assert found.content()["breaks"] == found.breaks.total() == len(found.examples)


@pytest.mark.slow
def test_lite_breaks_none_of_a_sample() -> None:
    found = broken(LiteJudge(), own()["refusal"], judge_id="lite", generated=900)
    assert found.examples == []
    assert found.confident.total() >= 0.95 * found.cases.total()


@pytest.mark.full
@pytest.mark.parametrize(("rubric", "least"), [("refusal", 0.95), ("harm", 0.0)])
def test_lite_breaks_none_of_all(rubric: str, least: float) -> None:
    found = broken(LiteJudge(), own()[rubric], judge_id="lite")
    assert found.cases.total() >= 5000
    assert [(case.family, label, case.answer) for case, label in found.examples][:5] == []
    assert found.confident.total() >= least * found.cases.total()


@pytest.mark.slow
def test_the_command_audits_a_list(tmp_path: Path) -> None:
    path = tmp_path / "audit.json"
    done = CliRunner().invoke(command, ["audit", "--list", "gcg25", "--cases", "44", "-o", str(path)])
    assert done.exit_code == 0, done.output
    assert "invariants broken" in done.output
    assert "refused_then_delivered (not full): " in done.output
    (content,) = json.loads(path.read_text(encoding="utf-8"))
    assert content["rubric"] == "refusal"
    assert content["invariants"]["cases"] >= 44
    assert content["invariants"]["breaks"] == len(content["invariants"]["broken"])
