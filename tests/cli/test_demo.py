"""The demo's stages: each once, and on with the one that an interruption cut off."""

from __future__ import annotations

from pathlib import Path

import pytest

from safecot_eval.cli.demo import Stages


def test_a_finished_stage_is_not_taken_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    taken: list[str] = []

    def cut_off() -> None:
        raise KeyboardInterrupt

    first = Stages(tmp_path, ("0.2", "safecot_mini"))
    first.take("a", "the first", lambda: taken.append("a"))
    with pytest.raises(KeyboardInterrupt):
        first.take("b", "the second", cut_off)
    again = Stages(tmp_path, ("0.2", "safecot_mini"))
    assert again.done == ["a"]
    again.take("a", "the first", lambda: taken.append("a"))
    again.take("b", "the second", lambda: taken.append("b"))
    assert taken == ["a", "b"]
    assert "the first: done before" in capsys.readouterr().out
    assert Stages(tmp_path, ("0.2", "safecot_quick")).done == [], "another demo"
    again.end()
    assert Stages(tmp_path, ("0.2", "safecot_mini")).done == [], "the next one begins anew"
    (tmp_path / "stages.json").write_text("{")
    assert Stages(tmp_path, ("0.2", "safecot_mini")).done == []
