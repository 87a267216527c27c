"""Downloads resume, are checked, and never leave half a file in place."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from safecot_eval.benchmarks.data import download
from safecot_eval.benchmarks.data.sources import Source
from safecot_eval.util.errors import SafecotError
from tests.benchmarks.conftest import Served, zip_of

CONTENT = bytes(range(256)) * 4000
DIGEST = hashlib.sha256(CONTENT).hexdigest()


def _source(**changes: object) -> Source:
    return Source(**{"folder": "toy", "licence": "ours", "warning": "none", **changes})  # type: ignore[arg-type]


def test_a_whole_file(served: Served, tmp_path: Path) -> None:
    served.files["/x"] = CONTENT
    path = download.fetch(f"{served.url}/x", tmp_path / "deep" / "x", sha256=DIGEST)
    assert path.read_bytes() == CONTENT
    assert [entry.name for entry in path.parent.iterdir()] == ["x"]


def test_a_broken_download_is_continued(served: Served, tmp_path: Path) -> None:
    served.files["/x"] = CONTENT
    served.cut_after["/x"] = 700_000
    path = download.fetch(f"{served.url}/x", tmp_path / "x", sha256=DIGEST, pause_s=0.01)
    assert path.read_bytes() == CONTENT
    first, second = served.asked
    assert first == ("/x", None)
    assert second[1] is not None
    assert int(second[1].removeprefix("bytes=").removesuffix("-")) > 0


def test_a_download_of_an_earlier_day_is_continued(served: Served, tmp_path: Path) -> None:
    served.files["/x"] = CONTENT
    (tmp_path / "x.part").write_bytes(CONTENT[:5000])
    assert download.fetch(f"{served.url}/x", tmp_path / "x", sha256=DIGEST).read_bytes() == CONTENT
    assert served.asked == [("/x", "bytes=5000-")]


def test_a_server_without_ranges_begins_again(served: Served, tmp_path: Path) -> None:
    served.files["/x"] = CONTENT
    served.ranges = False
    (tmp_path / "x.part").write_bytes(CONTENT[:5000])
    assert download.fetch(f"{served.url}/x", tmp_path / "x", sha256=DIGEST).read_bytes() == CONTENT


def test_a_server_that_fails_for_a_moment(served: Served, tmp_path: Path) -> None:
    served.files["/x"] = CONTENT
    served.failures["/x"] = [503, 500]
    assert download.fetch(f"{served.url}/x", tmp_path / "x", pause_s=0.01).read_bytes() == CONTENT


def test_other_bytes_are_thrown_away(served: Served, tmp_path: Path) -> None:
    served.files["/x"] = b"something else"
    with pytest.raises(SafecotError, match="does not have the pinned hash"):
        download.fetch(f"{served.url}/x", tmp_path / "x", sha256=DIGEST)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_file_and_a_missing_server(served: Served, tmp_path: Path) -> None:
    with pytest.raises(SafecotError, match="the server answers 404; download it by hand"):
        download.fetch(f"{served.url}/gone", tmp_path / "x")
    with pytest.raises(SafecotError, match="not reachable after 4 attempts"):
        download.fetch("http://127.0.0.1:9/x", tmp_path / "x", pause_s=0.01)


def test_members_go_where_their_hashes_say(tmp_path: Path) -> None:
    archive = tmp_path / "archive.zip"
    members = {
        "toy-abc/some/where/questions.json": b"[1]",
        "toy-abc/data/answers.csv": b"newer than the pinned copy",
        "toy-abc/pictures/1.png": b"one",
        "toy-abc/pictures/deep/2.png": b"two",
        "toy-abc/README.md": b"not wanted",
    }
    archive.write_bytes(zip_of(members))
    source = _source(
        sha256={"q.json": hashlib.sha256(b"[1]").hexdigest(), "a.csv": "0" * 64},
        by_name={"a.csv": "data/answers.csv", "images/": "pictures/"},
    )
    target = tmp_path / "out"
    written = download.place_archive(archive, source, target)
    assert sorted(written) == ["a.csv", "images/1.png", "q.json"]
    assert (target / "q.json").read_bytes() == b"[1]"
    assert sorted(path.name for path in target.rglob("*") if path.is_file()) == ["1.png", "a.csv", "q.json"]


def test_an_archive_that_is_none_or_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = tmp_path / "archive.zip"
    archive.write_bytes(b"<html>")
    with pytest.raises(SafecotError, match="not a zip file"):
        download.place_archive(archive, _source(), tmp_path / "out")
    archive.write_bytes(zip_of({"a/b": b"0" * 100}))
    monkeypatch.setattr(download, "MAX_UNPACKED_BYTES", 99)
    with pytest.raises(SafecotError, match="over the limit"):
        download.place_archive(archive, _source(), tmp_path / "out")


def test_the_official_zip_is_known_by_its_hash(tmp_path: Path) -> None:
    archive = tmp_path / "images.zip"
    archive.write_bytes(
        zip_of({"any/01-A/SD/0.jpg": b"x", "any/01-A/SD/note.txt": b"", "../../01-A/SD/1.jpg": b"y"})
    )
    good = _source(archive_sha256=hashlib.sha256(archive.read_bytes()).hexdigest())
    assert download.unpack_official(archive, good, tmp_path / "out") == 1
    assert (tmp_path / "out" / "imgs" / "01-A" / "SD" / "0.jpg").read_bytes() == b"x"
    with pytest.raises(SafecotError, match="not the official file"):
        download.unpack_official(archive, _source(archive_sha256="0" * 64), tmp_path / "out")
    with pytest.raises(SafecotError, match="has no official archive"):
        download.unpack_official(archive, _source(), tmp_path / "out")


HUB = _source(hub="some/set", revision="a" * 40, patterns=("images/*",), gated="Ask at the set's page first.")


@pytest.fixture
def online(monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)


def test_a_hub_data_set(served: Served, tmp_path: Path, online: None) -> None:
    tree = [
        {"type": "file", "path": path, "oid": "1" * 40, "size": 3} for path in ("images/a.png", "other.txt")
    ]
    info = {"id": "some/set", "sha": "a" * 40, "siblings": [{"rfilename": entry["path"]} for entry in tree]}
    api = "/api/datasets/some/set"
    served.files |= {
        f"{api}/revision/{'a' * 40}": json.dumps(info).encode(),
        f"{api}/tree/{'a' * 40}": json.dumps(tree).encode(),
        f"/datasets/some/set/resolve/{'a' * 40}/images/a.png": b"png",
        f"/datasets/some/set/resolve/{'a' * 40}/other.txt": b"txt",
    }
    download.fetch_hub(HUB, tmp_path, endpoint=served.url)
    assert (tmp_path / "images" / "a.png").read_bytes() == b"png"
    assert not (tmp_path / "other.txt").exists()


def test_a_gated_hub_data_set_says_where_to_ask(served: Served, tmp_path: Path, online: None) -> None:
    served.failures[f"/api/datasets/some/set/tree/{'a' * 40}"] = [403] * 3
    served.failures[f"/api/datasets/some/set/revision/{'a' * 40}"] = [403] * 3
    with pytest.raises(SafecotError, match="Ask at the set's page first"):
        download.fetch_hub(HUB, tmp_path, endpoint=served.url)
