"""Tables that were published with benchmarks find the items they are about, without their ids being looked at."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from safecot_eval.benchmarks import catalogue
from safecot_eval.generate.importing import match, read


@pytest.mark.parametrize(
    "name", ["completions_llama2new", "completions_llama2orig", "completions_mistralinstruct"]
)
def test_xstest_completions(data_dir: Path, name: str) -> None:
    table = data_dir / "xstest" / f"{name}.csv"
    source = read(table)
    found = match(source.answers, {"safecot_xstest": catalogue.items_of("safecot_xstest")})
    with table.open(newline="", encoding="utf-8") as stream:
        published = {row["id"].removeprefix("v2-"): row["completion"] for row in csv.DictReader(stream)}
    matched = found.answers["safecot_xstest"]
    # One prompt was reworded between the table of prompts and the completions.
    assert len(matched) >= 449
    assert len(matched) + len(found.left) == len(published) == 450
    assert all(answer.response == published[item_id] for item_id, answer in matched.items())


@pytest.mark.slow
def test_figstep_pictures_tell_its_items_apart(data_dir: Path, tmp_path: Path) -> None:
    """All of FigStep's items share one prompt; only the pictures differ."""
    items = catalogue.items_of("safecot_figstep")
    assert len({item.prompt for item in items}) == 1
    table = tmp_path / "a.csv"
    with table.open("w", newline="", encoding="utf-8") as stream:
        rows = csv.writer(stream)
        rows.writerow(("image_path", "question", "prediction"))
        rows.writerows((item.images[0].name, item.prompt, f"answer to {item.item_id}") for item in items)
    source = read(table, folders=[items[0].images[0].parent])
    found = match(source.answers, {"safecot_figstep": items})
    assert not found.left
    assert all(
        answer.response == f"answer to {name}" for name, answer in found.answers["safecot_figstep"].items()
    )
    assert found.how == {"prompt and picture": len(items)}
