"""The variables that we set for libraries, and that what the user has set stays."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from safecot_eval.util import environment


def test_defaults_are_set_and_the_users_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in environment.DEFAULTS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GOMP_SPINCOUNT", "7")
    environment.prepare()
    assert os.environ["TOKENIZERS_PARALLELISM"] == "false"
    assert os.environ["GOMP_SPINCOUNT"] == "7"


def test_the_command_line_sets_them_before_torch_is_loaded() -> None:
    code = (
        "import os, sys; from safecot_eval import cli; from safecot_eval.util import environment; "
        "prepare = environment.prepare; "
        "environment.prepare = lambda: (print('torch' in sys.modules), prepare()); "
        "cli.main(['--version'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[0] == "False"
