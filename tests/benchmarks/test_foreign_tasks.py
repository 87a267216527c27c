"""Names of lmms-eval's own tasks: misspelt ones are refused before anything is loaded."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from safecot_eval.benchmarks import foreign_tasks
from safecot_eval.cli import cli
from safecot_eval.util.errors import SafecotError


def test_lmms_evals_tasks_groups_and_tags_are_known() -> None:
    foreign_tasks.require_known(
        ["pope", "mme", "mmbench_en_dev", "scienceqa_img", "mmmu*", "mmlu_anatomy", "a/b.yaml"]
    )


def test_an_unknown_one_is_named_with_those_like_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SafecotError, match=r"has a task 'pop'; did you mean pope"):
        foreign_tasks.require_known(["mme", "pop"])
    with pytest.raises(
        SafecotError, match=r"has a task 'zzzzzz'; `python -m lmms_eval --tasks list` shows all"
    ):
        foreign_tasks.require_known(["zzzzzz"])
    (tmp_path / "mine.yaml").write_text("task: zzzzzz\ndataset_path: json\n", encoding="utf-8")
    foreign_tasks.require_known(["zzzzzz"], tmp_path)
    monkeypatch.setenv("LMMS_EVAL_PLUGINS", "somebody_elses")
    foreign_tasks.require_known(["what_only_they_know"])


def test_the_command_refuses_it_before_the_model(tmp_path: Path) -> None:
    arguments = ["run", "--model", "safecot_hf", "--model_args", "pretrained=org/model", "--tasks", "pop,mme"]
    done = CliRunner().invoke(cli, [*arguments, "--output_path", str(tmp_path), "--dry-run"])
    assert isinstance(done.exception, SafecotError)
    assert "has a task 'pop'; did you mean pope" in str(done.exception)


@pytest.mark.slow
def test_every_name_of_lmms_eval_is_known() -> None:
    from lmms_eval.tasks import TaskManager

    foreign_tasks.require_known(
        name for name in TaskManager("ERROR").all_tasks if not name.startswith("safecot")
    )
