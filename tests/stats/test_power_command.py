"""``safecot power``."""

from __future__ import annotations

import pytest

from safecot_eval.cli import main


def run(capsys, *arguments):
    with pytest.raises(SystemExit) as ended:
        main(["power", *arguments])
    captured = capsys.readouterr()
    return ended.value.code, captured.out, captured.err


def test_what_a_number_of_items_can_show(capsys):
    code, out, _ = run(capsys, "--n", "1680")
    assert code == 0
    assert "10%    1,680 items show 2.2 points with power 80%" in out


def test_how_many_items_a_difference_needs_with_clusters(capsys):
    assert "155 items" in run(capsys, "--effect", "0.1", "--discordant", "0.2")[1]
    # Three items per question, correlation 0.5: twice as many.
    assert "310 items" in run(capsys, "--effect", "0.1", "--discordant", "0.2", "--cluster-size", "3")[1]


def test_power_of_given_items_for_a_given_difference(capsys):
    out = run(capsys, "--n", "155", "--effect", "0.1", "--discordant", "0.2")[1]
    assert "with power 80" in out


def test_too_few_items_say_so(capsys):
    assert "5 items show nothing" in run(capsys, "--n", "5", "--discordant", "0.05")[1]


@pytest.mark.parametrize("arguments", [[], ["--effect", "0.3", "--discordant", "0.1"]])
def test_a_mistake_is_one_line(capsys, arguments):
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (2, "")
    assert err.startswith("safecot: ")
    assert err.count("\n") == 1
