"""Imports of 0.1.0 that the README, the docs and shipped task folders showed: they work for one release, with a warning."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from safecot_eval import _moved
from safecot_eval.benchmarks import catalogue, registry

pytestmark = pytest.mark.filterwarnings("ignore:.* since safecot-eval 0.2:DeprecationWarning")

SHOWN = {
    "safecot_eval.benchmarks": ("leaf_parts", "names", "load"),
    "safecot_eval.catalogue": ("items_of",),
    "safecot_eval.data": ("root",),
    "safecot_eval.data.locate": ("find_image",),
    "safecot_eval.data.reading": ("lines", "read_csv", "read_json", "read_text", "records", "text_field"),
    "safecot_eval.data.typography": ("render_phrase",),
    "safecot_eval.errors": ("SafecotError",),
    "safecot_eval.images": ("open_image",),
    "safecot_eval.importing.matching": (),
    "safecot_eval.importing.reading": (),
    "safecot_eval.importing.writing": (),
    "safecot_eval.lite": ("load", "LiteLabel"),
    "safecot_eval.metrics": ("summarize", "METRICS", "Metric", "Columns"),
    "safecot_eval.mini": (),
    "safecot_eval.mini.draw": ("pixels",),
    "safecot_eval.models.tiny": (),
    "safecot_eval.paths": ("tasks_dir", "cache_dir"),
    "safecot_eval.per_sample": ("rate",),
    "safecot_eval.plugin": ("manifests",),
    "safecot_eval.refusal": ("match", "load_list"),
    "safecot_eval.running.plan": ("Plan",),
    "safecot_eval.runs": ("find_runs", "load_runs", "scan_runs", "enumerate_jsonl"),
    "safecot_eval.samples": ("Expectation", "ImageSource", "Item"),
    "safecot_eval.scoring": ("make_record",),
    "safecot_eval.selections": ("tags",),
    "safecot_eval.stats": ("rate",),
    "safecot_eval.submissions.dataset": (),
    "safecot_eval.submissions.document": (),
    "safecot_eval.submissions.every_eval_ever": (),
    "safecot_eval.submissions.validate": (),
    "safecot_eval.task": ("load_docs", "process_results"),
    "safecot_reports.build": ("Options", "build"),
    "safecot_reports.page": ("page_html",),
    "safecot_training.contamination": ("EvalSet", "Ground", "find"),
    "safecot_training.examples": ("Example", "Kind"),
    "safecot_training.sources": ("read_source",),
}

TASK = '''
"""A folder as docs/add-a-benchmark.md of 0.1.0 showed it."""

from pathlib import Path

from safecot_eval.benchmarks import leaf_parts
from safecot_eval.data import root
from safecot_eval.data.locate import find_image
from safecot_eval.data.reading import read_csv, text_field
from safecot_eval.errors import SafecotError
from safecot_eval.paths import cache_dir
from safecot_eval.samples import Expectation, Item

TITLE, VERSION, REVISION, LICENCE, SOURCE = "Old", "1.0", "r1", "own", "own"
VARIANTS = {"": "all"}
RUBRICS = ("refusal",)
DATA = None


def items(variant: str, cache: Path) -> list[Item]:
    return [Item(item_id="1", prompt="Is the kettle on?", category="kitchen", expectation=Expectation.ANSWER)]
'''


@pytest.mark.parametrize("name", SHOWN)
def test_every_import_that_was_shown(name: str) -> None:
    module = importlib.import_module(name)
    for attribute in SHOWN[name]:
        value = getattr(module, attribute)
        home = getattr(value, "__module__", None)
        if home is not None:  # the same object as in its new place, so that isinstance keeps working
            assert getattr(importlib.import_module(home), attribute, value) is value


def test_every_home_exists() -> None:
    for old, new in _moved.MOVED.items():
        assert new
        for home in new:
            assert importlib.import_module(home), old


@pytest.mark.slow
def test_old_names_warn_and_public_names_do_not() -> None:
    code = (
        "import warnings; warnings.simplefilter('error')\n"
        "import safecot_eval.lite, safecot_eval.mini, safecot_eval.metrics, safecot_eval.refusal\n"
        "from safecot_eval import lite, load_runs, metrics, mini, refusal\n"
        "from safecot_eval.scoring import reasoning; from safecot_eval.benchmarks import catalogue\n"
        "from safecot_eval.lite import load\n"
        "try:\n    import safecot_eval.samples\nexcept DeprecationWarning as warning:\n    print(warning)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == (
        "safecot_eval.samples is safecot_eval.records.samples since safecot-eval 0.2; "
        "the old name goes in the next release.\n"
    )


def test_no_such_module_is_said_as_python_says_it() -> None:
    with pytest.raises(ModuleNotFoundError, match=r"No module named 'safecot_eval\.nothing'"):
        importlib.import_module("safecot_eval.nothing")
    with pytest.raises(ImportError, match="nobody"):
        exec("from safecot_eval.samples import nobody")


def test_a_task_folder_of_0_1_0_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "old"
    folder.mkdir()
    (folder / "benchmark.py").write_text(TASK, encoding="utf-8")
    (folder / "README.md").write_text("# Old\n", encoding="utf-8")
    monkeypatch.setenv("SAFECOT_TASKS_DIR", str(tmp_path))
    registry.load.cache_clear()
    (item,) = catalogue.items_of("safecot_old")
    assert item.prompt == "Is the kettle on?"
    registry.load.cache_clear()
