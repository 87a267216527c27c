"""What a model is asked, word for word: on invented records for every task, by hash on the real data.

``SAFECOT_UPDATE_GOLDEN=1`` writes the files anew; look at the difference before you commit it.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest

from safecot_eval.benchmarks import catalogue, registry
from safecot_eval.records.samples import Item

GOLDEN = Path(__file__).parent / "golden"
TASK_NAMES = sorted(
    task_name for task_name in registry.task_names() if not task_name.startswith("safecot_mini")
)

# task -> items, SHA-256 of [item id, prompt, expectation] of all of them
REAL = {
    "safecot_figstep": (500, "e5ae50fbb315b79dffd929406ffd03f2c73e106e4721fbfd120139ab53471b18"),
    "safecot_mmsafetybench_text": (1680, "50a29dcbbd173e247f269367cffc81990ec70c22346069f2f82961b0e6ff2c63"),
    "safecot_mmsafetybench_text_tiny": (
        168,
        "6a07ca770a8ba5e7922472e2b46382c9504a66af22eaeb12ebd39126af6836db",
    ),
    "safecot_mmsafetybench_typo": (1680, "c4ef39a69cbcb51197fe65dc87c01bf07fcf548d1779a06f5a4b84d2f8a4d7d8"),
    "safecot_mossbench": (300, "b30c5e74d2fbbfee3f6be4ee0e93f647bb696aeea07d8f630b5e0bc898ea300b"),
    "safecot_mossbench_twins": (488, "697df788e606c8295d5a08d7e5cfd42dfff9d3c6ecb91fe2d76f7b697f8124be"),
    "safecot_msts": (400, "a5b3bce2097c3fde74ca6f2925c845a694ec9eea5c42bfe9f4df869344bcd542"),
    "safecot_msts_arabic": (200, "9c60d2482b9cf341620cd46e9b9b9e295bf2b52c3dd80884d34f778b74348141"),
    "safecot_msts_chinese": (200, "93795bfb0bf2a3e0798baec02344f04dc5f3c60333a6b2fd81fc9dc168b70fbf"),
    "safecot_msts_farsi": (200, "1a68a5b3bf5de8cc466da1d256e89c1eb6c88d6fbfe07e0c5e21a9e61a813d24"),
    "safecot_msts_french": (200, "6104d61f49719513df7edad25e2db1859dd0cf53ade7b214b4e5d7e350ca4ba8"),
    "safecot_msts_german": (200, "97e47bf1e1c0ea916c6104b6c7ed42ed2862b50ce797ade27a377bd60ade0d16"),
    "safecot_msts_hindi": (200, "01525f53145a0bce79bff56485539a47bc1d1769da1d47e946f09b20f6ac61b6"),
    "safecot_msts_italian": (200, "18db69c67e531138e3bdcfe0ee63fb28150026acbb3cb20a372e19831f6f49d6"),
    "safecot_msts_korean": (200, "b6fc37d85c69a2dcc9157174c664ef9aa63d63d5afaad2c2632c32d453d9eec7"),
    "safecot_msts_russian": (200, "4bfe4ebf6ed6ebd0d54e83cfc7a000eab0e5ae58688abaeb54559a21e350bf83"),
    "safecot_msts_spanish": (200, "aaeac2c8ab3a350d2c6cf059e60c8b6275950c2a4ec4a7c44b39c3aa3c06a1ac"),
    "safecot_xstest": (450, "c1d88ad5f0c0a415e5185cb6c215b24178cef864077c888952337148ac4d3c04"),
    "safecot_harmbench_mm": (110, "1b41b767991a77572ce2bc4f6fa1ae5f4e1fbb56f34aa9f8baa240b580a094e5"),
    "safecot_lvlm_safer_t1": (250, "80161a355ae1322cdc91293ea953bc3670381f7e4f5243c349445e2f0074830c"),
    "safecot_lvlm_safer_t2": (250, "af194a362df1f15411c04aec22dd49612c4f25d477498e81ba9c3932327c685d"),
    "safecot_lvlm_safer_t3": (250, "6fddd0b4358bea1707f756caf03c890025161174a78ec9a3c2138337a5379bbf"),
    "safecot_lvlm_safer_t4": (250, "83b0efd738efbd9667215ce6e39772cec717bd387b111bc2d7ec22c6df9216d3"),
    "safecot_mm_harmfulbench": (100, "84575e78a34cf18461ccaf578cb562f994f2957558bf39b80cc6789c5a9ad4e1"),
    "safecot_mossbench_contrast": (244, "ff0d3a75b128c145b3f6ee24fac18b811bcaee2ec933405d9af4e24dadd2ecfb"),
    "safecot_mssbench_chat_first": (600, "90b0c23ce679d460620ffd1fe324854d6231407b6bdd9b1c19e6b8b5b3231eb8"),
    "safecot_quick": (500, "861f46b586a7ea4b90cd4e63d74039aea2008f95fde8706d34f03b24cda7522a"),
    "safecot_strongreject": (313, "91a42f8485155d9e19d81b7db7db4cb26802eae7007df39e62e24bcc269f965a"),
    "safecot_vlguard_safe_safes": (558, "38561e4717d5330f79e1895cab3cb91684885b601fd99ab6c587bb899596f839"),
    "safecot_vlguard_safe_unsafes": (558, "45577fff38b450e48258e6e6f847fa6204e0ac66a079afa429533d2e62bf0dc6"),
    "safecot_vlguard_unsafes": (442, "d6e7b20459c27e801f2fc80a4c8a122d6402713fc4d80c9e159a805b241e9b7e"),
    "safecot_vlsbench": (2240, "85e1b6be00a2b807dc046fe7f6db9838fbaa88a0911d35fa320318970d42c21d"),
    "safecot_vscbench_figstep": (450, "c1da52e888e58576a2abd217c32a4b534086a2da3509f087da440e143c0ba55b"),
    "safecot_vscbench_image": (1788, "26a26678e39f803c9bfb4ce87f7fd14773f89a6c7cdaf7747f3fbf3c42ec96a9"),
    "safecot_vscbench_typography": (450, "0cc5f0f0c30491b8921beaeac51a36c99819164394e4ebefff2ebb62ec383567"),
}
SIUO = (167, "bafd62edbe1186d67cebac1bc26054cc3b9e21ee01146d2a5192dd56cf04776a")


def as_json(item: Item) -> dict[str, Any]:
    return {
        "item_id": item.item_id,
        "prompt": item.prompt,
        "category": item.category,
        "expectation": item.expectation.value,
        "images": [path.name for path in item.images],
        "image_source": item.image_source.value,
        "cluster_id": item.cluster_id,
        "pair_id": item.pair_id,
        "core": item.core,
        "extra": dict(item.extra),
        **({"before": [list(one) for one in item.before]} if item.before else {}),
    }


def fingerprint(items: list[Item]) -> str:
    content = [[item.item_id, item.prompt, item.expectation.value] for item in items]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


@pytest.mark.parametrize("task_name", TASK_NAMES)
def test_items_of_invented_records(task_name: str, invented_as_written: Path) -> None:
    found = json.dumps(
        [as_json(item) for item in catalogue.items_of(task_name)], indent=1, ensure_ascii=False
    )
    path = GOLDEN / f"{task_name}.json"
    if os.environ.get("SAFECOT_UPDATE_GOLDEN"):
        path.write_text(found + "\n", encoding="utf-8")
    assert found + "\n" == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("task_name", TASK_NAMES)
def test_every_image_of_the_invented_records_is_there(task_name: str, invented_as_written: Path) -> None:
    items = catalogue.items_of(task_name)
    assert all(path.is_file() for item in items for path in item.images)
    assert len({item.item_id for item in items}) == len(items)
    assert all(item.prompt.strip() and item.category for item in items)


def test_no_golden_file_without_a_task() -> None:
    assert {path.stem for path in GOLDEN.glob("*.json")} == set(TASK_NAMES)


@pytest.mark.parametrize(
    "task_name",
    [
        pytest.param(task_name, marks=[pytest.mark.slow] * task_name.endswith("typo"))
        for task_name in sorted(REAL)
    ],
)
def test_real_prompts(task_name: str, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if "typo" in task_name and list((data_dir / "mm_safetybench").glob("imgs/*/TYPO")):
        pytest.skip("official TYPO images are there: nothing is rendered")
    monkeypatch.setenv("SAFECOT_DATA_DIR", str(data_dir))
    items = catalogue.items_of(task_name)
    assert (len(items), fingerprint(items)) == REAL[task_name]


def test_real_siuo_records(data_dir: Path) -> None:
    module = registry.load("siuo").yield_items.__globals__
    records = module["records"](data_dir / "siuo" / "siuo_gen.json")
    items = [module["to_item"](record, Path("images"), key, None) for key, record in records]
    assert (len(items), fingerprint(items)) == SIUO


@pytest.mark.slow
def test_the_same_question_is_one_cluster_in_every_image_type(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SAFECOT_DATA_DIR", str(data_dir))
    text = catalogue.items_of("safecot_mmsafetybench_text")
    typo = catalogue.items_of("safecot_mmsafetybench_typo")
    assert [item.cluster_id for item in text] == [item.cluster_id for item in typo]
    assert sum(bool(item.core) for item in text) == 972


def test_real_siuo_options(data_dir: Path) -> None:
    module = registry.load("siuo").yield_items.__globals__
    records = module["records"](data_dir / "siuo" / "siuo_mcqa.json")
    items = [
        module["to_item"](record, Path("images"), key, "{question}\n{options}") for key, record in records
    ]
    correct = [item.extra["correct_option"] for item in items]
    assert [correct.count(letter) for letter in "ABCD"] == [51, 35, 34, 47]
    assert all("\n(D) " in item.prompt for item in items)
