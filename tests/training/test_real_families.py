"""Every family of the recipes, on its real classes with published templates: checked, trained, stopped, merged, asked.

Two families run in ``make test``, all of them in ``make test-full``: a broken template or collator shows in no loss.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner

from safecot_eval.cli.train import command
from safecot_eval.util.errors import SafecotError
from safecot_training.cot import variants
from safecot_training.cot.targets import Variant
from safecot_training.data import dataset, drawing
from safecot_training.data.examples import read_triplets
from safecot_training.sft.recipe import recipe_from
from tests.training import tiny_families
from tests.training.conftest import draw
from tests.training.offline_vllm import OfflineVLLM
from tests.training.test_chain import TOKENS, asked_of_hf, asked_of_vllm, served, whole

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("training"),
    # transformers 5.19 calls its own mllama by a name that it warns of
    pytest.mark.filterwarnings("ignore:`hidden_state` is deprecated:FutureWarning"),
    # and its processor of GLM-4.1V makes NumPy arrays of tensors in a way that NumPy 2 warns of
    pytest.mark.filterwarnings(
        "ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning"
    ),
]
IN_EVERY_RUN = ("llava", "mllama")
"""The two that broke: no end of an answer and a beginning of the tokenizer's; attention to images instead of tokens."""
NOT_IN_VLLM = ("mllama",)
IN_VLLM = [name for name in tiny_families.FAMILIES if name not in NOT_IN_VLLM]
EVERY_FAMILY = [
    pytest.param(name, marks=() if name in IN_EVERY_RUN else pytest.mark.full)
    for name in tiny_families.FAMILIES
]


@pytest.fixture(scope="session")
def family_bases(tmp_path_factory: pytest.TempPathFactory):
    """A function: folder of a family's tiny checkpoint, built once."""
    root = tmp_path_factory.mktemp("families")

    def base(name: str) -> Path:
        folder = root / name
        return folder if folder.exists() else tiny_families.build(name, folder)

    return base


@pytest.fixture(scope="session")
def mixed_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 examples: with a picture, with two, and with none."""
    root = tmp_path_factory.mktemp("mixed")
    lines = []
    for index in range(24):
        count = (1, 1, 2, 0)[index % 4]
        names = [f"{index}-{n}.png" for n in range(count)]
        for n, name in enumerate(names):
            draw(root / name, 7 * index + 31 * n)
        lines.append(
            {
                "id": f"mixed-{index}", "images": names, "query": f"What is sign number {index}?", "category": "fraud",
                "expectation": "answer", "answer": f"Sign {chr(65 + index)}, safe.",
            }
        )  # fmt: skip
    (root / "mixed.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    plan = drawing.Plan(ratio=(1, 0))
    dataset.build(read_triplets(root / "mixed.jsonl"), [], root / "data", plan)
    variants.write_variant(root / "data", Variant.V0)
    return root / "data"


def recipe(base: Path, data: Path, **changes: object):
    given = {
        "base_model": str(base), "data": str(data), "variant": "v0", "method": "full", "learning_rate": 3e-3,
        "max_steps": 3, "batch_size": 4, "gradient_accumulation": 2, "save_steps": 1000, "logging_steps": 1,
        "lora_dropout": 0.0, "precision": "fp32", "allow_unchecked": True, "gradient_checkpointing": False,
        "scheduler": "constant",
    }  # fmt: skip
    return recipe_from({**given, **changes}, "test")


@pytest.fixture(scope="session")
def tuned(family_bases, mixed_data: Path, tmp_path_factory: pytest.TempPathFactory, train):
    """A function: what three steps of LoRA make of a family's checkpoint, rough enough to change its answers; made once."""
    root = tmp_path_factory.mktemp("tuned")

    @cache
    def made(name: str) -> tuple[Any, list[dict]]:
        from safecot_training.sft.training_data import load_rows

        adapted = recipe(family_bases(name), mixed_data, method="lora", learning_rate=2e-2)
        return train(adapted, root / name), load_rows(adapted)[0][:8]

    return made


@pytest.fixture(scope="session")
def offline_vllm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OfflineVLLM]:
    pytest.importorskip("vllm", reason="vLLM is not installed")
    engine = OfflineVLLM(tmp_path_factory.mktemp("vllm") / "log")
    yield engine
    engine.close()


def answers(folder: Path, rows: list[dict], peft: Path | None = None, tokens: int = 40) -> list:
    """What ``safecot_hf`` does with a checkpoint, without lmms-eval: eight rows of equally many pictures at a time."""
    from safecot_eval.benchmarks.images import open_image
    from safecot_eval.generate.models import checkpoint, generation

    source = checkpoint.find_source(str(folder), str(peft) if peft else None, "main")
    processor = checkpoint.load_processor(source, {})
    model = checkpoint.load_model(source, {"dtype": torch.float32}, trust_remote_code=False)
    found = {}
    for count in {len(row["images"]) for row in rows}:
        group = [row for row in rows if len(row["images"]) == count]
        turns = [
            generation.to_turn(
                [
                    {
                        "role": "user",
                        "content": [
                            *({"type": "image", "url": open_image(Path(path))} for path in row["images"]),
                            {"type": "text", "text": row["prompt"][0]["content"]},
                        ],
                    }
                ]
            )
            for row in group
        ]
        told = generation.generate(model, processor, turns, {"max_new_tokens": tokens})
        found.update({row["id"]: output for row, output in zip(group, told, strict=True)})
    return [found[row["id"]] for row in rows]


@pytest.mark.parametrize("name", EVERY_FAMILY)
def test_a_family_passes_the_check(name: str, family_bases) -> None:
    for method in ((), ("--full",)):
        result = CliRunner().invoke(command, ["check", str(family_bases(name)), *method])
        assert result.exit_code == 0, result.output
        assert "fails" not in result.output
        assert len(result.output.splitlines()) == 8


@pytest.mark.parametrize("name", EVERY_FAMILY)
def test_a_family_learns_to_answer_and_to_stop(
    name: str, family_bases, mixed_data: Path, tmp_path: Path, train
) -> None:
    """24 examples, with pictures, two pictures and none side by side; an answer is whole and ends in its end token."""
    from safecot_training.sft.training_data import load_rows

    learnt = recipe(family_bases(name), mixed_data, batch_size=8, gradient_accumulation=1, max_steps=100)
    out = train(learnt, tmp_path / "out").folder
    told = answers(out / "merged", load_rows(learnt)[0])
    assert sum(output.finish_reason == "stop" and output.output_tokens < 40 for output in told) >= 22
    whole = [re.fullmatch(r"Sign [A-X], safe\.", output.text.strip()) for output in told]
    assert sum(match is not None for match in whole) >= 22, [output.text for output in told]


@pytest.mark.parametrize("name", EVERY_FAMILY)
def test_an_adapter_of_a_family_answers_like_its_merged_form(name: str, family_bases, tuned) -> None:
    result, rows = tuned(name)
    losses = [loss for _, loss in result.card.loss_history]
    assert len(losses) == 3
    assert all(0 < loss < 20 for loss in losses)
    by_adapter = answers(family_bases(name), rows, peft=result.folder / "adapter")
    assert by_adapter == answers(result.folder / "merged", rows)


@pytest.mark.full
@pytest.mark.parametrize("name", IN_VLLM)
def test_vllm_answers_a_family_as_safecot_hf(name: str, tuned, offline_vllm: OfflineVLLM) -> None:
    """With the family's own template and processor, rows with a picture, two and none at the same time."""
    result, rows = tuned(name)
    merged = result.folder / "merged"
    asked = [{"images": row["images"], "text": row["prompt"][0]["content"]} for row in rows]
    told = offline_vllm.ask(merged, asked, TOKENS)
    assert [whole(text) for text in told] == [
        whole(output.text) for output in answers(merged, rows, tokens=TOKENS)
    ]


@pytest.mark.full
@pytest.mark.parametrize("name", NOT_IN_VLLM)
def test_vllm_tells_that_it_does_not_load_a_family(
    name: str, family_bases, offline_vllm: OfflineVLLM
) -> None:
    """It dropped the family after 0.10.2, and its fallback to transformers' own classes needs what the processor lacks."""
    with pytest.raises(RuntimeError, match="MllamaProcessor.*has no attribute '_get_num_multimodal_tokens'"):
        offline_vllm.ask(family_bases(name), [], TOKENS)


@pytest.mark.full
@pytest.mark.timeout(900)
def test_a_real_vllm_server_answers_as_safecot_hf(tuned, tmp_path: Path) -> None:
    """Of LLaVA, whose template left the beginning to the tokenizer; tests/training/test_chain.py serves others."""
    merged = tuned("llava")[0].folder / "merged"
    with served(merged, tmp_path / "log") as server:
        told = asked_of_vllm(server, "whole")
    assert told == asked_of_hf(pretrained=str(merged))


def test_pictures_are_in_full_precision_whatever_a_processor_makes_of_them(family_bases) -> None:
    """Llama 4's makes bfloat16 of them, which a model in float32 did not take at its first step."""
    from PIL import Image
    from transformers import AutoProcessor

    from safecot_training.sft.collator import AnswerCollator
    from safecot_training.sft.turns import answer_shape

    processor = AutoProcessor.from_pretrained(family_bases("llama4"))
    collator = AnswerCollator(processor, answer_shape(processor, {processor.tokenizer.eos_token_id}, "x"))
    row = {
        "prompt": [{"role": "user", "content": "What?"}],
        "completion": [{"content": "Yes."}],
        "images": [Image.new("RGB", (80, 60), "red")],
    }
    assert collator([row])["pixel_values"].dtype is torch.float32


def test_experts_are_exported_as_published_ones_are(family_bases, tmp_path: Path) -> None:
    """transformers turns them when it loads them, and not back when it saves, and vLLM then does not load them."""
    from safetensors.torch import load_file
    from transformers import AutoModelForImageTextToText

    from safecot_training.sft.export import turn_experts

    published = family_bases("qwen3_vl_moe")
    AutoModelForImageTextToText.from_pretrained(published).save_pretrained(tmp_path)
    turn_experts(tmp_path)
    before, after = (load_file(folder / "model.safetensors") for folder in (published, tmp_path))
    assert any(".experts." in name for name in after)
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], tensor) for name, tensor in after.items())


def test_preferences_of_a_model_without_a_backbone_are_refused(
    family_bases, mixed_data: Path, tmp_path: Path, train
) -> None:
    with pytest.raises(SafecotError, match="llama4 has none of its own; tune it with `safecot train sft`"):
        train(recipe(family_bases("llama4"), mixed_data, objective="dpo"), tmp_path / "out")


def test_a_row_does_not_depend_on_the_rows_beside_it(family_bases) -> None:
    """mllama's tokens before an image attend to everything, padding included: rows are grouped by their images."""
    from PIL import Image
    from transformers import AutoModelForImageTextToText, AutoProcessor

    from safecot_training.sft.collator import AnswerCollator, by_image_count
    from safecot_training.sft.turns import answer_shape

    folder = family_bases("mllama")
    processor = AutoProcessor.from_pretrained(folder)
    model = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32).eval()
    collator = AnswerCollator(processor, answer_shape(processor, {processor.tokenizer.eos_token_id}, "x"))
    pictures = [Image.new("RGB", (80, 60), "red"), Image.new("RGB", (40, 90), "blue")]
    rows = [
        {"prompt": [{"role": "user", "content": text}], "completion": [{"content": "Yes."}], "images": images}
        for text, images in (("One?", pictures[:1]), ("None at all?", []), ("Two?", pictures))
    ]
    parts = by_image_count(collator(rows))
    assert [part["input_ids"].shape[0] for part in parts] == [1, 1, 1]
    assert "pixel_values" not in parts[0]
    for part, row in zip(parts, (rows[1], rows[0], rows[2]), strict=True):
        with torch.no_grad():
            beside, alone = model(**part), model(**collator([row]))
        kept = part["labels"] != -100
        assert torch.allclose(
            beside.logits[kept], alone.logits[alone.logits.shape[0] - 1 :][:, -kept.sum() :][0], atol=1e-5
        )


def test_a_base_that_cannot_be_tuned_is_told_before_the_first_step(
    family_bases, mixed_data: Path, tmp_path: Path, train
) -> None:
    folder = Path(shutil.copytree(family_bases("llava"), tmp_path / "base"))
    template = folder / "chat_template.jinja"
    template.write_text("{% for m in messages %}{{ m['role'] }}: {{ m['content'][-1]['text'] }} {% endfor %}")
    result = CliRunner().invoke(command, ["check", str(folder)])
    assert result.exit_code == 1
    assert "the chat template has no place for a picture" in result.output
    with pytest.raises(SafecotError, match="is not fit for tuning"):
        train(recipe(folder, mixed_data), tmp_path / "out")
    assert not (tmp_path / "out/merged").exists()
    template.write_text("{{ raise_exception('roles must alternate') }}")
    with pytest.raises(SafecotError, match="cannot render a question and an answer"):
        train(recipe(folder, mixed_data), tmp_path / "out")


def test_fix_writes_a_template_that_others_can_use(family_bases, tmp_path: Path) -> None:
    from transformers import AutoProcessor

    folder = Path(shutil.copytree(family_bases("llava"), tmp_path / "base"))
    published = (folder / "chat_template.jinja").read_text()
    first = CliRunner().invoke(command, ["check", str(folder), "--fix"])
    assert "fixed" in first.output
    assert (folder / "chat_template.jinja.orig").read_text() == published
    again = CliRunner().invoke(command, ["check", str(folder), "--fix"])
    assert "fixed" not in again.output
    assert "Nothing to write" in again.output
    processor = AutoProcessor.from_pretrained(folder)
    told = [
        {"role": "user", "content": [{"type": "text", "text": "Hi"}]},
        {"role": "assistant", "content": "Yes."},
        {"role": "user", "content": [{"type": "text", "text": "And?"}]},
    ]
    text = processor.apply_chat_template(told, tokenize=False, add_generation_prompt=True)
    assert text.strip() == "<s>USER: Hi ASSISTANT: Yes.</s> USER: And? ASSISTANT:"


def test_a_template_that_is_saved_with_the_tokenizer_is_found(family_bases, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(family_bases("mllama"), tmp_path / "base"))
    template = folder / "chat_template.jinja"
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(
        json.dumps({**settings, "chat_template": template.read_text()})
    )
    template.unlink()
    assert CliRunner().invoke(command, ["check", str(folder)]).exit_code == 0
