"""Families and chains: what belongs together, by checkpoint file or by name."""

from __future__ import annotations

import json
from pathlib import Path

from safecot_reports.build import Options, build
from safecot_reports.families import chains, family
from tests.conftest import make_doc, write_run


def test_a_chain_needs_a_base_or_v0_and_takes_the_largest_of_a_variant() -> None:
    def trained(variant: str, samples: int) -> dict[str, object]:
        return {"variant": variant, "base_model": "Org/tiny-vl", "samples": samples}

    models = {
        "tiny-vl": None,
        "small": trained("v2", 100),
        "large": trained("v2", 400),
        "x-v1": None,
        "x-v2": None,
    }
    assert chains(models) == [["tiny-vl", "large"]]
    assert chains({"a v0": None, "a base": None, "a v2": None, "a v1 more": None}) == [
        ["a base", "a v0", "a v2"]
    ]
    assert chains({"odd": {"variant": None, "base_model": 7}}) == []


def test_families_are_first_words() -> None:
    assert [family(name) for name in ("Org/InternVL2-8B", "gpt-4o", "--", "7b")] == [
        "internvl",
        "gpt",
        "--",
        "b",
    ]


def test_samples_have_what_the_judge_wrote_beside_its_label(tmp_path: Path) -> None:
    doc = make_doc()
    samples = write_run(tmp_path, [(doc, "Sorry, no.")], model="m")
    line = {"sample_id": doc["sample_id"], "judge": "j", "rubric": "refusal", "label": "full"}
    (tmp_path / "verdicts").mkdir()
    with (tmp_path / "verdicts" / "j.jsonl").open("w") as stream:
        for raw in ("full", "It declines politely. full"):
            stream.write(
                json.dumps(line | {"task": "safecot_mini", "stamp": samples.name[:15], "raw": raw}) + "\n"
            )
    found = build([str(tmp_path)], Options())["samples"][0]
    assert found["said"] == {"j/refusal": "It declines politely. full"}
