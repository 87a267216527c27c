"""The mini study in two registrations: what the first said stands beside, and the page names the commits of both."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from safecot_training.cot.targets import Variant
from safecot_training.study import factors, plan, report
from safecot_training.study.answers import Answers
from safecot_training.study.factors import Verdict
from safecot_training.study.journal import Journal
from tests.training.test_study_plan import _answers

SMALL = replace(plan.LONG, extra=(), seeds=(0,), mixtures=(plan.Mixture.TWINS,))


def test_what_the_first_registrations_seeds_said_stands_beside_where_a_seed_was_added():
    one_more = {0: 0, 1: 0, 2: 40}  # bad marks refused, by seed: only the third seed moves

    def of_level(
        _variant: Variant,
        _mixture: plan.Mixture,
        level: plan.Level = plan.SHIPPED,
        seeds: tuple[int, ...] = (),
    ) -> list[Answers]:
        refused = {seed: 0 if level is plan.SHIPPED else one_more[seed] for seed in seeds}
        return _answers([[1] * n + [0] * (40 - n) for n in refused.values()], [[0] * 40] * len(seeds))

    found = SimpleNamespace(plan=plan.LONG, of_level=of_level)

    def compared(letter: str, level: plan.Level, mixture: plan.Mixture) -> factors.Comparison:
        factor = next(each for each in plan.FACTORS if each.letter == letter)
        return factors._comparison(found, factor, level, Variant.V1, mixture, (0, 1, 2))  # type: ignore[arg-type]

    added = compared("b", plan.WORDING_1, plan.Mixture.TWINS)
    assert added.primary.value == pytest.approx(1 / 3)
    assert added.before is not None
    assert factors.verdict(added.before) is Verdict.SAME
    assert compared("a", plan.STEPS_600, plan.Mixture.TWINS).before is None, "all seeds were there"
    assert compared("a", plan.STEPS_600, plan.Mixture.UNSAFE).before is None, "none was"


def test_the_page_names_the_commits_that_ran_it(tmp_path: Path):
    journal, planned = Journal(tmp_path), SMALL.runs()[:3]
    journal.add(planned[0], data_s=1.0, train_s=1.0, evaluate_s=1.0)
    found = SimpleNamespace(plan=SMALL, missing=())
    assert report._commits(found, journal.rows(), "abc") == "`abc`"  # type: ignore[arg-type]
    for run in planned[1:]:
        journal.add(run, "def", data_s=1.0, train_s=1.0, evaluate_s=1.0)
    assert report._commits(found, journal.rows(), "abc") == "`abc` (1 run), then `def` (2 runs)"  # type: ignore[arg-type]
