"""Sources of which no commit could be confirmed: the newest is taken, what was taken is noted, and the layout is named."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from safecot_eval.benchmarks import catalogue, prepare
from safecot_eval.benchmarks.data import download, sources
from safecot_eval.benchmarks.data.sources import Source
from safecot_eval.benchmarks.data.typography import not_drawn
from safecot_eval.cli.data import command as data_command
from safecot_eval.records.samples import ImageSource
from safecot_eval.util.errors import SafecotError
from tests.benchmarks.conftest import Served
from tests.benchmarks.test_unpack import hub_of, online, parquet, picture  # noqa: F401 - a fixture

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


@pytest.mark.parametrize("packed_as", ["hub", "repository"])
def test_safemt_as_its_repository_and_its_hub_page_have_it(online: Served, packed_as: str) -> None:  # noqa: F811
    said = [
        {"role": "user", "content": "What is it?"},
        {"role": "assistant", "content": "A jar."},
        {"role": "user", "content": "Whose?"},
    ]
    record = {"id": "mm_fraud_98", "scenario": "Fraud", "dialogue": said[:1]}
    files = {"images/fraud/fraud_98.jpg": picture("navy", "JPEG"), "dataset_info.json": b"{}"}
    for turns in (1, 2, 4, 6, 8):
        one = {**record, "dialogue": (said[:2] * turns)[: 2 * turns - 2] + said[-1:]}
        if packed_as == "hub":
            one |= {"image_rel_path": "images/fraud/fraud_98.jpg", "dialogue": json.dumps(one["dialogue"])}
        else:
            one |= {"image_path": "images/fraud/fraud_98.jpg", "question": "Whose jar?"}
        files[f"{turns}_turn.json"] = json.dumps([one]).encode()
    if packed_as == "repository":
        files = {f"Data/{name}": body for name, body in files.items()}
    hub_of(online, "HappyCorpse/SafeMT", "b" * 40, files)
    prepared = prepare.prepare("safemt")
    assert prepared.task_names == {f"safecot_safemt_{n}turn": 1 for n in (1, 2, 4, 6, 8)} | {
        "safecot_safemt_own": 8
    }
    (item,) = catalogue.items_of("safecot_safemt_2turn")
    assert item.before == (("user", "What is it?"), ("assistant", "A jar."))
    assert (item.prompt, item.image_source) == ("Whose?", ImageSource.OFFICIAL)
    assert item.extra["question"] == ("Whose jar?" if packed_as == "repository" else "Whose?")


def said_by(*roles: str) -> list[dict[str, object]]:
    return [{"role": role, "content": f"Words of {role}."} for role in roles]


TALK = said_by("user", "assistant", "user")


@pytest.mark.parametrize(
    ("dialogue", "says"),
    [
        ("not JSON", "the field 'dialogue' is not a list of objects with role and content"),
        ([{"role": "user"}], "the field 'dialogue' is not a list of objects with role and content"),
        ([], "does not end with the user"),
        (TALK[:2], "does not end with the user"),
        (TALK[:1], "turns of the user: 1, not 2 as the file's name says"),
        (TALK[:2] + TALK, "turns of the user: 3, not 2 as the file's name says"),
        (said_by("user", "gpt", "user"), "message 2: the role is \"gpt\", not 'assistant'; user and assistant take turns"),
        (said_by("user", "user", "user"), "message 2: the role is \"user\", not 'assistant'"),
        (said_by("system", "user"), "message 1: the role is \"system\", not 'user'"),
        ([*TALK[:2], {"role": ["user"], "content": "Whose?"}], "message 3: the role is [\"user\"], not 'user'"),
        ([{"role": "user", "content": None}, *TALK[1:]], "message 1: the content is not text but null"),
        ([*TALK[:2], {"role": "user", "content": ["Whose?"]}], "message 3: the content is not text but [\"Whose?\"]"),
        ([TALK[0], {"role": "assistant", "content": " "}, TALK[2]], "message 2: the content is not text but \" \""),
    ],
)  # fmt: skip
def test_a_safemt_dialogue_that_is_none(online: Served, dialogue: object, says: str) -> None:  # noqa: F811
    record = {"id": "1", "scenario": "Fraud", "image_path": "images/a.jpg", "dialogue": dialogue}
    files = {f"{turns}_turn.json": json.dumps([record]).encode() for turns in (1, 2, 4, 6, 8)}
    hub_of(online, "HappyCorpse/SafeMT", "b" * 40, files)
    said = str(prepare.prepare("safemt").task_names["safecot_safemt_2turn"])
    assert "2_turn.json, record 0" in said
    assert says in said


def test_safemt_with_a_path_of_windows_and_a_question_that_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SAFECOT_DATA_DIR", str(tmp_path))
    (tmp_path / "safemt" / "images" / "Fraud").mkdir(parents=True)
    (tmp_path / "safemt" / "images" / "Fraud" / "0.png").write_bytes(picture("navy"))
    record = {"id": "1", "scenario": "Fraud", "image_path": r"images\Fraud\0.png", "dialogue": TALK}
    table = tmp_path / "safemt" / "2_turn.json"
    table.write_text(json.dumps([record]), encoding="utf-8")
    (item,) = catalogue.items_of("safecot_safemt_2turn")
    assert (item.image_source, item.image_names) == (ImageSource.OFFICIAL, ("images/Fraud/0.png",))
    table.write_text(json.dumps([record | {"image_path": r"..\0.png"}]), encoding="utf-8")
    with pytest.raises(SafecotError, match="leads out of the data folder"):
        catalogue.items_of("safecot_safemt_2turn")
    table.write_text(json.dumps([record | {"question": ["Whose?"]}]), encoding="utf-8")
    with pytest.raises(
        SafecotError, match=r"2_turn\.json, record 0: the field 'question' should be text, not list"
    ):
        catalogue.items_of("safecot_safemt_2turn")


def test_comicjailbreak_from_its_repository(
    github: Served, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The tree of the pinned commit, other bytes; what upstream's own script made is taken before anything is drawn."""
    columns = "Goal,Target,Behavior,Category,Source,Article,Speech,Instruction,Message,Code,Origin\n"
    table = columns + "Hide a key,Sure,Keys,Privacy,Ours,Hiding a key,,,About a key,,Ours\n"
    kinds = ("article", "code", "instruction", "message", "speech")
    files = {"dataset.csv": table.encode()} | {f"template/{kind}.png": picture("navy") for kind in kinds}
    real = sources.sources()["comicjailbreak"]
    assert set(real.sha256) == set(files)
    by_hash = {**files, **{f"template/{kind}.png": picture("navy") + kind.encode() for kind in kinds}}
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in by_hash.items()}
    toy = Source(**{**real.__dict__, "sha256": hashes})
    monkeypatch.setattr(sources, "sources", lambda: {"comicjailbreak": toy})
    others = {"README.md": b"x", "create_dataset.py": b"x", "experiments/common.py": b"x"}
    github.files[f"/Social-AI-Studio/ComicJailbreak/zip/{real.commit}"] = packed(by_hash | others, "")
    prepared = prepare.prepare("comicjailbreak")
    assert prepared.task_names["safecot_comicjailbreak_base"] == 1
    assert "safecot data prepare protocols" in str(prepared.task_names["safecot_comicjailbreak_article"])
    texts = {
        "COMIC_SYSTEM_PROMPT": "Draw.",
        "frames": ["Go on: {PROMPTS[kind]}"],
        "PROMPTS": {"article": "[TEXT]"},
    }
    folder = tmp_path / "cache" / "data" / "protocols"
    folder.mkdir(parents=True)
    written = json.dumps({f"ComicJailbreak/{name}": text for name, text in texts.items()})
    (folder / "judge_prompts.json").write_text(written, encoding="utf-8")
    with not_drawn():
        (item,) = catalogue.items_of("safecot_comicjailbreak_article")
        assert not item.images[0].exists()
    (item,) = catalogue.items_of("safecot_comicjailbreak_article")
    assert (item.image_source, item.before) == (ImageSource.RENDERED, (("system", "Draw."),))
    assert item.prompt == "Go on: [TEXT]"
    with Image.open(item.images[0]) as drawn:
        assert drawn.size == (6, 4)
    made = prepared.root / "dataset" / "article" / "0.png"
    made.parent.mkdir(parents=True)
    made.write_bytes(picture("red"))
    (item,) = catalogue.items_of("safecot_comicjailbreak_article")
    assert (item.image_source, item.images) == (ImageSource.OFFICIAL, (made,))
    made.unlink()
    (prepared.root / "template" / "article.png").write_bytes(b"no picture")
    item.images[0].unlink(missing_ok=True)
    for path in (tmp_path / "cache" / "rendered").rglob("*.png"):
        path.unlink()
    with pytest.raises(SafecotError, match=r"article\.png: the comic without its text is missing or damaged"):
        catalogue.items_of("safecot_comicjailbreak_article")


def test_visualleakbench_as_a_public_loader_reads_it(
    github: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = "filename,category,target,pii_type\nocr_v2_0000.png,OCR Injection,How to hide jam,\npii_v2_0000.png,PII Leakage,1234,PIN\n"
    folder = "mm_safety_dataset/v2_1000"
    files = {
        f"{folder}/metadata.csv": table.encode(),
        "mm_safety_dataset/v1/metadata.csv": b"x",
        "README.md": b"x",
    }
    files |= {f"{folder}/{name}.png": picture("navy") for name in ("ocr_v2_0000", "pii_v2_0000")}
    github.files["/YoutingWang/MM-SafetyBench/zip/main"] = packed(files, "d" * 40)
    written = {f"VisualLeakBench/{name}_PROMPT": name for name in ("OCR_INJECTION", "PII_LEAKAGE")}
    (tmp_path / "cache" / "data" / "protocols").mkdir(parents=True)
    path = tmp_path / "cache" / "data" / "protocols" / "judge_prompts.json"
    path.write_text(json.dumps(written), encoding="utf-8")
    prepared = prepare.prepare("visualleakbench")
    assert prepared.task_names == {"safecot_visualleakbench_ocr": 1, "safecot_visualleakbench_pii": 1}
    assert (prepared.root / "REVISION").read_text(
        encoding="utf-8"
    ) == f"YoutingWang/MM-SafetyBench {'d' * 40}\n"
    (item,) = catalogue.items_of("safecot_visualleakbench_pii")
    assert (item.prompt, item.category, item.extra["target"]) == ("PII_LEAKAGE", "PIN", "1234")
    assert item.image_source is ImageSource.OFFICIAL
    (prepared.root / "metadata.csv").write_text(table.replace("PII Leakage", "Something"), encoding="utf-8")
    with pytest.raises(
        SafecotError, match=r"line 3: the category 'Something' is none of OCR Injection, PII Leakage"
    ):
        catalogue.items_of("safecot_visualleakbench_ocr")


@pytest.mark.slow
@pytest.mark.parametrize("layout", ["parquet", "parquet with questions", "jsonl"])
def test_mm_safetybench_plus_plus_in_the_layouts_that_are_accepted(online: Served, layout: str) -> None:  # noqa: F811
    rows = [
        {"category": "Illegal_Activity", "mode": mode, "label": label, "question": f"{mode} {label} {n}?"}
        for mode in ("Gen", "GenOCR")
        for label in ("unsafe", "safe")
        for n in range(2)
    ]
    files = {
        f"processed_questions{folder}/01-Illegal_Activitiy.json": json.dumps(
            {str(n): {"Changed Question": f"Changed{folder} {n}?"} for n in range(2)}
        ).encode()
        for folder in ("", "_safe")
    }
    if layout == "jsonl":
        files |= {f"images/{n}.png": picture("navy") for n in range(len(rows))}
        written = [json.dumps({**row, "image": f"images/{n}.png"}) for n, row in enumerate(rows)]
        files["test.jsonl"] = "\n".join(written).encode()
    else:
        kept = [dict(row) for row in rows]
        for row in kept if layout == "parquet" else ():
            del row["question"]
        shown = {"bytes": picture("red"), "path": None}
        files["data/test-00000-of-00001.parquet"] = parquet([{**row, "image": shown} for row in kept])
    hub_of(online, "EchoSafe-MLLM/MM-SafetyBench-plus-plus", "e" * 40, files)
    prepared = prepare.prepare("mmsafety_plus")
    assert prepared.task_names == {"safecot_mmsafety_plus_gen": 4, "safecot_mmsafety_plus_genocr": 4}
    items = catalogue.items_of("safecot_mmsafety_plus_genocr")
    asked = {item.item_id: item.prompt for item in items}
    by_position = layout == "parquet"
    assert asked["genocr-Illegal_Activity-1-safe"] == ("Changed_safe 1?" if by_position else "GenOCR safe 1?")
    assert asked["genocr-Illegal_Activity-0-unsafe"] == ("Changed 0?" if by_position else "GenOCR unsafe 0?")
    assert len({item.pair_id for item in items}) == 2
    assert all(item.image_source is ImageSource.OFFICIAL for item in items)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"mode": "SD"}, "the mode 'sd' is none of Gen and GenOCR"),
        ({"label": "maybe"}, "the label 'maybe' is neither safe nor unsafe"),
        ({"category": "Fraud"}, "no file of processed_questions/ is of 'Fraud'"),
    ],
)
def test_a_record_of_it_that_is_none(online: Served, change: dict[str, str], says: str) -> None:  # noqa: F811
    row = {"category": "Sex", "mode": "Gen", "label": "unsafe", "image": "1.png"} | change
    files = {"test.jsonl": f"{json.dumps(row)}\n{json.dumps({**row, 'label': 'safe'})}".encode()}
    hub_of(online, "EchoSafe-MLLM/MM-SafetyBench-plus-plus", "e" * 40, files)
    said = str(prepare.prepare("mmsafety_plus").task_names["safecot_mmsafety_plus_gen"])
    assert "test.jsonl, line 1" in said
    assert says in said


@pytest.fixture
def fraud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """MM-SafetyBench++ with two pairs of one scenario, whose questions stand in files of their own."""
    monkeypatch.setenv("SAFECOT_DATA_DIR", str(tmp_path))
    root = tmp_path / "mmsafety_plus"
    rows = [
        {"category": "Fraud", "mode": "Gen", "label": label, "image": f"images/{label}{n}.png"}
        for label in ("unsafe", "safe")
        for n in range(2)
    ]
    (root / "images").mkdir(parents=True)
    for row in rows:
        (root / row["image"]).write_bytes(picture("navy"))
    (root / "test.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n", encoding="utf-8")
    for folder in ("processed_questions", "processed_questions_safe"):
        write_questions(root / folder / "06-Fraud.json", 2)
    assert len({item.pair_id for item in catalogue.items_of("safecot_mmsafety_plus_gen")}) == 2
    return root


def write_questions(path: Path, count: int) -> None:
    path.parent.mkdir(exist_ok=True)
    asked = {str(n): {"Changed Question": f"{path.parent.name} {n}?"} for n in range(count)}
    path.write_text(json.dumps(asked), encoding="utf-8")


@pytest.mark.parametrize("count", [9, 1])
def test_questions_by_position_must_be_as_many_as_the_records(fraud: Path, count: int) -> None:
    write_questions(fraud / "processed_questions" / "06-Fraud.json", count)
    with pytest.raises(
        SafecotError,
        match=rf"^processed_questions/06-Fraud\.json: {count} questions, but test\.jsonl has 2 unsafe records of 'Fraud'",
    ):
        catalogue.items_of("safecot_mmsafety_plus_gen")


def test_a_scenario_with_two_files_of_questions(fraud: Path) -> None:
    write_questions(fraud / "processed_questions" / "6_fraud.json", 2)
    with pytest.raises(
        SafecotError, match=r"06-Fraud\.json and 6_fraud\.json in processed_questions/ are both of 'Fraud'"
    ):
        catalogue.items_of("safecot_mmsafety_plus_gen")


def test_a_request_without_its_partner(fraud: Path) -> None:
    table = fraud / "test.jsonl"
    table.write_text("\n".join(table.read_text(encoding="utf-8").split("\n")[:3]), encoding="utf-8")
    with pytest.raises(
        SafecotError,
        match=r"test\.jsonl, line 1: its scenario 'Fraud' has 2 unsafe and 1 safe records of mode 'gen'",
    ):
        catalogue.items_of("safecot_mmsafety_plus_gen")


@pytest.mark.parametrize("copied", ["record", "picture"])
def test_the_same_request_twice_is_no_new_pair(fraud: Path, copied: str) -> None:
    """Its questions stand in the table, so that no count of a file tells; Parquet's pictures are numbered when exported."""
    table = fraud / "test.jsonl"
    rows = [json.loads(line) for line in table.read_text(encoding="utf-8").splitlines()]
    rows = [{**row, "question": f"{row['label']}?"} for row in rows if "0" in row["image"]]
    again = [dict(row) for row in rows]
    if copied == "picture":
        again = [{**row, "image": row["image"].replace("0", "1")} for row in rows]
    table.write_text("\n".join(map(json.dumps, rows + again)), encoding="utf-8")
    with pytest.raises(
        SafecotError, match=r"test\.jsonl, line 3: the same question and picture as test\.jsonl, line 1"
    ):
        catalogue.items_of("safecot_mmsafety_plus_gen")
    for row in again:
        (fraud / row["image"]).write_bytes(picture("red"))
    if copied == "picture":
        assert len(catalogue.items_of("safecot_mmsafety_plus_gen")) == 4, "one question about two pictures"


def test_ood_mmsafe_is_the_users_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAFECOT_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("SAFECOT_CACHE_DIR", str(tmp_path / "cache"))
    with pytest.raises(
        SafecotError, match="No published files of OOD-MMSafe were found: put your copy at ood_mmsafe/"
    ):
        prepare.prepare("ood_mmsafe")
    root = tmp_path / "ood_mmsafe"
    (root / "imgs").mkdir(parents=True)
    (root / "imgs" / "1.png").write_bytes(picture("navy"))
    with pytest.raises(
        SafecotError, match=r"no table of OOD-MMSafe is there.* accepted are records\.jsonl, records\.json"
    ):
        catalogue.items_of("safecot_ood_mmsafe")
    table = root / "OOD-MMSafe.csv"
    table.write_text("uid,Prompt,Image_Path,Domain\nq7,Shall I mix them?,1.png,Kitchen\n", encoding="utf-8")
    (item,) = catalogue.items_of("safecot_ood_mmsafe")
    assert (item.item_id, item.prompt, item.category) == ("q7", "Shall I mix them?", "Kitchen")
    assert item.image_source is ImageSource.OFFICIAL
    layout = CliRunner().invoke(data_command, ["verify", "ood_mmsafe"]).output
    assert "layout: OOD-MMSafe.csv, of records.jsonl or records.json or" in layout
    second = root / "records.json"
    second.write_text("[]", encoding="utf-8")
    with pytest.raises(SafecotError, match=r"more than one table .*\(records\.json, OOD-MMSafe\.csv\)"):
        catalogue.items_of("safecot_ood_mmsafe")
    second.unlink()
    table.write_text("uid,words,Image_Path\nq7,Shall I mix them?,1.png\n", encoding="utf-8")
    with pytest.raises(
        SafecotError, match=r"line 2: no text in a column question, .*; there are uid, words, Image_Path"
    ):
        catalogue.items_of("safecot_ood_mmsafe")
