"""Benchmark folders: complete, found without registration, and strict about their data."""

from __future__ import annotations

import doctest
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from safecot_eval.benchmarks import catalogue, registry, selection
from safecot_eval.benchmarks.data import root
from safecot_eval.cli.data import command as data_command
from safecot_eval.cli.import_ import command as import_command
from safecot_eval.records.samples import ImageSource
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.paths import tasks_dir
from tests.tasks.layouts.files import write_image, write_json
from tests.tasks.layouts.images import SCENARIOS

DROPPED_IN = """
from pathlib import Path
from safecot_eval.records.samples import Expectation, Item

TITLE, VERSION, REVISION, LICENCE, SOURCE = "Tea", "1", "r1", "ours", "here"
VARIANTS = {"": "one question"}
RUBRICS = ("refusal",)

def items(variant, root):
    for line in (root / "tea.txt").read_text().splitlines():
        yield Item(line, f"How do I make {line}?", "tea", Expectation.ANSWER)
"""


@pytest.mark.parametrize("name", registry.names())
def test_a_folder_has_a_readme_and_one_yaml_per_task(name: str) -> None:
    benchmark = registry.load(name)
    files = {path.name for path in benchmark.folder.iterdir() if path.is_file()}
    task_names = {f"{benchmark.task_name(variant)}.yaml" for variant in benchmark.variants}
    assert {file for file in files if file.endswith(".yaml")} == task_names
    readme = (benchmark.folder / "README.md").read_text(encoding="utf-8")
    for heading in ("**Measures**", "**Source, revision.**", "**Licence.**", "**Scoring.**"):
        assert heading in readme


@pytest.mark.parametrize("path", sorted(tasks_dir().glob("*/*.yaml")), ids=lambda path: path.stem)
def test_a_task_yaml_says_only_what_is_special(path: Path) -> None:
    task_name: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert task_name["task"] == task_name["dataset_name"] == path.stem
    assert task_name["include"] == "../_safecot_leaf"
    benchmark, variant = registry.task_parts(path.stem)
    assert str(task_name["metadata"]["version"]) == benchmark.version
    assert set(task_name) <= {"include", "task", "dataset_name", "metadata", "generation_kwargs", "tag"}
    if "tag" in task_name and variant not in benchmark.only_by_name:  # replaces the template's as a whole
        assert task_name["tag"][0] == "safecot-leaf"
        assert set(task_name["tag"][1:]) <= {
            "safecot_core",
            "safecot_overrefusal",
            "safecot_jailbreak",
            "safecot_contextual",
            "safecot_multilingual",
            "safecot_paper",
        }
    if "generation_kwargs" in task_name:  # replaces the template's as a whole
        assert task_name["generation_kwargs"]["until"] == []
        assert task_name["generation_kwargs"]["temperature"] == 0


@pytest.mark.parametrize("name", registry.names())
def test_the_examples_in_the_docstrings_hold(name: str) -> None:
    registry.load(name)
    results = doctest.testmod(sys.modules[f"safecot_tasks_{name}"])
    assert results.failed == 0


def test_a_folder_dropped_in_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "tasks" / "tea"
    folder.mkdir(parents=True)
    (folder / "benchmark.py").write_text(DROPPED_IN, encoding="utf-8")
    (tmp_path / "data" / "tea").mkdir(parents=True)
    (tmp_path / "data" / "tea" / "tea.txt").write_text("green tea\nblack tea\n", encoding="utf-8")
    monkeypatch.setattr(registry, "tasks_dir", lambda: tmp_path / "tasks")
    monkeypatch.setenv("SAFECOT_DATA_DIR", str(tmp_path / "data"))
    registry.load.cache_clear()
    assert registry.task_names() == {"safecot_tea": "one question"}
    assert root("tea") == tmp_path / "data" / "tea"
    prompts = [item.prompt for item in catalogue.items_of("safecot_tea")]
    assert prompts == ["How do I make green tea?", "How do I make black tea?"]
    registry.load.cache_clear()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("VERSION = '1'", ""), "VERSION is missing"),
        (("def items", "def other_items"), "items is missing"),
        (('RUBRICS = ("refusal",)', 'RUBRICS = ("refusal")'), "RUBRICS: should be a list"),
        (('VARIANTS = {"": "one"}', 'VARIANTS = ["one"]'), "VARIANTS: should be `name: value` lines"),
        (('RUBRICS = ("refusal",)', 'RUBRICS = ("refusal",)\nDATA = ()'), "DATA: should be text"),
    ],
)
def test_a_folder_that_declares_the_wrong_things(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: tuple[str, str], says: str
) -> None:
    sound = """
TITLE = REVISION = LICENCE = SOURCE = "Tea"
VERSION = '1'
VARIANTS = {"": "one"}
RUBRICS = ("refusal",)
def items(variant, root):
    yield from ()
"""
    folder = tmp_path / "tea"
    folder.mkdir()
    monkeypatch.setattr(registry, "tasks_dir", lambda: tmp_path)
    path = folder / "benchmark.py"
    path.write_text(sound, encoding="utf-8")
    registry.load.cache_clear()
    assert registry.load("tea").data == "tea"
    assert change[0] in sound
    path.write_text(sound.replace(*change), encoding="utf-8")
    registry.load.cache_clear()
    with pytest.raises(SafecotError) as caught:
        registry.load("tea")
    assert str(caught.value) == f"{path}: not a valid benchmark: {says}; see docs/tasks.md."
    registry.load.cache_clear()


def test_missing_data_say_how_to_get_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SAFECOT_DATA_DIR", raising=False)
    monkeypatch.setenv("SAFECOT_CACHE_DIR", str(tmp_path))
    with pytest.raises(SafecotError, match="safecot data prepare figstep"):
        catalogue.items_of("safecot_figstep")
    with pytest.raises(SafecotError, match="accept the terms at .*thu-ml/MultiTrust"):
        catalogue.items_of("safecot_multitrust_risk_identification")


def test_corrupt_json_names_file_and_line(invented: Path) -> None:
    path = invented / "mossbench" / "information.json"
    path.write_text('{"1":\n {"pid": "1",\n oops}}', encoding="utf-8")
    with pytest.raises(SafecotError, match=r"information\.json, line 3: not valid JSON"):
        catalogue.items_of("safecot_mossbench")


def test_a_missing_field_names_the_record(invented: Path) -> None:
    write_json(invented / "siuo" / "siuo_gen.json", [{"question_id": 7, "question": "May I?"}])
    with pytest.raises(SafecotError, match=r"siuo_gen\.json, record 0: the field 'safety_warning'"):
        catalogue.items_of("safecot_siuo")


def test_a_csv_without_a_column_or_with_a_short_row(invented: Path) -> None:
    path = invented / "xstest" / "xstest_prompts.csv"
    path.write_text("id,prompt,type\n1,Hi,x\n", encoding="utf-8")
    with pytest.raises(SafecotError, match=r"line 1: the header lacks label"):
        catalogue.items_of("safecot_xstest")
    for foreign in ("a;b\n1,Hi,x,safe\n", "only\n1,Hi\n", "id,prompt,kind\n", "What is this?\n"):
        path.write_text(foreign, encoding="utf-8")
        with pytest.raises(SafecotError, match=r"line 1: the header lacks .*label; its columns are '"):
            catalogue.items_of("safecot_xstest")
    path.write_text("id,prompt,type,label\n1,Hi,x,safe\n2,Hello\n", encoding="utf-8")
    with pytest.raises(SafecotError, match=r"xstest_prompts\.csv, line 3: 2 cells under 4 column names"):
        catalogue.items_of("safecot_xstest")


def test_an_unknown_label(invented: Path) -> None:
    path = invented / "xstest" / "xstest_prompts.csv"
    path.write_text("id,prompt,type,label\n1,Hi,x,harmless\n", encoding="utf-8")
    with pytest.raises(SafecotError, match="'harmless' is neither"):
        catalogue.items_of("safecot_xstest")


def test_bytes_that_are_not_utf8(invented: Path) -> None:
    (invented / "xstest" / "xstest_prompts.csv").write_bytes(b"id,prompt,type,label\n1,\xff\xfe,x,safe\n")
    with pytest.raises(SafecotError, match=r"line 2: the text is not UTF-8"):
        catalogue.items_of("safecot_xstest")


def test_no_model_is_asked_siuo_without_its_images(invented: Path) -> None:
    assert selection.why_not("safecot_siuo", recorded=False) is None
    (invented / "siuo" / "images" / "S-01.png").unlink()
    with pytest.raises(
        SafecotError, match=r"1 of its 1 images are not on disk \(S-01.png\); run `safecot data prep"
    ):
        selection.expand_tasks("safecot_siuo", recorded=False)
    assert selection.expand_tasks("safecot_siuo", recorded=True)[0] == {"safecot_siuo": 1}
    (item,) = catalogue.items_of("safecot_siuo")
    assert (item.images, item.image_source, item.image_names) == ((), ImageSource.ABSENT, ("S-01.png",))


def test_official_and_rendered_typography_are_never_mixed(invented: Path) -> None:
    rendered = catalogue.items_of("safecot_mmsafetybench_typo")
    assert {item.image_source for item in rendered} == {ImageSource.RENDERED}
    images = invented / "mm_safetybench" / "imgs"
    for scenario in SCENARIOS:
        write_image(images / scenario / "TYPO" / "0.jpg")
    reason = selection.why_not("safecot_mmsafetybench_typo", recorded=False)
    assert reason is not None
    assert "13 of its 26 images are not on disk (01-Illegal_Activitiy/TYPO/17.jpg, " in reason
    mixed = catalogue.items_of("safecot_mmsafetybench_typo")
    assert {item.image_source for item in mixed} == {ImageSource.OFFICIAL, ImageSource.ABSENT}
    for scenario in SCENARIOS:
        write_image(images / scenario / "TYPO" / "17.jpg")
    official = catalogue.items_of("safecot_mmsafetybench_typo")
    assert {item.image_source for item in official} == {ImageSource.OFFICIAL}


def test_stable_diffusion_images_cannot_be_rendered(invented: Path) -> None:
    for path in (invented / "mm_safetybench" / "imgs").glob("*/SD/*.jpg"):
        path.unlink()
    with pytest.raises(SafecotError, match="images are not on disk .*; get the zip"):
        selection.expand_tasks("safecot_mmsafetybench_sd_tiny", recorded=False)
    items = catalogue.items_of("safecot_mmsafetybench_sd_tiny")
    assert {item.image_source for item in items} == {ImageSource.ABSENT}


def test_an_image_path_cannot_leave_the_data_folder(invented: Path) -> None:
    path = invented / "multitrust" / "safety" / "typographic_jailbreak" / "behavior_graph.csv"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("0.png", "../../secret.png"), encoding="utf-8")
    with pytest.raises(SafecotError, match="leads out of the data folder"):
        catalogue.items_of("safecot_multitrust_typographic_optimized")


@pytest.fixture
def own_tasks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A task folder of the user's own, named by ``SAFECOT_TASKS_DIR``, with one benchmark."""
    folder = tmp_path / "mine" / "tea"
    (folder / "data").mkdir(parents=True)
    (folder / "benchmark.py").write_text(DROPPED_IN, encoding="utf-8")
    (folder / "data" / "tea.txt").write_text("green tea\n", encoding="utf-8")
    monkeypatch.setenv("SAFECOT_TASKS_DIR", str(tmp_path / "mine"))
    monkeypatch.delenv("SAFECOT_DATA_DIR", raising=False)
    registry.load.cache_clear()
    catalogue.why_not_ready.cache_clear()
    yield folder
    registry.load.cache_clear()
    catalogue.why_not_ready.cache_clear()


def test_a_folder_of_the_users_own_is_found_with_its_data_beside_it(own_tasks: Path) -> None:
    assert "safecot_tea" in registry.task_names()
    assert root("tea") == own_tasks / "data"
    assert [item.prompt for item in catalogue.items_of("safecot_tea")] == ["How do I make green tea?"]


def test_what_a_folder_of_the_users_own_lacks(own_tasks: Path) -> None:
    with pytest.raises(SafecotError, match=r"has no safecot_tea\.yaml; docs/add-a-benchmark\.md"):
        selection.expand_tasks("safecot_tea", recorded=False)
    (own_tasks / "safecot_tea.yaml").write_text("task: safecot_tea\n", encoding="utf-8")
    with pytest.raises(SafecotError, match="lacks _safecot_leaf or _stub.json; copy both"):
        selection.expand_tasks("safecot_tea", recorded=False)
    for name in ("_safecot_leaf", "_stub.json"):
        (own_tasks.parent / name).write_text("{}", encoding="utf-8")
    assert selection.expand_tasks("safecot_tea", recorded=False)[0] == {"safecot_tea": 1}


def test_a_task_file_of_the_users_own(own_tasks: Path) -> None:
    path = own_tasks / "safecot_tea.yaml"
    path.write_text("task: safecot_tea\ntag: mine\nprocess_docs: !function utils.chosen\n", encoding="utf-8")
    assert selection.tags()["mine"] == ["safecot_tea"]
    for text, says in (
        ("tag: [a\nb", r"safecot_tea\.yaml: not a readable YAML file"),
        ("- 1", "is a mapping"),
    ):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(SafecotError, match=says):
            selection.tags()


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("TITLE = \n", r"benchmark\.py, line 1: SyntaxError"),
        ("import no_such_module\n", r"benchmark\.py, line 1: ModuleNotFoundError"),
        (
            DROPPED_IN.replace("read_text()", "read_txt()"),
            r"benchmark\.py, line 10: AttributeError: .*read_txt",
        ),
    ],
)
def test_a_mistake_in_a_benchmark_is_one_sentence_with_its_line(
    own_tasks: Path, code: str, says: str
) -> None:
    (own_tasks / "benchmark.py").write_text(code, encoding="utf-8")
    with pytest.raises(SafecotError, match=says):
        catalogue.items_of("safecot_tea")


def test_a_name_that_is_taken(own_tasks: Path) -> None:
    own_tasks.rename(own_tasks.with_name("figstep"))
    with pytest.raises(SafecotError, match="there is a benchmark of this name already"):
        registry.names()


def test_a_task_folder_that_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SAFECOT_TASKS_DIR", str(tmp_path / "nowhere"))
    with pytest.raises(SafecotError, match="SAFECOT_TASKS_DIR: .* is not a folder"):
        registry.names()


def test_two_items_of_one_id_are_refused_before_anything_is_written(invented: Path, tmp_path: Path) -> None:
    table = invented / "vlsu" / "VLSU.csv"
    head, first, *others = table.read_text(encoding="utf-8").splitlines()
    table.write_text("\n".join([head, first, *others, first, ""]), encoding="utf-8")
    with pytest.raises(
        SafecotError, match=r"VLSU\.csv: safecot_vlsu has 2 items with the id 'a1' \(items 1, 4 of 4\)"
    ):
        catalogue.items_of("safecot_vlsu")
    (tmp_path / "a.csv").write_text("id,response\na1,Yes.\na2,No.\n", encoding="utf-8")
    words = [str(tmp_path / "a.csv"), "--tasks", "safecot_vlsu", "--output_path", str(tmp_path / "runs")]
    done = CliRunner().invoke(import_command, words)
    assert "items with the id 'a1'" in str(done.exception)
    assert not (tmp_path / "runs").exists()


def test_two_of_many_ids_that_occur_again_are_counted(own_tasks: Path) -> None:
    (own_tasks / "data" / "tea.txt").write_text("green tea\n" * 5 + "black tea\n" * 2, encoding="utf-8")
    says = r"data: safecot_tea has 5 items with the id 'green tea' \(items 1, 2, 3, … of 7, and 1 more such id\);"
    with pytest.raises(SafecotError, match=says):
        catalogue.items_of("safecot_tea")


@pytest.mark.parametrize(
    ("file", "content", "heading", "says"),
    [
        ("vlsu/VLSU.csv", b"uuid,url\n1,2\n", "not ready", "the header lacks web_path"),
        ("vlsu/VLSU.csv", "uuid\nü\n".encode("utf-16"), "not ready", "not UTF-8"),
        ("safemt/1_turn.json", b"[{\n]", "5 of 6 tasks ready", "line 2: not valid JSON"),
        ("safemt/1_turn.json", b"[]", "5 of 6 tasks ready", "1_turn.json: 0 rows"),
    ],
)
def test_what_cannot_be_read_is_not_prepared(
    invented: Path, file: str, content: bytes, heading: str, says: str
) -> None:
    (invented / file).write_bytes(content)
    name = file.partition("/")[0]
    done = CliRunner().invoke(data_command, ["prepare", name])
    assert f"{name}: {heading} at " in done.output
    assert says in done.output
    assert "cannot be read; see the lines above" in str(done.exception)
    assert f"{name}: ready" not in done.output


def test_what_is_needed_and_not_there_fails_the_check(invented: Path) -> None:
    assert CliRunner().invoke(data_command, ["verify", "safemt"]).exception is None
    (invented / "safemt" / "8_turn.json").unlink()
    done = CliRunner().invoke(data_command, ["verify", "safemt"])
    assert "8_turn.json or Data/8_turn.json or data/8_turn.json is not there" in done.output
    assert "The data of safemt are not what they should be" in str(done.exception)


@pytest.mark.parametrize(
    ("keep", "says"),
    [
        (lambda line: line.startswith("uuid"), r"^\S*VLSU\.csv: 0 rows; safecot_vlsu has no items"),
        (
            lambda line: "not_sure" in line or line.startswith("uuid"),
            r"VLSU\.csv: 1 row, and all are left out .*README",
        ),
    ],
)
def test_a_table_without_an_item_is_named_with_its_rows(
    invented: Path, keep: Callable[[str], bool], says: str
) -> None:
    table = invented / "vlsu" / "VLSU.csv"
    lines = table.read_text(encoding="utf-8").splitlines(keepends=True)
    table.write_text("".join(filter(keep, lines)), encoding="utf-8")
    with pytest.raises(SafecotError, match=says):
        catalogue.items_of("safecot_vlsu")


@pytest.mark.parametrize("content", ["", "\n", "[]", "{}"])
def test_an_empty_table_of_any_kind(invented: Path, content: str) -> None:
    for path in (invented / "ood_mmsafe").glob("*.*"):
        path.unlink()
    name = "data.json" if content[:1] in "[{" and content else "data.jsonl"
    (invented / "ood_mmsafe" / name).write_text(content, encoding="utf-8")
    with pytest.raises(SafecotError, match=rf"{name}: 0 rows; safecot_ood_mmsafe has no items"):
        catalogue.items_of("safecot_ood_mmsafe")
