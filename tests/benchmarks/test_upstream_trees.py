"""``safecot data prepare`` against archives of the upstreams' real trees (paths of every file at the pinned commit).

The trees are ``SAFECOT_DATA_DIR/upstream_trees/*.tsv``. A file whose bytes are known here has them; every other file of the
tree is there under its name, with other content.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pytest
from PIL import Image

from safecot_eval.benchmarks import catalogue, prepare
from safecot_eval.benchmarks.data import download, sources
from safecot_eval.benchmarks.data.sources import Source
from safecot_eval.records.samples import ImageSource
from tests.benchmarks.conftest import Served
from tests.benchmarks.test_unpack import hub_of, online, parquet  # noqa: F401 - a fixture

pytestmark = pytest.mark.slow

TREES = {
    "figstep": "FigStep",
    "lvlm_safer": "LVLM-SafeR",
    "mm_harmfulbench": "InferAligner",
    "mm_safetybench": "MM-SafetyBench-fork",
    "mossbench": "MOSSBench",
    "msts": "MSTS",
    "siuo": "SIUO",
    "vlguard": "VLGuard",
    "xstest": "XSTest",
}


def dot() -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (2, 2), "navy").save(stream, format="PNG")
    return stream.getvalue()


def tree(data_dir: Path, name: str) -> list[tuple[str, int]]:
    lines = (data_dir / "upstream_trees" / f"{name}.tsv").read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t") for line in lines if not line.startswith("#")]
    assert len(rows) > 5
    return [(path, int(size) if size.isdigit() else -1) for path, size in rows]


def archive(data_dir: Path, folder: str, source: Source) -> bytes:
    """The repository's archive as GitHub packs it, with the bytes of the files that are known here."""
    local = {path: path.stat().st_size for path in (data_dir / folder).rglob("*") if path.is_file()}
    by_size = {(path.name, size): path for path, size in local.items()}
    only_size = {size: path for path, size in local.items()}
    name_of = download._namer(source.by_name)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as packed:
        for inside, size in tree(data_dir, TREES[folder]):
            layout = name_of(inside)
            known = data_dir / folder / layout if layout else None
            if known is None or not known.is_file():
                known = by_size.get((PurePosixPath(inside).name, size)) or only_size.get(size)
            content = known.read_bytes() if known else dot()
            packed.writestr(f"name-{source.commit}/{inside}", content)
    return stream.getvalue()


@pytest.fixture
def github(online: Served, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:  # noqa: F811
    monkeypatch.setattr(download, "GITHUB_ARCHIVE", online.url + "/{repository}/zip/{commit}")
    for folder in TREES:
        source = sources.sources()[folder]
        online.files[f"/{source.github}/zip/{source.commit}"] = b""  # filled by the test that needs it
    yield online
    catalogue.why_not_ready.cache_clear()


def serve(github: Served, data_dir: Path, folder: str) -> Source:
    source = sources.sources()[folder]
    github.files[f"/{source.github}/zip/{source.commit}"] = archive(data_dir, folder, source)
    return source


@pytest.mark.parametrize(
    ("benchmark", "folder", "task_name", "items"),
    [
        pytest.param("figstep", "figstep", "safecot_figstep", 500, marks=pytest.mark.full),
        ("lvlm_safer", "lvlm_safer", "safecot_lvlm_safer_t1", 250),
        ("mm_harmfulbench", "mm_harmfulbench", "safecot_mm_harmfulbench", 100),
        ("msts", "msts", "safecot_msts", 400),
        ("xstest", "xstest", "safecot_xstest", 450),
    ],
)
def test_from_the_real_tree_to_items(
    github: Served, data_dir: Path, benchmark: str, folder: str, task_name: str, items: int
) -> None:
    serve(github, data_dir, folder)
    prepared = prepare.prepare(benchmark)
    assert prepared.task_names[task_name] == items


def test_mossbench_has_every_image_and_its_recorded_answers(github: Served, data_dir: Path) -> None:
    serve(github, data_dir, "mossbench")
    model = json.dumps({"1": {"response": "Build a tower."}, "2": {"response": ""}})
    source = sources.sources()["mossbench"]
    with zipfile.ZipFile(io.BytesIO(github.files[f"/{source.github}/zip/{source.commit}"])) as packed:
        members = {name: packed.read(name) for name in packed.namelist()}
    for name in members:
        if name.endswith("/data.js"):
            members[name] = f"cache['{name.split('/')[-2]}'] = {model}".encode()
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as packed:
        for name, content in members.items():
            packed.writestr(name, content)
    github.files[f"/{source.github}/zip/{source.commit}"] = stream.getvalue()
    prepared = prepare.prepare("mossbench")
    assert prepared.task_names == {
        "safecot_mossbench": 300,
        "safecot_mossbench_twins": 488,
        "safecot_mossbench_contrast": 244,
    }
    everything = [*catalogue.items_of("safecot_mossbench"), *catalogue.items_of("safecot_mossbench_contrast")]
    assert {item.image_source for item in everything} == {ImageSource.OFFICIAL}, "none is missing upstream"
    assert len(prepared.replays) == 7
    assert "Build a tower." in prepared.replays[0].read_text(encoding="utf-8")


@pytest.mark.full
def test_mm_safetybench_with_images_from_the_hub(github: Served, data_dir: Path) -> None:
    source = serve(github, data_dir, "mm_safetybench")
    files = {}
    for path in sorted((data_dir / "mm_safetybench" / "processed_questions").glob("*.json")):
        records = json.loads(path.read_text(encoding="utf-8"))
        name = path.stem.partition("-")[2]
        for kind in ("SD", "SD_TYPO", "TYPO"):
            rows = [{"id": key, "question": "q", "image": {"bytes": dot(), "path": None}} for key in records]
            files[f"data/{name}/{kind}.parquet"] = parquet(rows)
        files[f"data/{name}/Text_only.parquet"] = parquet([{"id": key, "question": "q"} for key in records])
    hub_of(github, str(source.hub), "b" * 40, files)
    prepared = prepare.prepare("mmsafetybench")
    assert {
        prepared.task_names[f"safecot_mmsafetybench_{kind}"] for kind in ("sd", "sd_typo", "typo", "text")
    } == {1680}
    item = catalogue.items_of("safecot_mmsafetybench_typo")[0]
    assert item.image_source is ImageSource.OFFICIAL
    assert item.images[0].read_bytes() == dot()


def test_siuo_with_images_from_the_hub(github: Served, data_dir: Path) -> None:
    source = serve(github, data_dir, "siuo")
    records = json.loads((data_dir / "siuo" / "siuo_gen.json").read_text(encoding="utf-8"))
    names = {record["image"] for record in records}
    hub_of(github, str(source.hub), source.revision, {f"images/{name}": dot() for name in names})
    prepared = prepare.prepare("siuo")
    assert prepared.task_names["safecot_siuo"] == prepared.task_names["safecot_siuo_mcqa"] == 167
