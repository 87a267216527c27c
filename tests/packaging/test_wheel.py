"""What is in the wheel, what it asks for, and that it is enough: installed with pip, used from another folder."""

from __future__ import annotations

import email
import json
import os
import re
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from safecot_eval.benchmarks import registry
from safecot_eval.scoring import refusal
from tests.packaging.conftest import ROOT

UNMET = """
from importlib.metadata import PackageNotFoundError, requires, version
from packaging.requirements import Requirement

def unmet(text):
    wanted = Requirement(text)
    if wanted.marker and not wanted.marker.evaluate({"extra": ""}):
        return False
    try:
        return not wanted.specifier.contains(version(wanted.name), prereleases=True)
    except PackageNotFoundError:
        return True

print([text for text in requires("safecot-eval") if unmet(text)])
"""
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture(scope="session")
def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def tracked(*folders: str) -> set[str]:
    """Files that git knows below some folders."""
    done = subprocess.run(
        ["git", "ls-files", "-z", *folders], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip("not a git checkout")
    return {name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()}


@pytest.mark.slow
def test_every_file_of_the_packages_is_there(names: set[str]) -> None:
    """Code and data: rubrics, phrase lists, templates, model cards, the embedded classifier, recipes."""
    expected = tracked("safecot_eval")
    expected |= {name.removeprefix("training/") for name in tracked("training/safecot_training")}
    expected |= {name.removeprefix("reports/") for name in tracked("reports/safecot_reports")}
    expected |= {f"safecot_eval/_tasks/{name.removeprefix('tasks/')}" for name in tracked("tasks")}
    expected |= {
        f"safecot_training/_recipes/{name.removeprefix('training/recipes/')}"
        for name in tracked("training/recipes")
    }
    assert len(expected) > 300
    assert not expected - names


def test_what_people_look_for_by_name(names: set[str]) -> None:
    for name in registry.names():
        assert f"safecot_eval/_tasks/{name}/benchmark.py" in names
    for name in refusal.available_lists():
        assert f"safecot_eval/scoring/refusal_lists/{name}.yaml" in names
    for name in (
        "safecot_eval/_tasks/_safecot_leaf",
        "safecot_eval/judge/lite/safecot-lite.json",
        "safecot_eval/submissions/schema.json",
        "safecot_eval/py.typed",
        "safecot_reports/templates/page.html",
        "safecot_eval/benchmarks/mini/world.yaml",
    ):
        assert name in names
    assert any(name.startswith("safecot_eval/judge/rubrics/") for name in names)
    assert any(name.startswith("safecot_training/_recipes/") and name.endswith(".yaml") for name in names)


@pytest.mark.slow
def test_nothing_else_is_there(names: set[str], wheel: Path) -> None:
    tops = {name.split("/")[0] for name in names}
    assert tops == {
        "safecot_eval",
        "safecot_reports",
        "safecot_training",
        f"safecot_eval-{PROJECT['version']}.dist-info",
    }
    endings = (".pyc", ".safetensors", ".bin", ".pt", ".parquet", ".log", ".part")
    assert not [
        name for name in names if name.endswith(endings) or "/tests/" in name or "__pycache__" in name
    ]
    assert wheel.stat().st_size < 5 * 2**20
    with zipfile.ZipFile(wheel) as archive:
        for name in names:
            assert str(ROOT).encode() not in archive.read(name), f"{name} names a folder of this machine"


def metadata(wheel: Path) -> email.message.Message:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return email.message_from_bytes(archive.read(name))


def test_metadata(wheel: Path) -> None:
    found = metadata(wheel)
    assert found["Name"] == "safecot-eval"
    assert found["License-Expression"] == "Apache-2.0"
    assert set(found.get_all("License-File") or ()) == {"LICENSE", "NOTICE"}
    assert set(found.get_all("Provides-Extra") or ()) >= {"train", "qlora", "vllm", "hub", "xlsx"}
    with zipfile.ZipFile(wheel) as archive:
        (points,) = (n for n in archive.namelist() if n.endswith("entry_points.txt"))
        text = archive.read(points).decode()
    assert "safecot = safecot_eval.cli:main" in text
    assert "[lmms_eval.models]\nsafecot = safecot_eval.generate.plugin:manifests" in text


def test_the_locked_versions_are_among_those_that_are_asked_for() -> None:
    """Above all lmms-eval: the pin that was tested lies in the range that the package promises."""
    pins = {}
    for line in (ROOT / "requirements/runtime.txt").read_text().splitlines():
        if found := re.match(r"^([a-z0-9][a-z0-9._-]*)==([^ ;\\]+)", line):
            pins[found[1]] = Version(found[2])
    asked = [Requirement(text) for text in PROJECT["dependencies"]]
    for requirement in asked:
        assert requirement.name in pins, f"{requirement.name} is not locked"
        assert requirement.specifier.contains(pins[requirement.name], prereleases=True), requirement
    (host,) = (requirement for requirement in asked if requirement.name == "lmms-eval")
    assert not host.specifier.contains("0.9.0")
    assert "lmms-eval==0.7.3" in (ROOT / "requirements/runtime.in").read_text()


@pytest.mark.parametrize("name", ["runtime.txt", "dev.txt"])
def test_locks_hold_names_versions_and_hashes_only(name: str) -> None:
    lines = (ROOT / "requirements" / name).read_text().splitlines()
    assert not [line for line in lines if "://" in line or "--index" in line or "@ " in line]
    pinned = [line for line in lines if re.match(r"^[a-z0-9]", line)]
    assert len(pinned) > 100
    assert all("==" in line for line in pinned)
    assert sum("--hash=sha256:" in line for line in lines) >= len(pinned)


@pytest.fixture(scope="session")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with nothing of ours but the wheel.

    The third-party packages are those of the test environment, by links, so that this takes seconds. They are resolved with
    overrides (for the CPU build of vLLM), which pip would not accept; that they are what the wheel asks for is
    checked apart.
    """
    root = tmp_path_factory.mktemp("empty")
    venv.create(root / "env", with_pip=True)
    python = root / "env" / "bin" / "python"
    others = (
        root / "others" / "site-packages"
    )  # dill takes only files below a folder of this name for installed
    others.mkdir(parents=True)
    for path in Path(sysconfig.get_path("purelib")).iterdir():
        ours = path.name.lower().startswith(("safecot", "_safecot", "__editable__")) or path.suffix == ".pth"
        if not ours and path.name not in ("pip", "__pycache__"):
            (others / path.name).symlink_to(path)
    (site,) = (root / "env" / "lib").glob("python*/site-packages")
    (site / "others.pth").write_text(f"{others}\n")
    absent = subprocess.run([python, "-c", "import safecot_eval"], cwd=root, capture_output=True, check=False)
    assert absent.returncode
    done = subprocess.run(
        [
            python,
            "-m",
            "pip",
            "install",
            "--no-index",
            "--disable-pip-version-check",
            "--no-deps",
            wheel,
        ],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return root


@pytest.mark.slow
@pytest.mark.xdist_group("wheel")
def test_the_wheel_works_from_another_folder_with_plain_lmms_eval(environment: Path) -> None:
    folder = environment / "elsewhere"
    folder.mkdir()
    clean = {
        k: v
        for k, v in os.environ.items()
        if not k.startswith(("SAFECOT_", "LMMS_", "PYTHON", "VIRTUAL_ENV"))
    }
    clean |= {"SAFECOT_CACHE_DIR": str(environment / "cache"), "HF_HUB_OFFLINE": "1"}
    binaries = environment / "env" / "bin"

    def run(*arguments: str) -> str:
        done = subprocess.run(arguments, cwd=folder, env=clean, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-1500:] + done.stderr[-1500:]
        return done.stdout

    python = str(binaries / "python")
    place = run(
        python, "-c", "import safecot_eval, safecot_reports, safecot_training; print(safecot_eval.__file__)"
    )
    assert place.startswith(str(environment / "env"))
    assert run(python, "-c", UNMET) == "[]\n"
    run(
        *(
            python,
            "-m",
            "lmms_eval",
            "eval",
            "--model",
            "safecot_baseline",
            "--model_args",
            "policy=refuse_all",
        ),
        *("--tasks", "safecot_mini_tiny", "--limit", "6", "--output_path", "runs", "--log_samples"),
    )
    safecot = str(binaries / "safecot")
    assert "ready    safecot_mini_tiny" in run(safecot, "data", "list")
    run(safecot, "report", "runs", "-o", "leaderboard.csv")
    run(safecot, "submit", "runs", "-o", "m.safecot.json")
    assert "sound: refuse_all" in run(safecot, "validate", "m.safecot.json")
    document = json.loads((folder / "m.safecot.json").read_text())
    (block,) = document["tasks"]
    assert len(block["columns"]["id"]) == 6
    rates = {r["metric"]: r["value"] for r in block["rates"] if r["evaluator"].startswith("template:")}
    assert rates["crr"] == 1.0
    assert rates["car"] == 0.0


def test_this_interpreter_is_supported() -> None:
    assert sys.version_info >= tuple(map(int, PROJECT["requires-python"].removeprefix(">=").split(".")))
