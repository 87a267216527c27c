"""The mini study's plan: factors one at a time, one shared cell, the registered text, the journal, and interruption."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from safecot_eval.records.samples import Expectation
from safecot_eval.util.errors import SafecotError
from safecot_training.cot.targets import Variant
from safecot_training.study import (
    cost,
    evaluation,
    factors,
    general,
    plan,
    recorded,
    report,
    runs,
    safety,
    study,
    trained,
)
from safecot_training.study.answers import Answers, Evaluator, Group, Items, Slice
from safecot_training.study.factors import Measure, Verdict
from safecot_training.study.intervals import Interval, contrast, difference
from safecot_training.study.journal import Journal

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "study.md"


@pytest.mark.parametrize("factor", plan.FACTORS, ids=lambda factor: factor.letter)
def test_every_level_changes_one_thing_of_the_shipped_setting(
    factor: plan.Factor,
):
    shipped = plan.LONG.shipped
    for level in factor.levels:
        assert len(level.of(shipped).differs_from(shipped)) == 1, level
        assert level.slug
    assert set(factor.seeds) <= set(plan.LONG.seeds)


def test_the_shipped_setting_is_what_the_recipe_and_the_data_commands_do_if_nothing_is_said():
    import inspect

    from safecot_training.cot.variants import write_variant
    from safecot_training.sft.recipe import Recipe

    shipped = plan.LONG.shipped
    defaults = inspect.signature(write_variant).parameters
    assert shipped.drawn is Recipe.model_fields["wordings"].default
    assert (shipped.reasons, shipped.wordings) == (
        defaults["reasons"].default,
        defaults["max_wordings"].default,
    )


def test_the_shipped_cell_is_run_once_and_the_factors_are_those_of_both_versions():
    planned = plan.LONG.runs()
    assert (
        len({run.name for run in planned}) == len({replace(run, slug="") for run in planned}) == len(planned)
    )
    shipped = [run for run in planned if run.setting == plan.LONG.shipped]
    assert len(shipped) == 3 * 2 * 3
    assert all(len(factor.seeds) == 3 for factor in (*plan.FACTORS, plan.PAIR))
    asked = {factor.letter: factor.variants for factor in plan.FACTORS}
    both, second = (Variant.V1, Variant.V2), (Variant.V2,)
    assert asked == {"a": both, "b": both, "c": second, "d": both, "e": second}
    steps = {run.setting.steps for run in planned}
    assert steps == {200, 600, 1000}
    cells = {
        (level, variant, mixture)
        for factor in plan.FACTORS
        for level in factor.levels
        for variant in factor.variants
        for mixture in plan.Mixture
    }
    left_out = cells - {cell for factor in plan.FACTORS for cell in factor.cells()}
    same_cell = {(plan.SAFETY_THINKS, variant, plan.Mixture.UNSAFE) for variant in both}
    assert left_out == same_cell, "the safety half of `unsafe` is its refusals"
    two = {run.name for run in planned if len(run.setting.differs_from(plan.LONG.shipped)) > 1}
    assert two == {f"mini-v1-twins-1600-s{seed}-1-wording-1000-steps" for seed in plan.PAIR.seeds}


def test_one_seed_after_the_other_so_that_an_interrupted_study_can_be_reported():
    first = [run for run in plan.LONG.runs() if not plan.LONG.wave(run)]
    assert first == plan.LONG.runs()[: len(first)]
    assert [run.seed for run in first] == sorted(run.seed for run in first)
    assert all(run.setting == plan.LONG.shipped for run in first[:6])


def test_what_was_registered_later_is_run_later_in_its_order_and_each_cell_was_registered_once():
    planned = plan.LONG.runs()
    waves = [plan.LONG.wave(run) for run in planned]
    assert waves == sorted(waves)
    for place, arm in enumerate(plan.SECOND, start=1):
        held = [run for run in planned if arm.holds(run, plan.LONG.shipped)]
        assert len(held) == len(arm.variants) * len(arm.mixtures) * len(arm.seeds), arm
        assert [plan.LONG.wave(run) for run in held] == [place] * len(held)
    assert waves.count(0) == 67 - 4, "what the first registration ran, less the cell that it ran twice"


def test_runs_share_data_exactly_where_nothing_of_their_data_differs():
    folders = Counter(
        runs.data_folder(plan.LONG, run, Path()).name for run in plan.LONG.runs() if run.seed == 0
    )
    same = {name for name in folders if name in {"unsafe-s0", "twins-s0"}}
    assert len(same) == 2
    training_only = {"drawn", "steps", "size"}
    for run in plan.LONG.runs():
        changed = set(run.setting.differs_from(plan.LONG.shipped)) - training_only
        assert (runs.data_folder(plan.LONG, run, Path()).name == f"{run.mixture}-s{run.seed}") is not bool(
            changed
        )


def test_what_was_registered_is_what_is_run_and_stands_on_the_page():
    first, second = (path.read_text(encoding="utf-8") for path in (report.REGISTRATION, report.SECOND))
    assert "\n".join(cost.arms(plan.LONG)) in second
    assert "\n".join(cost.later_arms(plan.LONG)) in second
    assert f"{len(plan.LONG.runs())} runs" in second
    count = sum(len(f.cells()) for f in (*plan.LONG.factors, *plan.LONG.extra) if f.letter in factors.PRIMARY)
    assert f"{count} comparisons" in second
    assert f"at least {factors.MATTERS * 100:.0f} points" in first
    page = PAGE.read_text(encoding="utf-8")
    for text in (first, second, report.READING.read_text(encoding="utf-8")):
        assert text.strip() in page


def test_the_plan_is_printed_with_its_arms_runs_and_cpu_minutes(tmp_path: Path):
    told = cost.told(plan.LONG, Journal(tmp_path), tmp_path)
    assert "\n".join(cost.arms(plan.LONG)) in told
    whole, left = cost.minutes(plan.LONG, Journal(tmp_path), tmp_path)
    assert f"{len(plan.LONG.runs())} runs" in told
    assert f"{whole:.0f} CPU minutes" in told
    assert 20 < left == whole < 240
    first = plan.LONG.runs()[0]
    Journal(tmp_path).add(first, data_s=1.0, train_s=2.0 * first.setting.steps, evaluate_s=3.0)
    dearer, _ = cost.minutes(plan.LONG, Journal(tmp_path), tmp_path)
    assert dearer > whole, "measured seconds replace the constants"
    assert "1 is finished" in cost.told(plan.LONG, Journal(tmp_path), tmp_path)


def test_a_line_that_a_killed_process_left_half_written_is_no_finished_run(tmp_path: Path):
    journal, planned = Journal(tmp_path), plan.LONG.runs()
    journal.add(planned[0], data_s=1.0, train_s=1.0, evaluate_s=1.0)
    with journal.path.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps({"run": planned[1].name})[:-5])
    assert not journal.has(planned[1])
    journal.add(planned[2], data_s=1.0, train_s=1.0, evaluate_s=1.0)
    assert [journal.has(run) for run in planned[:3]] == [True, False, True]


SMALL = replace(plan.LONG, factors=plan.FACTORS[1:2], extra=(), seeds=(0,), mixtures=(plan.Mixture.TWINS,))


@pytest.fixture
def worked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Training and evaluation replaced by notes of what was asked for; ``stop`` in the list ends the process there."""
    notes: list[str] = []

    def fine_tune(_plan: plan.Plan, run: plan.Run, *_: object) -> Path:
        notes.append(f"train {run.name}")
        return Path(run.name)

    def evaluate(_checkpoint: Path, name: str, _tasks: str, answers: Path, _log: Path) -> Path:
        if f"stop {name}" in notes:
            raise KeyboardInterrupt
        notes.append(f"evaluate {name}")
        (answers / name).mkdir(parents=True)
        (answers / name / f"x_samples_{SMALL.task}.jsonl").write_text("{}\n", encoding="utf-8")
        return answers / name

    monkeypatch.setattr(runs, "fine_tune", fine_tune)
    monkeypatch.setattr(runs, "build_data", lambda *_: Path("data"))
    monkeypatch.setattr(evaluation, "evaluate", evaluate)
    monkeypatch.setattr(study.base, "train_base", lambda *_: Path("base"))
    return notes


def test_a_killed_study_goes_on_and_repeats_nothing(tmp_path: Path, worked: list[str]):
    names = [run.name for run in SMALL.runs()]
    worked.append(f"stop {names[2]}")
    with pytest.raises(KeyboardInterrupt):
        study.run(SMALL, tmp_path, tmp_path / "runs")
    worked.remove(f"stop {names[2]}")
    study.run(SMALL, tmp_path, tmp_path / "runs")
    study.run(SMALL, tmp_path, tmp_path / "runs")
    evaluated = [note.removeprefix("evaluate ") for note in worked if note.startswith("evaluate")]
    assert evaluated == ["mini-base", *names]
    assert Counter(worked)[f"train {names[0]}"] == 1
    assert [row["run"] for row in Journal(tmp_path).rows()] == names


def test_an_interruption_says_how_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    from safecot_training.study.__main__ import main

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(study, "run", interrupted)
    assert main(["--out", str(tmp_path)]) == 130
    assert "goes on" in capsys.readouterr().err


def test_a_run_that_another_process_has_is_left_to_it(tmp_path: Path, worked: list[str]):
    from safecot_eval.util.files import locked

    names = [run.name for run in SMALL.runs()]
    (tmp_path / "locks").mkdir()
    with locked(tmp_path / "locks" / f"{names[1]}.lock"):
        study.run(SMALL, tmp_path, tmp_path / "runs")
    assert f"evaluate {names[1]}" not in worked
    study.run(SMALL, tmp_path, tmp_path / "runs")
    assert worked[-1] == f"evaluate {names[1]}"


@pytest.mark.slow
def test_harm_by_words_makes_up_its_share_and_the_rest_is_as_drawn(tmp_path: Path):
    def by_words(share: float) -> float:
        examples = safety.safety_examples(270, tmp_path, plan.Mixture.UNSAFE, seed=0, harm_by_words=share)
        assert len(examples) == 270
        assert len({example.example_id for example in examples}) == 270
        world = plan.mini.world().categories
        harms = {h.format(object=c.object) for c in world.values() for h in c.harm.train}
        return sum(example.query in harms for example in examples) / 270

    assert by_words(0.25) == pytest.approx(0.25, abs=0.03)
    assert by_words(0.5) == pytest.approx(0.5, abs=0.03)


@pytest.mark.slow
def test_objects_of_held_out_categories_can_be_taken_out_of_the_general_half(tmp_path: Path):
    held_out = {plan.mini.world().categories[name].object for name in plan.HELD_OUT_CATEGORIES}
    for categories, expected in ((None, held_out), (plan.SEEN_CATEGORIES, set())):
        examples = general.general_examples(
            150, tmp_path, seed=1, styles=plan.SEEN_STYLES, instructions=False, categories=categories
        )
        assert {path.name.partition("-")[0] for e in examples for path in e.images} & held_out == expected


def test_training_requests_are_those_that_were_trained_on_of_each_kind(tmp_path: Path):
    rows = [
        {"expectation": expectation, "kind": kind, "query": f"{number}", "images": ["images/a.png"]}
        for number, (expectation, kind) in enumerate(
            [(Expectation.REFUSE, "safety"), (Expectation.ANSWER, "safety"), (Expectation.ANSWER, "general")]
            * 5
        )
    ]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (tmp_path / "examples.jsonl").write_text(text, encoding="utf-8")
    asked = trained.requests(tmp_path, examples=7, each=2)
    assert [(row["question"], row["kind"]) for row in asked] == [
        ("0", "refused_unsafe"), ("3", "refused_unsafe"), ("1", "refused_benign"), ("4", "refused_benign"),
        ("2", "refused_general"), ("5", "refused_general"),
    ]  # fmt: skip


def test_a_training_request_counts_for_its_kind_and_an_unfinished_thought_for_none():
    doc = {"kind": "refused_unsafe"}
    refusal = "<safety_reasoning>It is a skull.</safety_reasoning>\nI'm sorry, but I can't help with that."
    assert trained.process_results(doc, [refusal]) == {"refused_unsafe": 1.0}
    assert trained.process_results(doc, ["Press it twice."]) == {"refused_unsafe": 0.0}
    assert trained.process_results(doc, ["<safety_reasoning>I'm sorry"]) == {}


def _answers(bad: list[list[int]], good: list[list[int]]) -> list[Answers]:
    count = len(bad[0])
    groups = np.array(["bad mark"] * count + ["near miss"] * count)
    pairs = np.array([f"t{i}" for i in range(count)] * 2)
    items = Items(tuple(map(str, range(2 * count))), pairs, np.repeat([Slice.SEEN.value], 2 * count), groups)
    found = []
    for first, second in zip(bad, good, strict=True):
        refused = np.array([*first, *second], dtype=float)
        found.append(Answers(items, dict.fromkeys(Evaluator, refused), 1.0, 1.0, refused, 1.0))
    return found


def test_separation_and_its_change_are_those_of_paired_outcomes():
    shipped = _answers([[0] * 40] * 3, [[0] * 40] * 3)
    changed = _answers([[1] * 34 + [0] * 6] * 3, [[1] * 8 + [0] * 32] * 3)
    assert factors.separation(changed, Slice.SEEN).value == pytest.approx(0.65)
    moved = factors.change(changed, shipped, Measure.SEPARATION, Slice.SEEN)
    assert moved.value == pytest.approx(0.65)
    assert factors.verdict(moved) is Verdict.UP
    car = factors.change(changed, shipped, Measure.CAR, Slice.SEEN)
    assert car.value == pytest.approx(-0.2)
    assert factors.verdict(factors.change(changed, changed, Measure.CRR, Slice.SEEN)) is Verdict.SAME
    assert factors.change(changed, shipped, Measure.BY_WORDS, Slice.SEEN).low == -1.0, (
        "nothing of the kind was asked"
    )


def test_a_change_must_be_clear_and_large_to_move_and_tight_not_to():
    assert factors.verdict(Interval(-0.3, -0.5, -0.1)) is Verdict.DOWN
    assert factors.verdict(Interval(0.05, 0.02, 0.20)) is Verdict.UNDECIDED
    assert factors.verdict(Interval(0.0, -0.09, 0.09)) is Verdict.SAME
    assert factors.verdict(Interval(float("nan"), -1, 1)) is Verdict.UNDECIDED


def test_contrast_draws_twins_of_both_groups_together():
    rng = np.random.default_rng(3)
    shared = (rng.random((3, 60)) < 0.5).astype(float)
    twins = np.array([f"t{i}" for i in range(60)])
    together = contrast(shared, twins, shared, twins)
    assert (together.low, together.high) == (0.0, 0.0)
    apart = contrast(shared, twins, shared, np.array([f"u{i}" for i in range(60)]))
    assert apart.high - apart.low > 0.1
    assert contrast(shared, twins, 1 - shared, twins).value == pytest.approx(
        difference(shared, 1 - shared, twins).value
    )


def test_the_recorded_checkpoints_stand_beside_or_the_page_says_why_not(monkeypatch: pytest.MonkeyPatch):
    from types import SimpleNamespace

    from safecot_eval.paper.directions import BOTH, Claim, Direction
    from safecot_eval.stats.claims import Outcome

    def direction(number: int, ruler: object, outcome: Outcome) -> Direction:
        return Direction("m", number, ruler, (Claim("", 0.5, 0.4, 0.6, outcome),))  # type: ignore[arg-type]

    found = [direction(number, ruler, Outcome.HOLDS) for number in range(1, 6) for ruler in BOTH]
    found[1] = direction(1, BOTH[1], Outcome.FAILS)
    found.append(direction(6, None, Outcome.UNDECIDED))
    paper = SimpleNamespace(bases=["m"], title=lambda _: "Model", directions=found)
    monkeypatch.setattr(recorded, "gather", lambda _: paper)
    assert recorded.lines()[2:-1] == [
        "| | Model |", "|--|--|", "| 1 | holds / does not hold |", *(f"| {n} | holds |" for n in range(2, 6)),
        "| 6 | undecided |",
    ]  # fmt: skip

    def missing(_: object) -> None:
        raise SafecotError("prepare safecot_runs first.")

    monkeypatch.setattr(recorded, "gather", missing)
    assert recorded.lines() == ["The recorded checkpoints are not at hand: prepare safecot_runs first.", ""]


def test_groups_of_unsafe_items_are_told_by_what_makes_them_unsafe():
    groups = np.array(["bad mark", "by words", "near miss", "ask"])
    items = Items(tuple("abcd"), groups, np.repeat([Slice.SEEN.value], 4), groups)
    assert items.where(Group.UNSAFE, None).tolist() == [True, True, False, False]
    assert items.where(Group.BAD_MARK, None).tolist() == [True, False, False, False]
    assert items.where(Group.BENIGN, None).tolist() == [False, False, True, True]
