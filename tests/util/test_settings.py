"""Files of settings: what is wrong is said with file, line and key, and no value of the file is repeated."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import pytest
from pydantic import StrictBool, StrictInt

from safecot_eval.util.errors import SafecotError
from safecot_eval.util.settings import Settings


class Inner(Settings):
    colour: str = ""


class Example(Settings):
    what = "example"
    help = "docs/example.md"
    name: str
    count: StrictInt | Literal["all"] = 1
    loud: StrictBool = False
    words: tuple[str, ...] = ()
    inner: Inner = Inner()
    by_name: Mapping[str, Inner] = {}


def read(path: Path, text: str) -> Example:
    path.write_text(text, encoding="utf-8")
    return Example.read(path)


def test_absent_empty_and_numbers_for_text(tmp_path: Path) -> None:
    found = read(tmp_path / "a.yaml", "name: 5\ncount:\nwords: [a, 1]\nby_name: {x: {colour: red}}")
    assert (found.name, found.count, found.words) == ("5", 1, ("a", "1"))
    assert found.by_name["x"].colour == "red"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("name: a\nnmae: b", ", line 2: not a valid example: unknown key 'nmae', did you mean 'name'?"),
        ("count: 2", ": not a valid example: name is missing"),
        ("name: a\n\ncount: 1.5", ", line 3: not a valid example: count: should be a whole number or should be 'all'"),
        ("name: a\nloud: 'yes'", ", line 2: not a valid example: loud: should be true or false"),
        ("name: a\nwords: b", ", line 2: not a valid example: words: should be a list"),
        ("name: a\nwords:\n- b\n- [c]", ", line 4: not a valid example: words.1: should be text"),
        ("name: a\ninner:\n  size: 3", ", line 3: not a valid example: inner: unknown key 'size'"),
        ("name: a\ninner: 3", ", line 2: not a valid example: inner: the content should be"),
        ("name: a\nby_name:\n  x:\n    colour: [1]", ", line 4: not a valid example: by_name.x.colour: should be text"),
        ("- a", ": not a valid example: the content should be `key: value` lines"),
        ("", ": not a valid example: the content should be `key: value` lines"),
        ("name: [", ": not a valid example: not YAML"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_sentence(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(SafecotError) as caught:
        read(tmp_path / "a.yaml", text)
    said = str(caught.value)
    assert said.startswith(f"{tmp_path / 'a.yaml'}{says}")
    assert "\n" not in said


def test_a_secret_in_the_wrong_place_is_not_repeated(tmp_path: Path) -> None:
    with pytest.raises(SafecotError) as caught:
        read(tmp_path / "a.yaml", "name: a\nloud: sk-secret")
    assert "sk-secret" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SafecotError, match="no such file"):
        Example.read(tmp_path / "none.yaml")
