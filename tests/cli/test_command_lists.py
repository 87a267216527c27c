"""What ``safecot GROUP --help`` lists: every command with a whole first sentence; and what a wrong call costs."""

from __future__ import annotations

import subprocess
import sys

import pytest
from click.testing import CliRunner

from safecot_eval.cli import cli


@pytest.mark.parametrize("group", ["judge", "data", "export", "label", "lite", "train"])
def test_no_sentence_of_a_command_list_is_cut(group: str) -> None:
    done = CliRunner().invoke(cli, [group, "--help"])
    assert done.exit_code == 0
    listed = done.output.partition("Commands:")[2]
    assert listed.strip()
    assert "..." not in listed


def test_a_check_without_a_base_is_refused_before_torch_is_imported() -> None:
    code = (
        "import sys; from safecot_eval.cli import main\n"
        "try: main(['train', 'check'])\n"
        "finally: print([name for name in ('torch', 'transformers') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "Give a base" in done.stderr
    assert done.stdout.strip() == "[]"
