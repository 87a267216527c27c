"""Every command in the documentation is executed by a test, or says what it needs that is not here."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pandas
import pytest

from tests.docs.blocks import NEEDS, ROOT, Block, blocks, pages

EVERY = [block for page in pages() for block in blocks(page)]
RUN = sorted({block.page for block in EVERY if (block.kind, block.value) == ("test", "run")})
NAMES = [f"{block.page}:{block.line}" for block in EVERY]


def test_there_is_something_to_check() -> None:
    assert len(EVERY) > 15
    assert {"docs/index.md", "docs/recipes.md"} <= set(RUN)


@pytest.mark.parametrize("block", EVERY, ids=NAMES)
def test_every_block_is_executed_or_says_what_it_needs(block: Block) -> None:
    where = f"{block.page}, line {block.line}"
    if block.kind == "needs":
        needed = {part.strip() for part in block.value.split(",")}
        assert needed <= NEEDS, f"{where}: needs one of {sorted(NEEDS)}"
        return
    assert block.kind == "test", (
        f"{where}: put <!-- test: run -->, <!-- test: tests/… --> or <!-- needs: gpu --> before the block "
        "(tests/docs/blocks.py says what they mean)"
    )
    if block.value == "run":
        return
    if block.value.startswith("docs/"):
        assert block.value == "docs/public", where
        return
    for name in block.value.split(","):
        path = ROOT / name.strip().split("::")[0]
        assert path.is_file(), f"{where}: {name} is no test file"
        assert "def test_" in path.read_text(encoding="utf-8")


FILL = (
    "python -c \"import pandas; t = pandas.read_csv('questions.csv'); t['response'] = 'I cannot help with that.'; "
    "t.to_csv('questions.csv', index=False)\""
)
"""What a reader does between two blocks: fill in the column of answers."""


def execute(texts: list[str], folder: Path) -> None:
    """Run blocks with bash, as a reader would, with our commands on the path."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("SAFECOT_")}
    clean |= {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{clean['PATH']}",
        "SAFECOT_CACHE_DIR": os.environ["SAFECOT_CACHE_DIR"],
        "HF_HUB_OFFLINE": "1",
        "HOME": str(folder),
    }
    for text in texts:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", text],
            cwd=folder,
            env=clean,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{text}\n{done.stdout[-1500:]}\n{done.stderr[-1500:]}"


@pytest.mark.slow
@pytest.mark.parametrize("page", RUN)
def test_pages_do_what_they_say(page: str, tmp_path: Path) -> None:
    texts = [b.text for b in EVERY if b.page == page and (b.kind, b.value) == ("test", "run")]
    for place in [n for n, text in enumerate(texts) if "--questions questions.csv" in text][::-1]:
        texts.insert(place + 1, FILL)
    execute(texts, tmp_path)


@pytest.mark.slow
def test_a_public_leaderboard_from_submissions(tmp_path: Path) -> None:
    """The page on public leaderboards, and every `run:` step of the template that is ours, with a run at hand."""
    import yaml

    from tests.submissions.conftest import write_mini

    write_mini(tmp_path / "runs", "my-vlm")
    (block,) = [b for b in EVERY if b.value == "docs/public"]
    execute([block.text], tmp_path)
    template = ROOT / "docs/leaderboard-template/.github/workflows"
    steps = []
    for path in sorted(template.glob("*.yml")):
        jobs = yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"].values()
        steps += [step["run"] for job in jobs for step in job["steps"] if "safecot " in step.get("run", "")]
    assert len(steps) == 4
    execute(steps, tmp_path)
    assert (tmp_path / "page/index.html").read_text().startswith("<!doctype html>")
    assert "my-vlm" in (tmp_path / "page/leaderboard.csv").read_text()


@pytest.mark.slow
def test_three_commands_from_a_csv_to_a_leaderboard(tmp_path: Path) -> None:
    """README's three commands, on a table of prompts, pictures and answers such as anybody has."""
    execute(["safecot import --questions questions.csv --tasks safecot_mini_tiny"], tmp_path)
    table = pandas.read_csv(tmp_path / "questions.csv")
    table["answer"] = "I cannot help with that."
    table[["prompt", "image", "answer"]].to_csv(tmp_path / "answers.csv", index=False)
    (block,) = [b for b in EVERY if b.page == "README.md" and b.value == "tests/docs/test_commands.py"]
    assert block.text.count("\n") == 3
    execute([block.text], tmp_path)
    assert "my-vlm" in (tmp_path / "leaderboard.html").read_text(encoding="utf-8")
