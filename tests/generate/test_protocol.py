"""SafeCoT's prompts and decoding: word for word, told apart from other protocols, and mistakes in one sentence."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from safecot_eval.aggregate.described import described
from safecot_eval.cli.run import command
from safecot_eval.generate import decoding, presets
from safecot_eval.generate.decoding import protocol_of
from safecot_eval.generate.model_under_test import ModelUnderTest, model_under_test, repeats_of, settings
from safecot_eval.generate.models.generation import Turn, _sampling, _seed_of
from safecot_eval.generate.presets import messages as chat
from safecot_eval.records.run import Run
from safecot_eval.util.errors import SafecotError

HF = ModelUnderTest("safecot_hf", {"pretrained": "org/vlm"})


def safecot(repeat: tuple[int, int] = (1, 1)) -> ModelUnderTest:
    return ModelUnderTest(
        "safecot_hf", dict(HF.arguments), None, presets.load("safecot_cot"), decoding.load("safecot"), repeat
    )


def test_the_prompts_are_as_recorded(data_dir: Path) -> None:
    path = data_dir / "safecot_runs" / "protocol.json"
    if not path.is_file():
        pytest.skip("the data folder has no safecot_runs")
    recorded = json.loads(path.read_text(encoding="utf-8"))["prompt"]
    for kind in ("cot", "plain"):
        wording = presets.load(f"safecot_{kind}").texts["prompt"]
        assert wording.replace("{question}", "{A}") == recorded["system_part"] + recorded[kind]
    assert dict(decoding.load("safecot").settings) == {
        "max_new_tokens": 500,
        "do_sample": True,
        "temperature": 0.7,
        "top_p": "default",
    }


@pytest.mark.parametrize(
    "question", ["Exercise time! ", "{question} {A} %s", "Two\n\nlines\n", "<image> & “quotes”", ""]
)
def test_the_question_is_put_in_unchanged_after_the_image(question: str) -> None:
    picture = {"type": "image", "url": object()}
    asked = [{"role": "user", "content": [picture, {"type": "text", "text": question}]}]
    prompt = presets.load("safecot_cot").texts["prompt"]
    (turn,) = chat.with_prompt(asked, prompt)
    before, after = prompt.split("{question}")
    assert turn["content"] == [picture, {"type": "text", "text": before + question + after}]
    system = {"role": "system", "content": "Be kind."}
    assert chat.with_prompt([system, *asked], prompt) == [system, turn]


@pytest.mark.parametrize(
    ("prompt", "says"),
    [
        ("Answer.", "texts: prompt needs {question} once"),
        ("{question} {question}", "texts: prompt needs {question} once"),
    ],
)
def test_a_prompt_without_a_question_is_named(tmp_path: Path, prompt: str, says: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(json.dumps({"id": "m", "title": "M", "kind": "prompt", "texts": {"prompt": prompt}}))
    with pytest.raises(SafecotError, match=says):
        presets.load(str(path))


def test_the_row_and_the_run_file_tell_prompt_and_decoding() -> None:
    chosen = safecot((2, 3))
    assert chosen.display_name == "vlm + SafeCoT prompt + SafeCoT decoding, repeat 2 of 3"
    kept = chosen.labels(settings(None, None, None, chosen.generation_options()), Counter())
    assert kept["protocol"] == "safecot"
    assert kept["preset"]["id"] == "safecot_cot"
    assert (kept["decoding"]["id"], kept["decoding"]["seed"], kept["decoding"]["repeat"]) == (
        "safecot",
        1234,
        [2, 3],
    )
    assert kept["settings"]["options"] == chosen.generation_options()
    assert HF.labels({}, Counter()) == {"settings": {}, "protocol": ""}
    baseline = ModelUnderTest("safecot_hf", HF.arguments, None, presets.load("zero_shot_cot"))
    assert baseline.protocol == "", "a baseline is there to be compared"


def test_the_page_says_them(tmp_path: Path) -> None:
    run = Run(tmp_path / "20260101_000000_samples_safecot_mini.jsonl", "safecot_mini", "20260101_000000", "m")
    (tmp_path / "20260101_000000_run.json").write_text(json.dumps(safecot().labels({}, Counter())))
    said = dict(map(tuple, described(run)))
    assert said["Protocol"] == "safecot"
    assert said["Decoding"].startswith("SafeCoT decoding (safecot, ")
    assert "temperature 0.7" in said["Decoding"]
    assert "seed 1234" in said["Decoding"]


def test_repeats_have_a_seed_each() -> None:
    runs, rest = repeats_of(safecot(), 3, ["--seed", "5", "--batch_size", "2"])
    assert [run.seed for run in runs] == [5, 6, 7]
    assert [run.repeat for run in runs] == [(1, 3), (2, 3), (3, 3)]
    assert rest == ["--batch_size", "2"]
    assert len({run.folder(Path("runs")) for run in runs}) == 3
    assert runs[1].generation_options() == [
        "--gen_kwargs",
        "max_new_tokens=500,do_sample=True,temperature=0.7,top_p=default,seed=6",
        "--seed",
        "6",
    ]
    assert repeats_of(safecot(), None, ["--seed=0,1,42,3"])[0][0].seed == 42
    assert repeats_of(HF, 3, ["-x"]) == ([HF], ["-x", "--repeats", "3"])  # lmms-eval's own


@pytest.mark.parametrize("option", ["--gen_kwargs", "--gen-kwargs=max_new_tokens=9"])
def test_two_sides_cannot_both_say_how(option: str) -> None:
    with pytest.raises(SafecotError, match="both say how answers are drawn"):
        repeats_of(safecot(), 1, [option, "temperature=1"])


def test_a_greedy_decoding_is_not_repeated(tmp_path: Path) -> None:
    path = tmp_path / "greedy.yaml"
    path.write_text("id: mine\ntitle: long\nsettings: {max_new_tokens: 2048, do_sample: false}")
    greedy = ModelUnderTest("safecot_hf", {}, None, None, decoding.load(str(path)))
    assert greedy.protocol == "mine decoding"
    assert greedy.generation_options() == ["--gen_kwargs", "max_new_tokens=2048,do_sample=False"]
    with pytest.raises(SafecotError, match="always draws the same answer"):
        repeats_of(greedy, 2, [])
    assert repeats_of(greedy, 1, ["--seed", "3"]) == ([greedy], ["--seed", "3"])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("id: m\ntitle: t", "settings is missing"),
        ("id: m\ntitle: t\nsettings: {temprature: 1}", "line 3: .*unknown key 'temprature'"),
        ("id: m\ntitle: t\nsettings: {max_new_tokens: 0}", "max_new_tokens: should be greater than 0"),
        ("id: m\ntitle: t\nsettings: {max_new_tokens: true}", "max_new_tokens: should be a whole number"),
        ("id: m\ntitle: t\nsettings: {temperature: -1}", "temperature: should be greater than or equal to 0"),
        ("id: m\ntitle: t\nsettings: {temperature: .nan}", "temperature: should be a finite number"),
        ("id: m\ntitle: t\nsettings: {top_p: all}", "top_p: should be a valid number or should be 'default'"),
        ("id: m\ntitle: t\nsettings: [1]", "not a valid decoding"),
        ("- 1", "not a valid decoding"),
        ("id: [", "not a valid decoding"),
    ],
)
def test_a_decoding_of_another_kind_is_one_sentence(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(SafecotError, match=says) as caught:
        decoding.load(str(path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--decoding", "sampled"], "there is no 'sampled'; there is safecot"),
        (["--decoding", "safecot", "--gen_kwargs", "temperature=1"], "both say how"),
        (["--decoding", "safecot", "--seed", "many"], "--seed many: a whole number"),
    ],
)
def test_mistakes_on_the_command_line(arguments: list[str], says: str, tmp_path: Path) -> None:
    given = [
        "--model",
        "safecot_hf",
        "--model_args",
        "pretrained=x",
        "--tasks",
        "safecot_mini_tiny",
        "--dry-run",
    ]
    done = CliRunner().invoke(command, [*given, "--output_path", str(tmp_path), *arguments])
    assert isinstance(done.exception, SafecotError)
    assert says in str(done.exception)


def test_recorded_answers_are_not_drawn_again() -> None:
    with pytest.raises(SafecotError, match="nothing to sample"):
        model_under_test("safecot_replay", "responses=x.jsonl", None, None, decoding.load("safecot"))


def test_protocols_have_names() -> None:
    assert protocol_of("mine", "safecot") == "mine prompt, safecot decoding"


def test_the_seed_belongs_to_the_batch_and_top_p_to_the_checkpoint() -> None:
    def turn(text: str) -> Turn:
        return Turn([{"role": "user", "content": [{"type": "text", "text": text}]}], [])

    one = _seed_of(7, [turn("a"), turn("b")])
    assert one == _seed_of(7, [turn("a"), turn("b")])
    assert len({one, _seed_of(8, [turn("a"), turn("b")]), _seed_of(7, [turn("b"), turn("a")])}) == 3
    given: dict[str, Any] = {"temperature": 0.7, "do_sample": True, "top_p": "default"}
    assert _sampling(given) == {"num_beams": 1, "do_sample": True, "temperature": 0.7}
    assert _sampling({**given, "top_p": 0.9})["top_p"] == 0.9
