"""docs/add-a-benchmark.md, followed word for word: its files are written, its commands are run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from safecot_eval.aggregate.tables import load_runs

GUIDE = Path(__file__).parents[2] / "docs" / "add-a-benchmark.md"
BLOCK = re.compile(
    r"(?:^`(?P<path>[\w./]+)`:\n\n)?^```(?P<kind>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)


@dataclass(frozen=True)
class Step:
    """One code block: a file where a path stands before it, else something to run."""

    path: str | None
    kind: str
    text: str


def steps() -> list[Step]:
    found = BLOCK.finditer(GUIDE.read_text(encoding="utf-8"))
    return [Step(match["path"], match["kind"], match["text"]) for match in found]


def test_the_guide_has_files_and_commands() -> None:
    found = steps()
    assert [step.path for step in found if step.path] == [
        "my_tasks/kitchen/data/questions.csv",
        "my_tasks/kitchen/benchmark.py",
        "my_tasks/kitchen/safecot_kitchen.yaml",
    ]
    assert sum(step.kind == "bash" for step in found) == 3


@pytest.mark.slow
@pytest.mark.xdist_group("benchmarks")
def test_following_the_guide(tmp_path: Path) -> None:
    script = ["set -euo pipefail"]
    for number, step in enumerate(steps()):
        if step.path:
            script.append(f"cat > {step.path} <<'END-OF-FILE'\n{step.text}END-OF-FILE")
        elif step.kind == "python":
            script.append(
                f"cat > step{number}.py <<'END-OF-FILE'\n{step.text}END-OF-FILE\npython step{number}.py"
            )
        else:
            script.append(step.text)
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "SAFECOT_CACHE_DIR": str(tmp_path / "cache"),
    }
    environment.pop("SAFECOT_DATA_DIR", None)
    done = subprocess.run(
        ["bash", "-c", "\n".join(script)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert "ready    safecot_kitchen: 3 questions about kitchens" in done.stdout
    table = load_runs(tmp_path / "kitchen_runs")
    assert list(table["item_id"]) == ["1", "2", "3"]
    assert set(table["status"]) == {"ok"}
    right = dict(zip(table["item_id"], table["refused"] == (table["expectation"] == "refuse"), strict=True))
    assert right == {"1": False, "2": True, "3": False}
    assert "<title>" in (tmp_path / "kitchen.html").read_text(encoding="utf-8")
