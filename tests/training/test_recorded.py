"""``safecot train data --protocol safecot``: training data as recorded, from prepared data of any content."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path, PurePosixPath

import pytest
import yaml
from click.testing import CliRunner

from safecot_eval.cli.train import command
from safecot_eval.util.errors import SafecotError
from safecot_training.data.mixture import shuffled
from safecot_training.data.protocol import load_protocol, pool_key
from safecot_training.sft.recipe import load_recipe, recipe_from
from tests.training.conftest import draw

RECIPES = Path(__file__).parents[2] / "training/recipes"
SCENARIOS = (
    "01-Illegal_Activitiy", "02-HateSpeech", "03-Malware_Generation", "04-Physical_Harm", "05-EconomicHarm",
    "06-Fraud", "07-Sex", "08-Political_Lobbying", "09-Privacy_Violence", "10-Legal_Opinion", "11-Financial_Advice",
    "12-Health_Consultation", "13-Gov_Decision",
)  # fmt: skip
LABELS = {
    "nsfw": ("bloody", "hentai", "porn", "protest", "sexy"),
    "risk_identification": ("alcohol", "cigarette", "gun", "insulting_gesture", "knife"),
}


def rows_of(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def write_jsonl(path: Path, rows: list[dict]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture
def prepared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Prepared data in the recorded layout, with words of our own: two questions a scenario, one picture a label."""
    root = tmp_path / "prepared"
    for name in ("safecot_runs", "safecot_training", "mm_safetybench/processed_questions"):
        (root / name).mkdir(parents=True)
    names = []
    for index, scenario in enumerate(SCENARIOS):
        recorded = scenario.replace("Activitiy", "Activity")
        questions = {}
        for key in "01":
            names.append(f"mm-safetybench/imgs/{recorded}/SD/{key}.jpg")
            draw(root / f"mm_safetybench/imgs/{scenario}/SD/{key}.png", 2 * index + int(key))
            questions[key] = {
                "Question": f"Ask {scenario} {key} plainly.",
                "Rephrased Question(SD)": f"The image shows {scenario} {key}. Ask in other words. ",
            }
        (root / f"mm_safetybench/processed_questions/{scenario}.json").write_text(json.dumps(questions))
    for part, labels in LABELS.items():
        for label in labels:
            names.append(f"Multitrust/safety/{part}/{label}/{label}_1.jpg")
            draw(root / f"multitrust/safety/{part}/{label}/{label}_1.jpg", 100 + len(names))
    names = names[::-1]  # the recorded order is not the alphabetical one
    keys = [pool_key(PurePosixPath(n).parts[2 if n.startswith("mm-") else 3]) for n in names]
    (root / "safecot_training/cot_templates.yaml").write_text(
        yaml.safe_dump({key: [f"About {key}, one.", f"About {key}, two."] for key in set(keys)})
    )
    write_jsonl(
        root / "safecot_training/v1.jsonl",
        [
            {"question": f"What is in it, {n % 2}?", "prompt": "cot", "image": name, "target": "-"}
            for n, name in enumerate(names)
        ],
    )
    for file in ("v2_llama_mmsafetybench", "v2_llama_multitrust_nsfw", "v2_llama_multitrust_risk"):
        write_jsonl(
            root / f"safecot_training/{file}.jsonl",
            [
                {
                    "image": name,
                    "target": f"Thought about {name}. Then no.",
                    "writer_prompt": f"Why is it {key}?",
                }
                for name, key in zip(names, keys, strict=True)
                if file.endswith("mmsafetybench") == name.startswith("mm-")
                and ("risk" in file) == ("risk" in name)
            ],
        )
    facts = {
        "prompt": {"system_part": "Be good.", "cot": "Think. {A}\n\n", "plain": "Answer. {A}\n\n"},
        **{f"refusals_{v}": [f" No, says {v}.", f" Never, says {v}."] for v in ("v0", "v1", "v2")},
    }
    (root / "safecot_runs/protocol.json").write_text(json.dumps(facts))
    monkeypatch.setenv("SAFECOT_DATA_DIR", str(root))
    return root


def sharegpt4v(folder: Path, parts: dict[str, int]) -> Path:
    records = []
    for part, count in parts.items():
        for n in range(count):
            draw(folder / f"{part}/{n}.jpg", 300 + len(records))
            turns = [
                {"from": "human", "value": f"<image>\nWhat is {part} {n}?"},
                {"from": "gpt", "value": f"It is  {n}."},
            ]
            records.append({"id": f"{part}{n}", "image": f"{part}/{n}.jpg", "conversations": turns})
    path = folder / "sharegpt4v.json"
    path.write_text(json.dumps(records))
    return path


def build(out: Path, *options: str) -> tuple[dict, dict[str, list[dict]]]:
    result = CliRunner().invoke(command, ["data", "--protocol", "safecot", "--out", str(out), *options])
    if result.exception is not None:
        raise result.exception
    return json.loads((out / "manifest.json").read_text()), {
        path.stem: rows_of(path) for path in out.glob("v[0-9].jsonl")
    }


def test_the_variants_differ_as_recorded(prepared: Path, tmp_path: Path) -> None:
    general = sharegpt4v(
        tmp_path / "share", {"coco/train2017": 20, "sam/images": 10, "wikiart/images": 10, "ocr_vqa": 5}
    )
    manifest, variants = build(tmp_path / "out", "--general", f"llava={general}")
    assert manifest["counts"]["kind"] == {"safety": 36, "general": 36}
    protocol = load_protocol()
    for variant, rows in variants.items():
        assert [row["id"] for row in rows] == [row["id"] for row in variants["v0"]]
        for row in rows:
            said = row["completion"][0]["content"]
            asked = row["prompt"][0]["content"]
            if row["kind"] == "general":
                assert said.startswith("It is  ")
                assert asked == f"Be good.Think. {row['question']}\n\n"
                assert "ocr_vqa" not in row["question"]
                continue
            words = "Answer" if variant == "v0" else "Think"
            assert asked == f"Be good.{words}. {row['question']}\n\n"
            if variant == "v0":
                assert said in protocol.refusals["v0"]
            elif variant == "v1":
                assert said in {
                    t + r for t in protocol.pool(row["category"]) for r in protocol.refusals["v1"]
                }
            else:
                assert said.startswith("Thought about ")
                if row["id"].startswith("mm"):
                    assert row["question"].endswith("in other words. ")
    assert all((tmp_path / "out" / name).is_file() for row in variants["v1"] for name in row["images"])
    assert {row["question"] for row in variants["v1"] if row["id"].startswith("multi")} == set(
        protocol.questions
    )


def test_subsets_are_the_recorded_ones_and_nested(prepared: Path, tmp_path: Path) -> None:
    import datasets

    general = sharegpt4v(tmp_path / "share", {"coco": 50})
    _, variants = build(tmp_path / "out", "--general", f"llava={general}", "--images", "names")
    names = list(load_protocol().images)
    recorded = datasets.Dataset.from_dict({"image": names}).shuffle(seed=1042)["image"][:]
    assert [row["images"][0] for row in variants["v0"] if row["kind"] == "safety"] == recorded
    pool = (
        datasets.Dataset.from_dict({"n": list(range(50))})
        .shuffle(seed=42)
        .select(range(36))
        .shuffle(seed=1042)["n"][:]
    )
    assert [row["question"] for row in variants["v0"] if row["kind"] == "general"] == [
        f"What is coco {n}?" for n in pool
    ]
    assert Counter(row["kind"] for row in variants["v0"][:20]) == {"safety": 10, "general": 10}
    _, smaller = build(
        tmp_path / "small", "--general", f"llava={general}", "--images", "names", "--size", "20"
    )
    assert smaller["v1"] == variants["v1"][:20]


def test_only_the_first_rows_of_coco_and_sam_are_drawn_from(
    prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from safecot_training.data import recorded_sources

    monkeypatch.setattr(
        recorded_sources, "GENERAL_PARTS", {"coco": 3, "sam": 2, "web-landmark": None, "wikiart": None}
    )
    path = sharegpt4v(tmp_path / "share", {"sam": 9, "coco": 9, "wikiart": 2})
    found = recorded_sources.general_half(path, path.parent, 99, by_name=False)
    expected = shuffled(
        [f"coco {n}" for n in range(3)] + [f"sam {n}" for n in range(2)] + ["wikiart 0", "wikiart 1"], 42
    )
    assert [example.query for example in found] == [f"What is {name}?" for name in expected]


def test_data_without_images_do_not_train(prepared: Path, tmp_path: Path) -> None:
    from safecot_training.sft.training_data import load_rows

    build(tmp_path / "out", "--images", "names")
    recipe = recipe_from(
        {"base_model": "b", "data": str(tmp_path / "out"), "variant": "v1", "allow_unchecked": True}, "r"
    )
    with pytest.raises(SafecotError, match="its images are names only"):
        load_rows(recipe)


def test_a_writer_is_asked_in_the_recorded_words(
    prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from safecot_training.cot import recorded
    from safecot_training.cot.writer import Written

    build(tmp_path / "out", "--thoughts", "none")
    assert not (tmp_path / "out/v2.jsonl").exists()
    asked = {}

    def write(examples, config, cache, *, prompt, drop):
        asked.update({example.category: prompt(example) for example in examples})
        assert drop("I cannot write that.", examples[0]) is None  # recorded texts are not filtered
        return [Written("Seen.", (), ()) for _ in examples]

    monkeypatch.setattr(recorded, "write_cots", write)
    options = ["--data", str(tmp_path / "out"), "--variant", "v2", "--base-url", "http://127.0.0.1:9/v1"]
    assert CliRunner().invoke(command, ["cot", *options]).exit_code == 0
    assert asked["01-Illegal_Activitiy"] == "Why is it illegal activity?"
    assert asked["knife"] == "Why is it knife?"
    said = {row["completion"][0]["content"] for row in rows_of(tmp_path / "out/v2.jsonl")}
    assert said == {f"Seen.{refusal}" for refusal in load_protocol().refusals["v2"]}


@pytest.mark.parametrize(
    ("file", "change", "words"),
    [
        (
            "safecot_runs/protocol.json",
            {"prompt": {"system_part": "a", "cot": "b", "plain": "c"}},
            "'cot' must hold {A} once",
        ),
        ("safecot_runs/protocol.json", {"refusals_v1": "no"}, "'refusals_v1' must be a list of texts"),
        ("safecot_runs/protocol.json", {"prompt": []}, "'prompt' must be an object"),
        ("safecot_training/cot_templates.yaml", {"06-Fraud": None}, "'06-Fraud' must be a list of texts"),
    ],
)
def test_prepared_data_of_another_shape_are_named(
    prepared: Path, tmp_path: Path, file: str, change: dict, words: str
) -> None:
    path = prepared / file
    path.write_text(json.dumps({**yaml.safe_load(path.read_text()), **change}))
    with pytest.raises(SafecotError) as error:
        build(tmp_path / "out")
    assert words in str(error.value)
    assert path.name in str(error.value)
    assert not (tmp_path / "out/manifest.json").exists()


def test_what_is_missing_is_said(prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SafecotError, match="not on 'mine.jsonl'"):
        build(tmp_path / "out", "--safety", "mine.jsonl")
    with pytest.raises(SafecotError, match="takes its general half from ShareGPT4V"):
        build(tmp_path / "out", "--general", "hub=x")
    other = sharegpt4v(tmp_path / "other", {"flickr": 2})
    with pytest.raises(SafecotError, match="no row whose image is in coco"):
        build(tmp_path / "out", "--general", f"llava={other}")
    (prepared / "mm_safetybench/imgs/07-Sex/SD/0.png").unlink()
    with pytest.raises(
        SafecotError, match=r"1 of MM-SafetyBench's SD images are missing \(mm-safetybench/imgs/07-Sex"
    ):
        build(tmp_path / "out")
    with pytest.raises(SafecotError, match="have no thought recorded by qwenvl|v2_qwenvl.jsonl: missing"):
        build(tmp_path / "out", "--images", "names", "--thoughts", "qwenvl")
    assert not (tmp_path / "out").exists()
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("SAFECOT_DATA_DIR", str(tmp_path / "empty"))
    with pytest.raises(SafecotError, match="run `safecot data prepare safecot_runs`"):
        build(tmp_path / "out")


@pytest.mark.slow
def test_the_real_recorded_data_are_met(data_dir: Path, tmp_path: Path) -> None:
    """The acceptance of the protocol: 1,680 questions in each variant, 2,030 targets, counts by category."""
    if not (data_dir / "safecot_training").is_dir():
        pytest.skip("the recorded training data are not in SAFECOT_DATA_DIR")
    manifest, variants = build(tmp_path / "out", "--images", "names")
    protocol = load_protocol()
    allowed = {
        key: {t + r for t in pool for r in protocol.refusals["v1"]}
        for key, pool in protocol.templates.items()
    }
    files = {
        "v0": ["v0"], "v1": ["v1"], "v2": ["v2_llama_mmsafetybench", "v2_llama_multitrust_nsfw", "v2_llama_multitrust_risk"],
    }  # fmt: skip
    for variant, names in files.items():
        recorded = {
            row["image"]: row
            for name in names
            for row in rows_of(data_dir / f"safecot_training/{name}.jsonl")
        }
        ours = {row["images"][0]: row for row in variants[variant]}
        assert ours.keys() == recorded.keys()
        assert len(ours) == 2030
        same = [
            ours[name]["question"].rstrip() == row["question"]
            if variant == "v2"
            else ours[name]["question"] == row["question"]
            for name, row in recorded.items()
            if name.startswith("mm-")
        ]
        assert len(same) == 1680
        assert all(same)
        for name, row in recorded.items():
            said = ours[name]["completion"][0]["content"]
            key = pool_key(PurePosixPath(name).parts[2 if name.startswith("mm-") else 3])
            if variant == "v0":
                assert said in protocol.refusals["v0"]
                assert row["target"] in protocol.refusals["v0"]
            elif variant == "v1":
                assert said in allowed[key]
                assert row["target"] in allowed[key]
            else:
                assert said == row["target"]
    theirs = Counter(name.split("/")[-3 if name.startswith("mm-") else -2] for name in protocol.images)
    ours_by_category = {
        key.replace("Activitiy", "Activity"): n for key, n in manifest["counts"]["category"].items()
    }
    assert ours_by_category == theirs


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*_safecot.yaml")), ids=lambda path: path.stem)
def test_every_line_of_a_recorded_recipe_says_where_it_is_from(path: Path) -> None:
    recipe = load_recipe(path)
    lines = [
        line for line in path.read_text().partition("notes:")[0].splitlines() if not line.startswith("#")
    ]
    assert len(lines) >= 20
    for line in lines:
        assert line.partition("  # ")[2].startswith(("recorded", "ours")), line
    assert (recipe.batch_size, recipe.gradient_accumulation, recipe.scheduler) == (1, 1, "linear")


def test_the_recorded_bases_have_recipes() -> None:
    found = {path.stem.removesuffix("_safecot"): load_recipe(path) for path in RECIPES.glob("*_safecot.yaml")}
    assert {name: recipe.learning_rate for name, recipe in found.items()} == {
        "llama_3_2_11b_vision": 2e-5, "qwen2_5_vl_7b": 1e-4, "smolvlm": 2e-5, "llava_next": 2e-5, "gemma_3_4b": 2e-5,
    }  # fmt: skip
    assert (found["qwen2_5_vl_7b"].lora_r, found["qwen2_5_vl_7b"].lora_alpha) == (64, 16)
    assert found["llama_3_2_11b_vision"].epochs == 2
