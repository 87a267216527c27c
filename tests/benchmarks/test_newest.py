"""Sources of which no commit could be confirmed: the newest is taken, what was taken is noted, and the layout is named."""

from __future__ import annotations

import io
import zipfile

import pytest

from safecot_eval.benchmarks import catalogue, prepare
from safecot_eval.benchmarks.data import download
from safecot_eval.records.samples import ImageSource
from safecot_eval.util.errors import SafecotError
from tests.benchmarks.conftest import Served
from tests.benchmarks.test_unpack import online  # noqa: F401 - a fixture

VLSU = "uuid,web_path,prompt,image_grade,consensus_text_grade,consensus_combined_grade,image_category,text_category,combined_category\n"


def packed(files: dict[str, bytes], commit: str) -> bytes:
    """A repository's archive as GitHub packs it: one folder, and the commit as the comment."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for path, content in files.items():
            archive.writestr(f"name-main/{path}", content)
        archive.comment = commit.encode()
    return stream.getvalue()


@pytest.fixture
def github(online: Served, monkeypatch: pytest.MonkeyPatch) -> Served:  # noqa: F811
    monkeypatch.setattr(download, "GITHUB_ARCHIVE", online.url + "/{repository}/zip/{commit}")
    return online


def test_the_newest_of_a_repository(github: Served) -> None:
    table = VLSU + "a1,https://example.org/a.jpg,Why?,safe,unsafe,unsafe,,C3: Drug Abuse,C3: Drug Abuse\n"
    files = {"data/VLSU.csv": table.encode(), "README.md": b"x", "utils/download.py": b"x"}
    github.files["/apple/ml-vlsu/zip/main"] = packed(files, "c" * 40)
    prepared = prepare.prepare("vlsu")
    assert prepared.task_names == {"safecot_vlsu": 1}
    assert (prepared.root / "REVISION").read_text(encoding="utf-8") == f"apple/ml-vlsu {'c' * 40}\n"
    assert sorted(path.name for path in prepared.root.iterdir()) == ["REVISION", "VLSU.csv"]
    (item,) = catalogue.items_of("safecot_vlsu")
    assert (item.category, item.image_source) == ("safe_unsafe_unsafe", ImageSource.ABSENT)
    assert item.extra["combined_category"] == "C3: Drug Abuse"
    asked = len(github.asked)
    prepare.prepare("vlsu")
    assert len(github.asked) == asked, "what is there is not fetched again"


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("a1,u,Why?,safe,safe,dangerous,,,\n", "VLSU.csv, line 2: consensus_combined_grade is 'dangerous', none of safe"),
        ("a1,u,,safe,safe,safe,,,\n", "VLSU.csv, line 2: the field 'prompt' is missing or empty"),
    ],
)  # fmt: skip
def test_a_vlsu_row_that_is_none(github: Served, line: str, says: str) -> None:
    github.files["/apple/ml-vlsu/zip/main"] = packed({"data/VLSU.csv": (VLSU + line).encode()}, "c" * 40)
    assert says in str(prepare.prepare("vlsu").task_names["safecot_vlsu"])


def test_a_repository_without_the_table(github: Served) -> None:
    github.files["/apple/ml-vlsu/zip/main"] = packed({"README.md": b"moved"}, "c" * 40)
    with pytest.raises(SafecotError, match=r"VLSU\.csv or data/VLSU\.csv is not there"):
        prepare.prepare("vlsu")
