"""What hub data sets pack: Parquet files with images, and zips; through the download from a hub of our own."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from safecot_eval.benchmarks import catalogue, prepare, registry
from safecot_eval.benchmarks.data import download, sources, unpack
from safecot_eval.benchmarks.data.sources import Source
from safecot_eval.records.samples import ImageSource
from safecot_eval.util.errors import SafecotError
from tests.benchmarks.conftest import Served, zip_of


def picture(colour: str, kind: str = "PNG") -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (6, 4), colour).save(stream, format=kind)
    return stream.getvalue()


def parquet(rows: Sequence[dict[str, Any]]) -> bytes:
    stream = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(list(rows)), stream)
    return stream.getvalue()


def hub_of(served: Served, name: str, sha: str, files: dict[str, bytes]) -> None:
    """Let the server be the hub of one data set at one commit."""
    tree = [
        {"type": "file", "path": path, "oid": "1" * 40, "size": len(body)} for path, body in files.items()
    ]
    info = {"id": name, "sha": sha, "siblings": [{"rfilename": path} for path in files]}
    api = f"/api/datasets/{name}"
    for revision in (sha, "main"):
        served.files[f"{api}/revision/{revision}"] = json.dumps(info).encode()
    served.files[f"{api}/tree/{sha}"] = json.dumps(tree).encode()
    for path, body in files.items():
        served.files[f"/datasets/{name}/resolve/{sha}/{path}"] = body


@pytest.fixture
def online(monkeypatch: pytest.MonkeyPatch, served: Served, tmp_path: Path) -> Served:
    """A hub on this machine, and an empty cache."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    fetch = download.fetch_hub
    monkeypatch.setattr(
        download, "fetch_hub", lambda source, target: fetch(source, target, endpoint=served.url)
    )
    monkeypatch.delenv("SAFECOT_DATA_DIR", raising=False)
    monkeypatch.setenv("SAFECOT_CACHE_DIR", str(tmp_path / "cache"))
    catalogue.why_not_ready.cache_clear()
    return served


def test_hades_from_the_hub_to_items(online: Served) -> None:
    row = {"scenario": "privacy", "keywords": "a diary", "category": "object", "instruction": "Read it."}
    rows = [
        {**row, "id": "1", "step": step, "image": {"bytes": picture(colour), "path": "x.png"}}
        for step, colour in ((4, "navy"), (5, "red"))
    ]
    second = [{**row, "id": "2", "step": 5, "image": {"bytes": picture("green", "JPEG"), "path": None}}]
    hub_of(
        online,
        "Monosail/HADES",
        "a" * 40,
        {
            "data/test-00000.parquet": parquet(rows),
            "data/test-00001.parquet": parquet(second),
            "README.md": b"x",
        },
    )
    prepared = prepare.prepare("hades")
    assert prepared.task_names == {"safecot_hades": 2, "safecot_hades_plain": 2}
    assert (prepared.root / "REVISION").read_text(encoding="utf-8") == f"Monosail/HADES {'a' * 40}\n"
    items = catalogue.items_of("safecot_hades")
    assert [item.images[0].name for item in items] == ["test-00001.png", "test-00002.jpg"]
    assert items[0].images[0].read_bytes() == picture("red"), "the bytes are not changed"
    assert not (prepared.root / "README.md").exists()
    asked = len(online.asked)
    prepare.prepare("hades")
    assert len(online.asked) == asked, "what is there is not fetched again"


def test_vlsbench_and_spa_vl_from_the_hub(online: Served) -> None:
    known = sources.sources()
    row = {
        "category": "Privacy",
        "sub_category": "Letters",
        "source": "generation",
        "image_path": "imgs/7.png",
    }
    vls = {
        **row,
        "instruction_id": 7,
        "instruction": "Aloud?",
        "image_description": "A letter",
        "safety_reason": "Private",
    }
    hub_of(
        online,
        "Foreshhh/vlsbench",
        known["vlsbench"].revision,
        {"data/train-0.parquet": parquet([{**vls, "image": {"bytes": picture("navy"), "path": "7.png"}}])},
    )
    prepare.prepare("vlsbench")
    (item,) = catalogue.items_of("safecot_vlsbench")
    assert item.item_id == "7"
    assert item.image_source is ImageSource.OFFICIAL
    assert item.extra["safety_warning"] == "Private"

    spa = {"question": "Whose?", "class1": "a", "class2": "b", "class3": "c"}
    files = {
        f"test/{name}-00000-of-00001.parquet": parquet(
            [{**spa, "image": {"bytes": picture(colour, "JPEG"), "path": "1.jpg"}}]
        )
        for name, colour in (("harm", "red"), ("help", "blue"))
    }
    hub_of(
        online,
        "sqrti/SPA-VL",
        known["spavl_eval"].revision,
        {**files, "data/train-00000.parquet": b"must not be fetched"},
    )
    prepared = prepare.prepare("spavl_eval")
    assert prepared.task_names == {"safecot_spavl_eval_harm": 1, "safecot_spavl_eval_help": 1}
    assert not (prepared.root / "data").exists()


def test_vlguard_from_github_and_a_gated_zip(online: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    record = {
        "id": "Ads_2",
        "image": "bad_ads/2.png",
        "safe": False,
        "harmful_category": "deception",
        "harmful_subcategory": "disinformation",
        "instr-resp": [{"instruction": "Make this sound true.", "response": "No."}],
    }
    safe = {
        "id": "Ads_1",
        "image": "bad_ads/2.png",
        "safe": True,
        "instr-resp": [{"safe_instruction": "What is it?"}, {"unsafe_instruction": "How do I mislead?"}],
    }
    content = json.dumps([record, safe]).encode()
    real = sources.sources()["vlguard"]
    toy = Source(**{**real.__dict__, "sha256": {"test.json": hashlib.sha256(content).hexdigest()}})
    monkeypatch.setattr(sources, "sources", lambda: {"vlguard": toy})
    monkeypatch.setattr(download, "GITHUB_ARCHIVE", online.url + "/{repository}/zip/{commit}")
    online.files["/ys-zong/VLGuard/zip/a2f85c9"] = zip_of({"VLGuard-a2f85c9/data/test.json": content})
    images = zip_of({"test/bad_ads/2.png": picture("navy")})
    hub_of(online, "ys-zong/VLGuard", real.revision, {"test.zip": images, "train.zip": b"x"})
    prepared = prepare.prepare("vlguard")
    assert set(prepared.task_names.values()) == {1}
    (item,) = catalogue.items_of("safecot_vlguard_unsafes")
    assert item.images == (prepared.root / "test" / "bad_ads" / "2.png",)


def test_a_gated_set_without_access(online: Served) -> None:
    api = "/api/datasets/etri-vilab/holisafe-bench"
    for path in (f"{api}/revision/main", f"{api}/tree/main"):
        online.failures[path] = [403] * 5
    with pytest.raises(SafecotError, match="accept the terms at .*holisafe-bench"):
        prepare.prepare("holisafe")


def test_raw_files_of_a_hub_set(online: Served) -> None:
    chat = {"safe_image_path": "1.jpg", "unsafe_image_path": "2.jpg", "Type": "harm", "queries": ["How?"]}
    embodied = {
        "category": "x",
        "safe": "1.png",
        "unsafe": "2.png",
        "safe_instruction": "a",
        "unsafe_instruction": "b",
    }
    files = {f"chat/{n}.jpg": picture("navy", "JPEG") for n in (1, 2)}
    files |= {f"embodied/{n}.png": picture("navy") for n in (1, 2)}
    files["combined.json"] = json.dumps({"chat": [chat], "embodied": [embodied]}).encode()
    hub_of(online, "kzhou35/mssbench", sources.sources()["mssbench"].revision, files)
    task_names = prepare.prepare("mssbench").task_names
    official = {name: task_names.pop(f"safecot_mssbench_{name}_official") for name in ("chat", "embodied")}
    assert task_names == {
        "safecot_mssbench_chat": 2,
        "safecot_mssbench_chat_first": 2,
        "safecot_mssbench_embodied": 2,
    }
    assert all("safecot data prepare protocols" in str(why) for why in official.values())


def test_an_image_archive_of_a_hub_set(online: Served) -> None:
    chat = {"safe_image_path": "1.jpg", "unsafe_image_path": "2.jpg", "Type": "harm", "queries": ["How?"]}
    embodied = {"safe": "1.png", "unsafe": "2.png", "safe_instruction": "a", "unsafe_instruction": "b"}
    images = {f"chat/{n}.jpg": picture("navy", "JPEG") for n in (1, 2)}
    images |= {f"embodied/{n}.png": picture("navy") for n in (1, 2)}
    files = {"images.zip": zip_of(images)}
    files["combined.json"] = json.dumps({"chat": [chat], "embodied": [embodied]}).encode()
    hub_of(online, "kzhou35/mssbench", sources.sources()["mssbench"].revision, files)
    prepared = prepare.prepare("mssbench")
    assert prepared.task_names["safecot_mssbench_chat"] == 2
    assert all(item.images for item in catalogue.items_of("safecot_mssbench_embodied"))


def test_the_layout_that_was_found_is_named_among_those_that_are_accepted(online: Served) -> None:
    from click.testing import CliRunner

    from safecot_eval.cli.data import command

    record = {"instruction_id": 0, "instruction": "May I?", "image_path": "imgs/0.png", "category": "x"}
    files = {"data.json": json.dumps([{**record, "sub_category": "y", "source": "z"}]).encode()}
    hub_of(
        online,
        "Foreshhh/vlsbench",
        sources.sources()["vlsbench"].revision,
        {**files, "imgs/0.png": picture("navy")},
    )
    for verb in ("prepare", "verify"):
        said = CliRunner().invoke(command, [verb, "vlsbench"]).output
        assert "  layout: data.json, of records.jsonl or data.json\n" in said
        assert "  layout: imgs/, of images/ or imgs/\n" in said


def test_salad_with_a_flat_archive(online: Served) -> None:
    row = {"category": "Food", "image": "a.jpg", "text": "What now?", "id": 5, "safety type": "unsafe"}
    files = {"data.json": json.dumps([{**row, "safety warning": "No."}]).encode()}
    files["image.zip"] = zip_of({"a.jpg": picture("navy", "JPEG")})
    hub_of(online, "Holly301/SaLAD", "b" * 40, files)
    assert prepare.prepare("salad").task_names == {"safecot_salad": 1}
    (item,) = catalogue.items_of("safecot_salad")
    assert item.images[0].read_bytes() == picture("navy", "JPEG")


def test_mtmcs_with_a_picture_and_a_list_of_pictures(online: Served) -> None:
    spoken = {
        "r1": "A?",
        "r2": "B?",
        "r3": "C?",
        "safe_r1": "S?",
        "unsafe_r1": "U?",
        "safe_r3": "S!",
        "unsafe_r3": "U!",
    }
    image = {"bytes": picture("red"), "path": None}
    row = {"id": "9", "image": image, "variant_images": [image, image], "multimodal_dialogue": spoken}
    files = {f"data/{kind}-00000-of-00001.parquet": parquet([row]) for kind in ("type_a", "type_b")}
    hub_of(online, "ND-25/MCS-bench", "b" * 40, files)
    assert prepare.prepare("mtmcs").task_names == {"safecot_mtmcs_type_a": 6, "safecot_mtmcs_type_b": 6}
    prompts = [item.prompt for item in catalogue.items_of("safecot_mtmcs_type_b")]
    assert prompts == ["U?", "B?", "C?", "S?", "B?", "C?"]
    assert all(
        item.images[0].read_bytes() == picture("red") for item in catalogue.items_of("safecot_mtmcs_type_a")
    )


@pytest.mark.slow
@pytest.mark.parametrize("packed", ["folders", "zip", "mis_test"])
def test_mis_with_two_images_an_item(online: Served, packed: str) -> None:
    files: dict[str, bytes] = {}
    for split in ("easy", "hard", "real"):
        folder = f"{split}_image/7"
        row = {"question": "Do it?", "category": "harm", "image_path1": f"{folder}/object1.png"}
        row["image_path2"] = f"{folder}/object2.png"
        files[f"mis_{split}.json"] = json.dumps([row]).encode()
        files |= {f"{folder}/object{n}.png": picture(("navy", "red")[n - 1]) for n in (1, 2)}
    if packed == "zip":
        tables = {name: body for name, body in files.items() if name.endswith(".json")}
        pictures = {name: body for name, body in files.items() if name not in tables}
        files = tables | {"images.zip": zip_of(pictures)}
    elif packed == "mis_test":
        files = {f"mis_test/{name}": body for name, body in files.items()}
    hub_of(online, "Tuwhy/MIS_Test", "b" * 40, files)
    assert prepare.prepare("mis").task_names == {
        f"safecot_mis_{split}": 1 for split in ("easy", "hard", "real")
    }
    item = catalogue.items_of("safecot_mis_hard")[0]
    assert [path.read_bytes() for path in item.images] == [picture("navy"), picture("red")], "in their order"


def test_a_damaged_table_is_named_and_leaves_nothing_half_written(tmp_path: Path) -> None:
    source = Source("toy", "ours", "mild", tables={"test.jsonl": "*.parquet"})
    (tmp_path / "a.parquet").write_bytes(b"PAR1 and then nothing")
    with pytest.raises(SafecotError, match=r"a\.parquet: not a readable Parquet file"):
        unpack.export_tables(source, tmp_path)
    assert not (tmp_path / "test.jsonl").exists()
    with pytest.raises(SafecotError, match="no files"):
        unpack.export_tables(Source("toy", "ours", "mild", tables={"x.jsonl": "none-*.parquet"}), tmp_path)


def test_a_zip_cannot_write_outside(tmp_path: Path) -> None:
    source = Source("toy", "ours", "mild", unpack=("evil.zip",))
    folder = tmp_path / "inside"
    folder.mkdir()
    with zipfile.ZipFile(folder / "evil.zip", "w") as archive:
        archive.writestr("../outside.png", b"x")
    with pytest.raises(SafecotError, match="leads out of the folder"):
        unpack.unpack_archives(source, folder)
    assert not (tmp_path / "outside.png").exists()


OF_NO_BENCHMARK = {"protocols", "pyrit_scorer_evals", "safecot_runs", "safecot_training"}


def test_every_new_source_has_a_benchmark_and_every_pin_is_full() -> None:
    folders = {registry.load(name).data for name in registry.names()}
    for name, source in sources.sources().items():
        assert name in folders or name in OF_NO_BENCHMARK
        if source.hub and source.revision != download.NEWEST:
            assert len(source.revision) == 40
