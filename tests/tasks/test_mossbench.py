"""MOSSBench's harmful rewrites: their own task, the same samples as among the twins, and never training data."""

from __future__ import annotations

from pathlib import Path

import pytest

from safecot_eval.benchmarks import catalogue
from safecot_eval.records.samples import Expectation, ImageSource
from safecot_eval.util.errors import SafecotError


def test_the_contrast_task_is_the_harmful_half_of_the_twins(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SAFECOT_DATA_DIR", str(data_dir))
    twins = catalogue.items_of("safecot_mossbench_twins")
    contrast = catalogue.items_of("safecot_mossbench_contrast")
    assert contrast == [item for item in twins if item.expectation is Expectation.REFUSE]
    assert sum(item.image_source is ImageSource.OFFICIAL for item in contrast) == 235


@pytest.mark.parametrize("form", ["bench:mossbench={}", "{}/information_contrast.json"])
def test_training_on_it_is_refused(form: str, invented: Path, tmp_path: Path) -> None:
    from safecot_training.data.examples import Kind
    from safecot_training.data.sources import read_source

    with pytest.raises(SafecotError, match="MOSSBench"):
        read_source(form.format(invented / "mossbench"), Kind.SAFETY, tmp_path)


def test_a_rewrite_among_training_data_is_found(invented: Path) -> None:
    from safecot_training.data.contamination import EvalSet, Ground, find
    from safecot_training.data.examples import Example, Kind

    (item,) = catalogue.items_of("safecot_mossbench_contrast")
    stolen = [
        Example(
            name, query, "c", Expectation.REFUSE, "", images, "somewhere", f"somewhere/{name}", Kind.SAFETY
        )
        for name, query, images in (("text", item.prompt.upper(), ()), ("image", "Another?", item.images))
    ]
    hits = find(stolen, [EvalSet("safecot_mossbench_contrast", (item,))])
    assert {(hit.example_id, hit.ground) for hit in hits} >= {("text", Ground.TEXT), ("image", Ground.IMAGE)}
