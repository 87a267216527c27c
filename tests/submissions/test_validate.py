"""A sound submission passes; every way of changing it that we can think of does not."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from safecot_eval.submissions import load, save, validate
from safecot_eval.submissions.shape import problems, schema
from safecot_eval.util.errors import SafecotError
from tests.submissions.conftest import PROMPT_WORD, SECRET

Change = Callable[[dict[str, Any]], Any]
Forge = Callable[[Change], dict[str, Any]]


def block(document: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = document["tasks"][0]
    return found


def template(document: dict[str, Any]) -> dict[str, Any]:
    return next(e for e in block(document)["evaluators"] if e["name"].startswith("template:"))


def rate(document: dict[str, Any], metric: str) -> dict[str, Any]:
    return next(
        r for r in block(document)["rates"] if r["metric"] == metric and r["evaluator"].startswith("template")
    )


def test_a_sound_submission(sealed: dict[str, Any]) -> None:
    found = validate(sealed)
    assert found.errors == []
    assert found.checked == ["safecot_mini_tiny"]
    jsonschema.Draft202012Validator.check_schema(schema("schema"))
    jsonschema.validate(sealed, schema("schema"))


def test_no_text_no_secret_and_no_path_is_in_it(sealed: dict[str, Any], run_folder: Path) -> None:
    text = json.dumps(sealed)
    samples = next(run_folder.glob("*_samples_*.jsonl")).read_text()
    assert PROMPT_WORD in samples
    for word in (PROMPT_WORD, "Hm, ", "Of course", SECRET, "/home/", "somebody"):
        assert word not in text
    prompts = {json.loads(line)["safecot"]["prompt"] for line in samples.splitlines()}
    assert not [prompt for prompt in prompts if prompt in text]
    assert "cache=models" in block(sealed)["provenance"]["command"]


def test_a_change_without_a_new_hash(sealed: dict[str, Any]) -> None:
    changed = copy.deepcopy(sealed)
    rate(changed, "crr")["value"] = 0.99
    assert any("sha256" in problem for problem in validate(changed).errors)


FORGERIES: list[tuple[str, Change, str]] = [
    ("rate", lambda d: rate(d, "crr").update(value=0.999), r"crr .* by the samples, and 0\.999"),
    ("count", lambda d: rate(d, "car").update(n=1), "car .* in the file"),
    ("rate left out", lambda d: block(d)["rates"].remove(rate(d, "car")), "car .* is not among the rates"),
    (
        "made-up rate",
        lambda d: block(d)["rates"].append({**rate(d, "crr"), "metric": "asr"}),
        "cannot be worked out",
    ),
    ("outcome", lambda d: template(d)["codes"].__setitem__(1, 1), "by the samples"),
    (
        "outcome of nothing",
        lambda d: template(d)["codes"].__setitem__(7, 1),
        "do not go with the answers' status",
    ),
    ("outcome dropped", lambda d: template(d)["codes"].pop(), "51 outcomes for 52 samples"),
    (
        "twice",
        lambda d: block(d)["columns"]["id"].__setitem__(1, block(d)["columns"]["id"][0]),
        "occurs twice",
    ),
    ("short column", lambda d: block(d)["columns"]["status"].pop(), "status has 51 entries for 52"),
    ("empty column", lambda d: block(d)["columns"]["status"].clear(), "status has 0 entries"),
    (
        "category",
        lambda d: block(d)["columns"]["category"].__setitem__(0, 99),
        "category has a code without a name",
    ),
    ("task twice", lambda d: d["tasks"].append(d["tasks"][0]), "safecot_mini_tiny: occurs twice"),
    ("text", lambda d: d.update(answers=["x"]), "the document: 'answers' is not a key of this format"),
    (
        "text within",
        lambda d: block(d)["columns"].update(raw=["x"]),
        r"tasks\[0\]\.columns: 'raw' is not a key",
    ),
    (
        "kind",
        lambda d: block(d)["columns"]["tokens"].__setitem__(0, "5"),
        r"tokens\[0\]: should be of type integer",
    ),
    (
        "truth",
        lambda d: block(d)["columns"]["tokens"].__setitem__(0, True),
        r"tokens\[0\]: should be of type integer",
    ),
    ("no lists", lambda d: block(d)["evaluators"].clear(), "evaluators: 0 entries are too few"),
    ("status", lambda d: d["codes"]["status"].__setitem__(1, "fine"), "codes.status"),
    ("control", lambda d: d.update(model="a\u202eb"), "control characters"),
    ("future", lambda d: d.update(created="2036-01-01T00:00:00Z"), "in the future"),
    ("no date", lambda d: d.update(created="2026-13-01T00:00:00Z"), "in the future"),
    ("future run", lambda d: block(d).update(stamp="20360101_000000"), "in the future"),
    ("no time", lambda d: block(d).update(stamp="20269901_000000"), "is not a time"),
    ("judge", lambda d: block(d)["evaluators"][-1].update(name="gpt-4/refusal"), "not made of its judge"),
]


@pytest.mark.parametrize(("change", "said"), [f[1:] for f in FORGERIES], ids=[f[0] for f in FORGERIES])
def test_forgeries_with_a_fitting_hash(forge: Forge, change: Change, said: str) -> None:
    import re

    found = validate(forge(change))
    assert [problem for problem in found.errors if re.search(said, problem)], found.errors


ITEMS: list[tuple[str, Change, str]] = [
    (
        "unknown",
        lambda d: block(d)["columns"]["id"].__setitem__(0, "0" * 16),
        "1 of 52 samples are not the benchmark's",
    ),
    (
        "expectation",
        lambda d: block(d)["columns"]["expectation"].__setitem__(0, 1),
        "1 sample has another expectation",
    ),
    ("cluster", lambda d: block(d)["columns"]["cluster"].__setitem__(0, 5), "not grouped by cluster"),
    ("pair", lambda d: block(d)["columns"]["pair"].__setitem__(0, -1), "not grouped by pair"),
    ("category", lambda d: block(d)["columns"]["category"].__setitem__(0, 1), "another category"),
    ("core", lambda d: block(d)["columns"]["core"].__setitem__(0, 1), "another core"),
]


@pytest.mark.parametrize(("change", "said"), [i[1:] for i in ITEMS], ids=[i[0] for i in ITEMS])
def test_the_benchmark_itself_is_the_witness(forge: Forge, change: Change, said: str) -> None:
    """Even where the rates are made to fit, the items are not the submitter's to change."""

    def both(document: dict[str, Any]) -> None:
        from safecot_eval.submissions.blocks import columns_of, rates

        change(document)
        block(document)["rates"] = rates(columns_of(document["model"], block(document), document["codes"]))

    document = forge(both)
    assert any(said in problem for problem in validate(document).errors)
    assert validate(document, data=False).errors == []


WARNINGS: list[tuple[str, Change, str]] = [
    ("limit", lambda d: block(d)["provenance"].update(limit=8), "only a part of the items"),
    ("version", lambda d: block(d).update(version="0.1"), "version 0.1; 1.0 is current"),
    ("data", lambda d: block(d).update(data_revision="other"), "another revision"),
    ("old", lambda d: block(d).update(stamp="20010101_000000"), "older than"),
    ("command", lambda d: block(d)["provenance"].update(command=None), "is not known"),
    ("imported", lambda d: block(d)["provenance"].update(imported={}), "were imported"),
    ("own judge", lambda d: d.update(model="judge-x"), "its own judge"),
    ("long", lambda d: block(d)["columns"]["tokens"].__setitem__(0, 900), "longer than max_new_tokens"),
]


@pytest.mark.parametrize(("change", "said"), [w[1:] for w in WARNINGS], ids=[w[0] for w in WARNINGS])
def test_what_a_reviewer_should_look_at(forge: Forge, change: Change, said: str) -> None:
    def both(document: dict[str, Any]) -> None:
        from safecot_eval.submissions.blocks import columns_of, rates

        change(document)
        block(document)["rates"] = rates(columns_of(document["model"], block(document), document["codes"]))

    found = validate(forge(both))
    assert found.errors == []
    assert any(said in warning for warning in found.warnings), found.warnings


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "not a submission file"),
        (b"[]", "not a JSON object"),
        (b'{"a": 1, "a": 2}', "a key occurs twice"),
        (b'{"a": NaN}', "NaN is not a number"),
        (b'{"a": 1e999}', "too large"),
        (b"[" * 100_000, "not a submission file"),
        (b'{"a": "\xff"}', "not a submission file"),
    ],
)
def test_what_is_no_submission_at_all(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "a.safecot.json"
    path.write_bytes(content)
    with pytest.raises(SafecotError, match=said):
        load(path)


def test_saved_and_loaded_is_the_same(tmp_path: Path, sealed: dict[str, Any]) -> None:
    save(sealed, tmp_path / "a.safecot.json")
    assert load(tmp_path / "a.safecot.json") == sealed


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 10**7) | st.text(max_size=5) | st.just("a" * 64),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["id", "task", "x"]), inner, max_size=2)
    ),
    max_leaves=4,
)


@pytest.mark.slow
@given(data=st.data())
def test_looking_at_each_entry_once_agrees_with_the_plain_validator(
    sealed: dict[str, Any], data: st.DataObject
) -> None:
    document = json.loads(json.dumps(sealed))
    place: Any = document
    for _ in range(data.draw(st.integers(1, 5))):
        keys = list(place) if isinstance(place, dict) else list(range(min(len(place), 3)))
        if not keys:
            return
        key = data.draw(st.sampled_from(keys))
        if not isinstance(place[key], dict | list) or data.draw(st.booleans()):
            if isinstance(place, dict) and data.draw(st.booleans()):
                del place[key]
            else:
                place[key] = data.draw(JSON)
            break
        place = place[key]
    ours = next(problems(document, schema("schema")), None) is None
    assert ours == jsonschema.Draft202012Validator(schema("schema")).is_valid(document)


def test_a_fraction_is_no_code(forge: Forge) -> None:
    """JSON Schema takes 3.0 for an integer; Python does not index with it."""
    found = validate(forge(lambda d: block(d)["columns"]["tokens"].__setitem__(0, 3.0)))
    assert found.errors == ["tasks[0].columns.tokens[0]: should be of type integer"]
