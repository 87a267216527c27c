"""``safecot data prepare protocols``: official wordings out of files of other projects; all texts here are invented."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from safecot_eval.benchmarks import prepare
from safecot_eval.benchmarks.data import download, protocols
from safecot_eval.benchmarks.data.protocols.extract import extract
from safecot_eval.judge import rubric_files
from safecot_eval.util.errors import SafecotError
from tests.benchmarks.conftest import Served

PYTHON = '''
import openai  # is not there, and is not asked for: nothing is run
PATTERN = "Label: (\\w+)"

class Judge:
    WORDS = ["no", "never"]
    def ask(self, QUESTION):
        if self.first:
            text = "Is it kind?" \\
                   " Say so."
        else:
            text = f"Is {QUESTION} \\"kind\\"?"
        table = {"p": {"q": """
            Deep.
            """.strip()}}
        return text.startswith(("sorry", "i am")) or text.startswith("no,")
'''


@pytest.mark.parametrize(
    ("how", "found"),
    [
        ({"name": "PATTERN"}, "Label: (\\w+)"),
        ({"name": "WORDS"}, ["no", "never"]),
        ({"name": "WORDS", "keys": [1]}, "never"),
        ({"name": "text"}, "Is it kind? Say so."),
        ({"name": "text", "number": 1}, 'Is {QUESTION} "kind"?'),
        ({"calls": "startswith"}, ["sorry", "i am", "no,"]),
        ({"templates": "ask"}, ['Is {QUESTION} "kind"?']),
        ({}, PYTHON),
        ({"strip": True}, PYTHON.strip()),
        ({"strip": "start"}, PYTHON.lstrip()),
    ],
)
def test_texts_are_taken_from_python_without_running_it(how: dict[str, object], found: object) -> None:
    assert extract(PYTHON, how) == found


def test_what_is_no_constant_is_not_taken() -> None:
    for content, how in (
        ("P = open('x').read()", {"name": "P"}),
        ("P = 1", {"name": "Q"}),
        ("P =", {"name": "P"}),
    ):
        with pytest.raises((ValueError, LookupError, SyntaxError)):
            extract(content, how)


@pytest.fixture
def upstream(served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Served:
    """Two invented repositories on a local server, and a table that describes them."""
    texts = {
        "Toy/ask": {
            "file": "a b/judge.py",
            "name": "text",
            "sha256": protocols.hash_of("Is it kind? Say so."),
        }
    }
    texts["Toy/words"] = {
        "file": "a b/judge.py",
        "name": "WORDS",
        "sha256": protocols.hash_of(["no", "never"]),
    }
    other = {"Other/p": {"file": "c.yaml", "keys": ["x", 0], "sha256": protocols.hash_of("Well?")}}
    table = {"o/toy": {"commit": "c" * 40, "texts": texts}, "o/other": {"commit": "v1", "texts": other}}
    path = tmp_path / "table.yaml"
    path.write_text(yaml.safe_dump(table), encoding="utf-8")
    monkeypatch.setattr(protocols, "TABLE", path)
    monkeypatch.setattr(download, "GITHUB_FILE", served.url + "/{repository}/{commit}/{path}")
    monkeypatch.delenv("SAFECOT_DATA_DIR", raising=False)
    monkeypatch.setenv("SAFECOT_CACHE_DIR", str(tmp_path / "cache"))
    served.files[f"/o/toy/{'c' * 40}/a%20b/judge.py"] = PYTHON.encode()
    served.files["/o/other/v1/c.yaml"] = b"x: ['Well?']\n"
    return served


def test_prepared_through_the_real_downloader(upstream: Served) -> None:
    prepared = prepare.prepare("protocols")
    written = json.loads((prepared.root / protocols.FILE).read_text(encoding="utf-8"))
    assert written == {"Toy/ask": "Is it kind? Say so.", "Toy/words": ["no", "never"], "Other/p": "Well?"}
    asked = len(upstream.asked)
    assert asked == 2, "a file is fetched once, however many texts it holds"
    prepare.prepare("protocols")
    assert len(upstream.asked) == asked


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (PYTHON.replace("kind", "rude"), "not the text"),
        ("x = 1", "not where it was"),
        ("text =", "not where it was"),
    ],
)
def test_another_text_is_not_taken_for_the_official_one(upstream: Served, content: str, said: str) -> None:
    upstream.files[f"/o/toy/{'c' * 40}/a%20b/judge.py"] = content.encode()
    with pytest.raises(SafecotError, match=rf"o/toy, a b/judge\.py at ccccccc: Toy/ask is {said}"):
        prepare.prepare("protocols")


def test_a_yaml_file_of_theirs_that_is_none_is_a_sentence() -> None:
    for content in ("x: [", "x: 3"):
        with pytest.raises(SafecotError, match=r"o/other, c\.yaml at v1: Other/p is not where it was"):
            protocols.text_of(content, {"keys": ["x", 0], "sha256": "0"}, "o/other, c.yaml at v1", "Other/p")


def _needed() -> set[str]:
    """The texts of judge_prompts.json without which an official wording is refused."""
    entries = yaml.safe_load(rubric_files.OFFICIAL_MAP.read_text(encoding="utf-8"))
    found: set[str] = set()
    for entry in entries.values():
        if "file" in entry:
            continue
        for one in (entry, *(variant for _, variant in rubric_files._variants(entry))):
            if one.get("where_known"):
                continue
            keys = [one["key"], *one.get("parts", {}).values(), *filter(None, [one.get("pattern_key")])]
            found |= {key.split(one["separator"])[0] if "separator" in one else key for key in keys}
    return found


def test_the_table_has_every_text_that_official_twins_need() -> None:
    described = {key for one in protocols.table().values() for key in one["texts"]}
    assert len(_needed()) > 15
    assert _needed() <= described


def test_the_table_describes_the_texts_as_they_were_recorded(data_dir: Path) -> None:
    recorded = json.loads((data_dir / "protocols" / protocols.FILE).read_text(encoding="utf-8"))
    described = {
        key: how.get("sha256") for one in protocols.table().values() for key, how in one["texts"].items()
    }
    assert len(described) > 30
    ours = {key: protocols.hash_of(recorded[key]) for key in described if key in recorded}
    assert ours == {key: described[key] for key in ours}
    comics = {f"ComicJailbreak/{name}" for name in ("COMIC_SYSTEM_PROMPT", "PROMPTS", "frames")}
    leaks = {f"VisualLeakBench/{name}_PROMPT" for name in ("OCR_INJECTION", "PII_LEAKAGE")}
    others = {"MIS/judge", "WildGuard/input_format", "LlavaGuard/policy", "SafeMT/gpt_query_template_safety"}
    assert set(described) - set(ours) == others | comics | leaks
