"""Names that the documentation, YAML files and the code mention: tasks, pages of docs/."""

from __future__ import annotations

import fnmatch
import re

from safecot_eval.benchmarks import registry, selection
from safecot_eval.generate.plugin import MODELS
from safecot_eval.generate.presets import preset
from safecot_eval.util.exit_status import ExitStatus
from tests.docs.blocks import ROOT, blocks, pages

_NAME = re.compile(r"(?<![\w./-])safecot_[\w*]+(?![\w/*-]|\.\w)")
_OTHERS = {"safecot_eval", "safecot_training", "safecot_runs"}
"""Packages and the recorded runs, which have such names as well."""
_OWN = {"safecot_kitchen", "safecot_kitchen_hard"}
"""Tasks that a reader of docs/add-a-benchmark.md makes."""


def test_every_task_in_a_command_exists() -> None:
    tasks = {*registry.task_names(), *selection.tags(), *MODELS, *preset.names(), *_OTHERS, *_OWN}
    named = [
        (f"{block.page}, line {block.line}", name)
        for page in pages()
        for block in blocks(page)
        for name in _NAME.findall(block.text)
    ]
    assert len(named) > 50
    assert [one for one in named if not fnmatch.filter(tasks, one[1])] == []


def test_every_exit_status_is_explained() -> None:
    table = (ROOT / "docs/recipes.md").read_text(encoding="utf-8").partition("## Exit status")[2]
    assert [int(number) for number in re.findall(r"^\| (\d+) \|", table, re.MULTILINE)] == list(ExitStatus)
