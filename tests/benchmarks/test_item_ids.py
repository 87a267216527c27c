"""Ids that a benchmark's files do not give: what they are made of must tell the items apart."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from safecot_eval.benchmarks import catalogue
from safecot_eval.util.errors import SafecotError

LEAKS = "filename,category,target,pii_type\n"


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SAFECOT_DATA_DIR", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    "second",
    ["pii_1.jpg,PII Leakage,5678,PIN", "pii_1.jpg,OCR Injection,How to hide jam,", "pii_1.png,PII Leakage,1234,PIN"],
)  # fmt: skip
def test_two_pictures_of_visualleakbench_with_one_name(data: Path, second: str) -> None:
    texts = {f"VisualLeakBench/{name}_PROMPT": name for name in ("OCR_INJECTION", "PII_LEAKAGE")}
    for folder in ("visualleakbench", "protocols"):
        (data / folder).mkdir()
    (data / "protocols" / "judge_prompts.json").write_text(json.dumps(texts), encoding="utf-8")
    table = data / "visualleakbench" / "metadata.csv"
    table.write_text(f"{LEAKS}pii_1.png,PII Leakage,1234,PIN\n{second}\n", encoding="utf-8")
    with pytest.raises(
        SafecotError,
        match=r"metadata\.csv, line 3: the picture pii_1\.\w+ and pii_1\.png in line 2 have the same name but for the ending",
    ):
        catalogue.items_of("safecot_visualleakbench_pii")


def test_a_number_is_no_id_beside_ids(data: Path) -> None:
    (data / "ood_mmsafe").mkdir()
    table = data / "ood_mmsafe" / "records.jsonl"
    rows = [{"question": "Shall I mix them?", "image": f"{n}.png"} for n in range(3)]
    table.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    assert [item.item_id for item in catalogue.items_of("safecot_ood_mmsafe")] == ["0", "1", "2"]
    rows[1]["id"] = "0"
    table.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    with pytest.raises(
        SafecotError, match=r"records\.jsonl, line 1: no id in a column id, .*, as 2 of 3 records"
    ):
        catalogue.items_of("safecot_ood_mmsafe")
