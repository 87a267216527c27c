"""The shape that the architecture promises beside its layers (import-linter): light start, examples that run."""

from __future__ import annotations

import ast
import doctest
import importlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = {
    "safecot_eval": ROOT / "safecot_eval",
    "safecot_reports": ROOT / "reports/safecot_reports",
    "safecot_training": ROOT / "training/safecot_training",
}
HEAVY = {"torch", "transformers", "lmms_eval", "sklearn", "pandas", "datasets", "scipy", "vllm", "matplotlib"}


def imports_of(path: Path, *, top_level_only: bool) -> Iterator[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = tree.body if top_level_only else list(ast.walk(tree))
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.split(".")[0]


def sources(folder: Path) -> list[Path]:
    """The Python files below a folder, which a wrong path must not make empty."""
    found = sorted(folder.rglob("*.py"))
    assert len(found) > 5, folder
    return found


def test_no_module_stands_outside_a_package() -> None:
    loose = {path.name for path in (ROOT / "safecot_eval").glob("*.py")}
    assert loose == {"__init__.py", "__main__.py", "_moved.py", "per_sample.py", "task.py"}


def test_command_line_modules_import_nothing_heavy_at_the_top() -> None:
    for path in sources(ROOT / "safecot_eval/cli"):
        wrong = HEAVY & set(imports_of(path, top_level_only=True))
        assert not wrong, f"{path.relative_to(ROOT)} imports {wrong} at its top"


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = f"import sys, safecot_eval, safecot_eval.scoring.refusal; print([m for m in {sorted(HEAVY)} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_report_loads_no_more_of_scipy_than_its_functions() -> None:
    code = "import sys, safecot_reports.build; print([m for m in ('scipy.stats', 'scipy.optimize', 'PIL') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_no_module_is_over_400_lines() -> None:
    long = {
        str(path.relative_to(ROOT)): count
        for folder in PACKAGES.values()
        for path in sources(folder)
        if (count := len(path.read_text(encoding="utf-8").splitlines())) > 400
    }
    assert not long


def modules_with_examples() -> list[Any]:
    """Names of modules; those that import TRL, which takes seconds, are not for the fast part."""
    found = []
    for package, folder in PACKAGES.items():
        for path in sources(folder):
            if ">>> " in (source := path.read_text(encoding="utf-8")):
                parts = path.relative_to(folder).with_suffix("").parts
                name = ".".join((package, *(part for part in parts if part != "__init__")))
                marks = [pytest.mark.slow] if "\nfrom trl" in source else []
                found.append(pytest.param(name, marks=marks, id=name))
    return found


@pytest.mark.parametrize("name", modules_with_examples())
def test_docstring_examples(name: str) -> None:
    result = doctest.testmod(importlib.import_module(name))
    assert result.attempted > 0
    assert result.failed == 0


def test_no_metric_name_is_part_of_another() -> None:
    """lmms-eval's group aggregation matches metric names by substring."""
    import yaml

    class Loader(yaml.SafeLoader):
        pass

    Loader.add_constructor("!function", lambda loader, node: loader.construct_scalar(node))
    template = yaml.load((ROOT / "tasks/_safecot_leaf").read_text(encoding="utf-8"), Loader=Loader)
    names = [entry["metric"] for entry in template["metric_list"]]
    assert len(names) == len(set(names)) > 10
    assert not [(a, b) for a in names for b in names if a != b and a in b]
    assert template["generation_kwargs"]["until"] == []
    json.dumps(template["generation_kwargs"])


def test_help_keeps_the_lines_of_its_examples() -> None:
    import click

    from safecot_eval import cli

    for name in cli.COMMANDS:
        command = cli.cli.get_command(click.Context(cli.cli), name)
        assert command is not None
        told = command.get_help(click.Context(command, info_name=name))
        assert "\\b" not in told, f"safecot {name} --help"
