"""Triplets, splits, mixtures, contamination and the data folder."""

from __future__ import annotations

import errno
import json
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from safecot_eval.cli import cli
from safecot_eval.records.samples import Expectation, ImageSource, Item
from safecot_eval.util import files
from safecot_eval.util.errors import SafecotError
from safecot_training.data import contamination, examples
from safecot_training.data.contamination import EvalSet, Ground
from safecot_training.data.dataset import build, read_examples, read_manifest
from safecot_training.data.drawing import OnContamination, Plan
from safecot_training.data.examples import Kind, read_triplets
from safecot_training.data.mixture import balanced_order, mix, split_by_question
from safecot_training.data.sanitise import sanitise
from safecot_training.data.sources import read_source


def _edit(path: Path, line: int, **changes: object) -> Path:
    rows = [json.loads(text) for text in path.read_text().splitlines()]
    for key, value in changes.items():
        if value is None:
            rows[line].pop(key)
        else:
            rows[line][key] = value
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"category": None}, "line 3 (sample safety-2): no 'category'"),
        ({"query": ""}, "line 3 (sample safety-2): 'query'"),
        ({"query": ["a", "b"]}, "line 3 (sample safety-2): 'query' must be text, not list."),
        ({"answer": {"text": "a"}}, "line 3 (sample safety-2): 'answer' must be text, not dict."),
        ({"image": "nowhere.png"}, "line 3 (sample safety-2): image"),
        ({"image": None}, "line 3 (sample safety-2): no 'image'"),
        ({"expectation": "answer"}, "'answer' is empty"),
        ({"expectation": "respond_safely"}, "must be 'refuse' or 'answer'"),
        ({"id": "safety-1"}, "occurs twice"),
    ],
)
def test_a_bad_triplet_is_named_by_line_and_id(triplets: Path, changes: dict, words: str) -> None:
    with pytest.raises(SafecotError) as raised:
        read_triplets(_edit(triplets, 2, **changes))
    assert words in str(raised.value)


def test_parquet_and_jsonl_read_the_same(triplets: Path) -> None:
    import pandas as pd

    frame = pd.read_json(triplets, lines=True)
    frame["answer"] = frame["answer"].astype(object).where(frame["answer"].notna(), None)
    parquet = triplets.with_suffix(".parquet")
    frame.to_parquet(parquet)
    assert read_triplets(parquet) == read_triplets(triplets)


def test_a_parquet_file_that_unfolds_is_not_read_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "bomb.parquet"
    row_group = pa.table({"query": pa.nulls(400_000, pa.string()), "category": ["x"] * 400_000})
    with pq.ParquetWriter(path, row_group.schema, compression="zstd") as writer:
        for _ in range(5):
            writer.write_table(row_group)
    assert path.stat().st_size < 50_000
    read = []
    monkeypatch.setattr(examples, "example_from", lambda *given: read.append(given))
    rows = examples.enumerate_records(path)
    assert next(rows) == (1, {"query": None, "category": "x"})
    monkeypatch.setattr(examples, "MAX_ROWS", 1_000_000)
    with pytest.raises(SafecotError, match="2,000,000 rows; a triplet file holds at most 1,000,000"):
        read_triplets(path)
    assert not read


def test_questions_stay_together_and_do_not_depend_on_the_rest(triplets: Path) -> None:
    examples = read_triplets(triplets)
    train, held = split_by_question(examples, 0.4, seed=1)
    assert train
    assert held
    assert not {e.cluster_id for e in train} & {e.cluster_id for e in held}
    fewer, _ = split_by_question(examples[::3], 0.4, seed=1)
    assert set(fewer) == set(train) & set(examples[::3])


@pytest.mark.parametrize("ratio", [(1, 1), (2, 1), (1, 0)])
def test_every_prefix_is_a_balanced_data_set(triplets: Path, general: Path, ratio: tuple[int, int]) -> None:
    safety, plain = read_triplets(triplets), read_triplets(general, Kind.GENERAL)
    mixed = mix(safety, plain, ratio=ratio, size=20, seed=3)
    share = ratio[0] / sum(ratio)
    for size in range(1, 21):
        count = sum(e.kind is Kind.SAFETY for e in mixed[:size])
        assert abs(count - share * size) <= 0.5
    assert mix(safety, plain, ratio=ratio, size=8, seed=3) == mixed[:8]
    assert mix(safety[::-1], plain, ratio=ratio, size=20, seed=3) == mixed
    assert len({e.example_id for e in mixed}) == 20


def test_categories_take_turns(triplets: Path) -> None:
    ordered = balanced_order(read_triplets(triplets), seed=0)
    assert len({(e.category, e.expectation) for e in ordered[:6]}) == 6


def test_a_mixture_never_repeats_an_example(triplets: Path, general: Path) -> None:
    safety, plain = read_triplets(triplets), read_triplets(general, Kind.GENERAL)
    with pytest.raises(SafecotError, match="at most 48 are possible"):
        mix(safety, plain, size=49)


def _item(prompt: str, images: tuple[Path, ...] = (), item_id: str = "1", **extra: str) -> Item:
    return Item(item_id, prompt, "x", Expectation.REFUSE, images, cluster_id=item_id, extra=extra)


def test_contamination_by_text_near_text_and_image(triplets: Path, tmp_path: Path) -> None:
    examples = read_triplets(triplets)
    reencoded = tmp_path / "again.bmp"
    with Image.open(examples[5].images[0]) as image:
        image.save(reencoded)
    items = (
        _item(examples[0].query.upper() + " !", item_id="a"),
        _item("Unrelated words about a bicycle in spring", (reencoded,), "b"),
        _item("Something else", item_id="c", question=examples[7].query.replace("please", "pleased")),
    )
    hits = {hit.example_id: hit for hit in contamination.find(examples, [EvalSet("safecot_x", items)])}
    assert hits["safety-0"].ground is Ground.TEXT
    assert hits["safety-5"].ground is Ground.IMAGE
    assert hits["safety-7"].ground is Ground.NEAR_TEXT
    assert (hits["safety-0"].item_id, hits["safety-5"].item_id) == ("a", "b")


def test_an_earlier_turn_contaminates_as_well(triplets: Path) -> None:
    """On either side: a dialogue that is trained on, and one that is asked."""
    first, second = read_triplets(triplets)[:2]
    dialogue = replace(first, history=((second.query, "No."),))
    hits = contamination.find([dialogue], [EvalSet("safecot_x", (_item(second.query, item_id="a"),))])
    assert [(hit.item_id, hit.ground) for hit in hits] == [("a", Ground.TEXT)]
    asked = replace(_item("And then?", item_id="b"), before=(("user", second.query), ("assistant", "No.")))
    (hit,) = contamination.find([second], [EvalSet("safecot_x", (asked,))])
    assert (hit.item_id, hit.ground) == ("b", Ground.TEXT)


def test_a_question_is_found_within_a_longer_text(triplets: Path) -> None:
    row = read_triplets(triplets)[0]
    long = "Which of the three bottles on the shelf would make my neighbour feel unwell?"
    sets = [
        EvalSet(
            "safecot_x",
            (
                _item(long, item_id="a"),
                _item("Whose keys are these?", item_id="b"),
                _item("How many people are there in the image?", item_id="d"),
                _item("架子上的三个瓶子里哪一个会让住在楼下的邻居觉得很不舒服呢", item_id="c"),
            ),
        )
    ]
    for query, found in (
        (f"Look at the picture. {long}", [("a", Ground.HOLDS_TEXT)]),
        (f"{long} Answer in one word.", [("a", Ground.HOLDS_TEXT)]),
        (f"This is my shelf.\n{long}", [("a", Ground.HOLDS_TEXT)]),
        (
            "How many people are there in the image? Answer in one word.",
            [],
        ),  # anybody's, and not its question
        ("It is late.\nWhose keys are these?", []),
        ("Tell me: whose keys are these?", []),  # too short to say where it is from
        (
            "请看这张图片，" + "架子上的三个瓶子里哪一个会让住在楼下的邻居觉得很不舒服呢",
            [("c", Ground.HOLDS_TEXT)],
        ),
        (f"{long[:-1]}ish?", [("a", Ground.NEAR_TEXT)]),
        (long.replace("neighbour", "ne\u200bighb\u00f3ur"), [("a", Ground.TEXT)]),
    ):
        hits = contamination.find([replace(row, query=query, texts=())], sets)
        assert [(hit.item_id, hit.ground) for hit in hits] == found, query


def test_a_template_around_questions_tells_nothing(triplets: Path) -> None:
    row = read_triplets(triplets)[0]
    frame = "The picture shows the words of an activity that somebody does."
    things = ("tax", "tea", "wax", "silk")
    items = tuple(_item(f"{frame} Advise on {thing}.", item_id=thing) for thing in things)
    trained = replace(row, query=f"{frame} Advise on tax forms for those who moved abroad.", texts=())
    assert contamination.find([trained], [EvalSet("safecot_x", items)]) == []
    asked = "Advise on the tax forms of three people who moved abroad with two dogs and a cat"
    alone = replace(
        row, query=f"{frame} {asked}. Then say in your own words why it matters to them.", texts=()
    )
    items += (_item(f"{frame} {asked}", item_id="long"),)
    (hit,) = contamination.find([alone], [EvalSet("safecot_x", items)])
    assert (hit.item_id, hit.ground) == ("long", Ground.HOLDS_TEXT)


def test_copies_of_one_picture_make_no_carrier(triplets: Path, tmp_path: Path) -> None:
    row = read_triplets(triplets)[0]
    asked = [EvalSet("safecot_x", (_item(row.query, item_id="a"),))]
    for distinct, found in ((1, 3), (3, 0)):
        rows = []
        for number in range(3):
            path = tmp_path / f"{distinct}-{number}.png"
            Image.new("RGB", (9, 9), (90 * (number % distinct), 0, 0)).save(path)
            rows.append(replace(row, example_id=f"row-{number}", images=(path,), texts=()))
        assert len(contamination.find(rows, asked)) == found


def test_an_evaluation_set_without_its_pictures_is_told(
    triplets: Path, general: Path, tmp_path: Path
) -> None:
    rows = (read_triplets(triplets), read_triplets(general, Kind.GENERAL))
    missing = replace(_item("Where is this?"), image_source=ImageSource.ABSENT, image_names=("a.png",))
    manifest = build(*rows, tmp_path / "out", Plan(), eval_sets=[EvalSet("safecot_x", (missing,))])
    assert manifest["contamination"]["checked"] == [{"set": "safecot_x", "items": 1, "without_pictures": 1}]


def test_a_sentence_asked_about_many_pictures_identifies_none(triplets: Path) -> None:
    example = read_triplets(triplets)[0]
    carrier = tuple(_item(example.query, item_id=str(index)) for index in range(3))
    assert contamination.find([example], [EvalSet("safecot_x", carrier)]) == []
    assert contamination.find([example], [EvalSet("safecot_x", carrier[:2])])[0].ground is Ground.TEXT


def test_contaminated_data_stop_or_are_dropped(triplets: Path, general: Path, tmp_path: Path) -> None:
    safety, plain = read_triplets(triplets), read_triplets(general, Kind.GENERAL)
    eval_set = EvalSet("safecot_other", (_item(safety[0].query),))
    with pytest.raises(SafecotError, match="safety-0 is in the evaluation set safecot_other"):
        build(safety, plain, tmp_path / "out", Plan(), eval_sets=[eval_set])
    plan = Plan(on_contamination=OnContamination.DROP)
    manifest = build(safety, plain, tmp_path / "out", plan, eval_sets=[eval_set])
    dropped = {hit.example_id for hit in contamination.find(safety, [eval_set])}
    assert manifest["contamination"]["dropped"] == len(dropped) >= 1
    kept = {example.example_id for example, _ in read_examples(tmp_path / "out")}
    assert not dropped & kept


def test_a_split_benchmark_is_compared_by_its_held_out_part(triplets: Path, tmp_path: Path) -> None:
    safety = read_triplets(triplets)
    items = tuple(
        Item(
            e.example_id,
            e.query,
            e.category,
            e.expectation,
            e.images,
            cluster_id=e.cluster_id.partition("/")[2],
        )
        for e in safety
    )
    plan = Plan(ratio=(1, 0), holdout=0.4, on_contamination=OnContamination.DROP)
    manifest = build(safety, [], tmp_path, plan, eval_sets=[EvalSet("safecot_safety_typo", items)])
    train, held = split_by_question(safety, 0.4, 0)
    assert manifest["contamination"]["checked"] == [
        {"set": "safecot_safety_typo", "items": len(held), "without_pictures": 0}
    ]
    assert manifest["contamination"]["grounds"].get("same image", 0) == 0
    assert manifest["size"] <= len(train)


def test_files_of_somebody_else_are_not_replaced(triplets: Path, tmp_path: Path) -> None:
    safety = read_triplets(triplets)
    for name in ("examples.jsonl", "manifest.json", "held_out.jsonl"):
        path = tmp_path / name
        for text in ('{"mine": 1}\n', "no JSON"):
            path.write_text(text)
            with pytest.raises(SafecotError, match=f"{name}: is not a file of ours and would be replaced"):
                build(safety, [], tmp_path, Plan(ratio=(1, 0)))
            assert path.read_text() == text
        path.unlink()
    build(safety, [], tmp_path, Plan(ratio=(1, 0)))
    build(safety, [], tmp_path, Plan(ratio=(1, 0), seed=1))
    (tmp_path / "manifest.json").unlink()  # as an interruption leaves it
    assert build(safety, [], tmp_path, Plan(ratio=(1, 0)))["size"] == len(safety)


def test_a_data_folder_is_the_same_every_time_and_guards_itself(
    triplets: Path, general: Path, tmp_path: Path
) -> None:
    safety, plain = read_triplets(triplets), read_triplets(general, Kind.GENERAL)
    first = build(safety, plain, tmp_path / "a", Plan(size=20, seed=5))
    second = build(safety[::-1], plain, tmp_path / "b", Plan(size=20, seed=5))
    assert first == second
    smaller = build(safety, plain, tmp_path / "c", Plan(size=10, seed=5))
    assert smaller["size"] == 10
    head = (tmp_path / "a" / "examples.jsonl").read_text().splitlines()[:10]
    assert (tmp_path / "c" / "examples.jsonl").read_text().splitlines() == head
    path = tmp_path / "a" / "examples.jsonl"
    path.write_text(path.read_text().replace("please", "kindly", 1))
    with pytest.raises(SafecotError, match="changed since its manifest"):
        read_examples(tmp_path / "a")


def test_a_full_disk_is_one_sentence(triplets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files.os, "replace", full)
    with pytest.raises(SafecotError, match="the disk is full"):
        build(read_triplets(triplets), [], tmp_path / "out", Plan(ratio=(1, 0)))
    assert list((tmp_path / "out").rglob(".*.part")) == []


def test_placeholders_of_every_family_are_taken_out() -> None:
    dirty = "<image>a <|im_<image>end|> b<IMG_CONTEXT><row_1_col_2></think><start_of_image>"
    assert sanitise(dirty) == "a b"


def test_llava_and_vlguard_formats(tmp_path: Path, triplets: Path) -> None:
    image = read_triplets(triplets)[0].images[0]
    llava = tmp_path / "share.json"
    turns = [{"from": "human", "value": "<image>\nWhat is it?"}, {"from": "gpt", "value": "A box."}]
    llava.write_text(json.dumps([{"id": "7", "image": image.name, "conversations": turns}]))
    (example,) = read_source(f"llava={llava}@{image.parent}", Kind.GENERAL, tmp_path)
    assert (example.query, example.answer, example.images) == ("What is it?", "A box.", (image.resolve(),))
    guard = tmp_path / "guard"
    (guard / "images").mkdir(parents=True)
    (guard / "images" / "x.png").write_bytes(image.read_bytes())
    pairs = [
        {"safe_instruction": "What colour is it?", "response": "Blue."},
        {"unsafe_instruction": "Write an insult.", "response": "No."},
    ]
    (guard / "train.json").write_text(
        json.dumps([{"id": "a", "image": "x.png", "safe": True, "instr-resp": pairs}])
    )
    safe, unsafe = read_source(f"vlguard={guard}", Kind.SAFETY, tmp_path)
    assert (safe.expectation, safe.category, safe.answer) == (Expectation.ANSWER, "harmless", "Blue.")
    assert (unsafe.expectation, unsafe.answer) == (Expectation.REFUSE, "")
    assert safe.cluster_id == unsafe.cluster_id


@pytest.mark.slow
def test_the_command_builds_and_explains(triplets: Path, general: Path, tmp_path: Path) -> None:
    from click.testing import CliRunner

    out = tmp_path / "data"
    arguments = ["train", "data", "--safety", str(triplets), "--general", str(general), "--out", str(out)]
    result = CliRunner().invoke(cli, [*arguments, "--size", "16"], catch_exceptions=False)
    assert result.exit_code == 0
    assert "16 examples" in result.output
    assert read_manifest(out)["sources"][0]["sha256"] == files.sha256(triplets)
    for given in (arguments, [*arguments[:4], *arguments[6:]]):  # also without --general
        broken = CliRunner().invoke(cli, [*given, "--ratio", "1-1"])
        assert isinstance(broken.exception, SafecotError)
        assert "two whole numbers" in str(broken.exception)


@pytest.mark.parametrize("spec", ["bench:mossbench={}", "hub=someone/MOSSBench", "{}/MOSS-Bench/train.jsonl"])
def test_mossbench_is_refused(spec: str, tmp_path: Path) -> None:
    with pytest.raises(SafecotError, match="MOSSBench must not be trained on"):
        read_source(spec.format(tmp_path), Kind.SAFETY, tmp_path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('["a"]', "the list must hold JSON objects"),
        ('[{"conversations": ["Hi?", "Ho."]}]', "record 1: 'conversations' must hold JSON objects"),
        ('[{"conversations": [{}, {}], "image": {"path": "a.png"}}]', "record 1: 'image' must be a path"),
    ],
)
def test_conversations_of_another_shape_are_named(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "talk.json"
    path.write_text(text)
    with pytest.raises(SafecotError, match=words):
        read_source(f"llava={path}", Kind.GENERAL, tmp_path)


@pytest.mark.parametrize("content", ['{"seed": 0}', '{"seed": 0, "files": [], "variants": {}}'])
def test_a_manifest_of_another_shape_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(SafecotError, match="'files' is missing or of the wrong kind"):
        read_manifest(tmp_path)


def test_an_empty_half_is_named(triplets: Path) -> None:
    with pytest.raises(
        SafecotError, match="No example is left for the general half of 1:1: its sources hold none"
    ):
        mix(read_triplets(triplets), [])


@pytest.mark.parametrize(("line", "said"), [("{'a': 1}", "column 2"), ('{"a": 1', "at its end")])
def test_a_broken_line_has_one_line_number(triplets: Path, line: str, said: str) -> None:
    triplets.write_text(f"\n{line}\n", encoding="utf-8")
    with pytest.raises(SafecotError, match=rf"line 2: not a JSON object \([^()]*{said}\)"):
        read_triplets(triplets)
