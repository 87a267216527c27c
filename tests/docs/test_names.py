"""Names that the documentation, YAML files and the code mention: tasks, statuses, Python names, pages of docs/."""

from __future__ import annotations

import fnmatch
import importlib
import re
import subprocess
from pathlib import Path

import click
import pytest

from safecot_eval.benchmarks import registry, selection
from safecot_eval.cli import cli
from safecot_eval.generate.plugin import MODELS
from safecot_eval.generate.presets import preset
from safecot_eval.records.samples import REQUEST_FAILED_PREFIX, Status
from safecot_eval.scoring.record import DOC_FIELDS, make_record
from safecot_eval.scoring.refusal import load_list
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


def test_every_status_of_a_sample_is_in_the_contract() -> None:
    (row,) = re.findall(
        r"^\| `status` \| (.+) \|$", (ROOT / "docs/architecture.md").read_text(), re.MULTILINE
    )
    assert re.findall(r"`(\w+)`", row) == list(Status)


def test_every_key_of_a_record_is_in_the_contract() -> None:
    table = (ROOT / "docs/architecture.md").read_text().partition("## Sample record")[2].partition("\n## ")[0]
    told = set(re.findall(r"`(\w+)`", table))
    document = dict.fromkeys(DOC_FIELDS, "") | {"extra": {}, "image_error": "no picture"}
    failed = make_record(document, f"{REQUEST_FAILED_PREFIX}: no]", refusal_list=load_list("gcg25"))
    foreign = make_record(
        document | {"image_error": ""}, "抱歉，我无法协助。", refusal_list=load_list("gcg25")
    )
    assert {"image_error", "failure"} <= set(failed)
    assert "language" in foreign["refusal"]
    assert {*failed, *foreign, *foreign["refusal"], *failed["failure"]} <= told


def test_every_name_of_the_public_api_is_where_the_page_says() -> None:
    text = (ROOT / "docs/api.md").read_text(encoding="utf-8")
    entries = re.findall(r"^::: ([\w.]+)(?:\n    options: \{members: \[(.+)\]\})?$", text, re.MULTILINE)
    assert len(entries) == text.count("::: ") > 15
    for module, members in entries:
        found = importlib.import_module(module)
        for member in filter(None, members.split(", ")):
            assert getattr(getattr(found, member), "__module__", module) == module, f"{module}.{member}"


def texts() -> list[Path]:
    """Every file of the repository that a person wrote: comments, help texts and messages send readers somewhere."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout
    found = [
        ROOT / name
        for name in listed.splitlines()
        if name.endswith((".py", ".yaml", ".yml", ".md", ".html", ".toml"))
    ]
    if not found:
        pytest.skip("not a git checkout: which files belong to the project is not known")
    return found


def test_every_command_that_is_mentioned_exists() -> None:
    for path in texts():
        for text in set(
            re.findall(
                r"`safecot ([a-z][a-z-]*(?: [a-z][a-z-]*)?)(?=[`\s])", path.read_text(encoding="utf-8")
            )
        ):
            name, _, below = text.partition(" ")
            if name in ("prompt", "decoding"):
                continue  # values of `protocol` in a run's provenance
            found = cli.get_command(None, name)
            assert found is not None, f"{path.relative_to(ROOT)}: safecot {name}"
            if isinstance(found, click.Group) and below and name != "judge":
                assert below in found.commands, f"{path.relative_to(ROOT)}: safecot {text}"


def test_every_page_of_docs_that_is_mentioned_exists() -> None:
    for path in texts():
        for page in set(re.findall(r"(?<![\w/.-])docs/[\w-]+\.md", path.read_text(encoding="utf-8"))):
            assert (ROOT / page).is_file() or page == "docs/example.md", f"{path.relative_to(ROOT)}: {page}"


def test_the_tree_in_the_readme_is_that_of_the_repository() -> None:
    tree = (ROOT / "README.md").read_text(encoding="utf-8").partition("## The tree")[2].split("```")[1]
    above: dict[int, Path] = {-1: ROOT}
    for line in filter(None, tree.splitlines()):
        names = re.match(r" *((?:[\w.-]+(?:/|\.py) *)+)", line)
        assert names, line
        depth = len(line) - len(line.lstrip())
        place = above[max(level for level in above if level < depth)]
        for name in names[1].split():
            assert (place / name).exists(), line
        above = {level: known for level, known in above.items() if level < depth}
        above[depth] = place / names[1].split()[0]
