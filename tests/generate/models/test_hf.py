"""safecot_hf on real architectures: batches, endings, broken items, memory, adapters."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from safecot_eval.benchmarks.documents import documents
from safecot_eval.generate import finish_reasons, task
from safecot_eval.util.errors import SafecotError
from tests.generate.models.conftest import GREEDY, requests_for

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("models")]
ARCHITECTURES = ("llava", "qwen2_5_vl", "idefics3", "smolvlm")
Checkpoint = Callable[[str], Path]


def model_of(folder: Path, **options: Any) -> Any:
    from safecot_eval.generate.models.hf import SafecotHF

    return SafecotHF(**{"pretrained": str(folder), "dtype": "float32", "device": "cpu", **options})


def mixed_rows(count: int) -> list[dict[str, Any]]:
    """Items with images of different sizes, a text-only one, and one with placeholders in its text."""
    rows = documents("safecot_mini_tiny")[:count]
    rows[2] |= {"images": "[]", "image_sha256": "[]", "image_source": "none", "sample_id": "text-only"}
    rows[3] |= {"prompt": "What does <image> mean, and <|image_pad|>? " * 3, "sample_id": "placeholders"}
    return rows


def texts(answers: Sequence[Any]) -> list[str]:
    return [answer.text for answer in answers]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_batched_greedy_answers_equal_those_of_batch_one(
    architecture: str, tiny_checkpoint: Checkpoint
) -> None:
    rows = mixed_rows(14)
    single, batched = (model_of(tiny_checkpoint(architecture), batch_size=size) for size in (1, 5))
    one = single.answers(requests_for(single, rows))
    many = batched.answers(requests_for(batched, rows))
    assert texts(many) == texts(one)
    assert [answer.token_counts for answer in many] == [answer.token_counts for answer in one]
    assert len(set(texts(one))) >= 10, "the answers depend on the question"
    assert all(0 < answer.token_counts.output_tokens <= GREEDY["max_new_tokens"] for answer in one)
    counts = [answer.token_counts.input_tokens for answer in one]
    assert counts[2] < min(counts[:2]) + 40
    assert len(set(counts)) > 3


def test_images_are_seen(tiny_checkpoint: Checkpoint, tmp_path: Path) -> None:
    """The same question about two pictures gets two answers."""
    rows = documents("safecot_mini_tiny")[:2]
    for number, row in enumerate(rows):
        path = tmp_path / f"{number}.png"
        Image.effect_noise((90, 70), 60 + number * 60).convert("RGB").save(path)
        row |= {"prompt": "What is this?", "images": json.dumps([str(path)]), "sample_id": f"seen-{number}"}
    for architecture in ARCHITECTURES:
        model = model_of(tiny_checkpoint(architecture))
        assert len(set(texts(model.answers(requests_for(model, rows))))) == 2, architecture


def test_endings_reach_the_record(tiny_checkpoint: Checkpoint) -> None:
    """`until` cuts; a used-up budget is truncated and cannot be scored."""
    model = model_of(tiny_checkpoint("llava"))
    rows = mixed_rows(4)
    long = model.answers(requests_for(model, rows))
    statuses = [
        task.process_results(row, [answer.text])["safecot"]["status"]
        for row, answer in zip(rows, long, strict=True)
    ]
    assert set(statuses) == {"truncated"}
    stop = long[0].text[6:9]
    cut = model.answers(requests_for(model, rows[:1], {**GREEDY, "until": [stop]}))[0]
    assert cut.text == long[0].text[: long[0].text.index(stop)]
    assert cut.token_counts.output_tokens < long[0].token_counts.output_tokens
    assert finish_reasons.reason_of(cut.text) == "stop"
    # Whatever comes first now ends the answer, as the turn's end does with a trained model.
    model.model.generation_config.eos_token_id = list(range(3, len(model.processor.tokenizer)))
    ended = model.answers(requests_for(model, rows[:2]))
    assert [(answer.text, answer.token_counts.output_tokens) for answer in ended] == [("", 0)] * 2
    assert task.process_results(rows[1], [ended[1].text])["safecot"]["status"] == "empty"


def test_settings_do_not_share_a_batch(tiny_checkpoint: Checkpoint) -> None:
    model = model_of(tiny_checkpoint("llava"), batch_size=8)
    rows = mixed_rows(4)
    requests = requests_for(model, rows)
    requests[1].arguments = (
        *requests[1].arguments[:2],
        {**GREEDY, "max_new_tokens": 3},
        *requests[1].arguments[3:],
    )
    counts = [answer.token_counts.output_tokens for answer in model.answers(requests)]
    assert counts[1] == 3
    assert counts[0] > 3


def test_unreadable_and_vanished_images_have_a_status_of_their_own(
    tiny_checkpoint: Checkpoint, tmp_path: Path
) -> None:
    model = model_of(tiny_checkpoint("qwen2_5_vl"))
    rows = documents("safecot_mini_tiny")[:4]
    rows[0] |= {"image_error": "x.png: the image is truncated or damaged.", "sample_id": "broken"}
    rows[1] |= {"images": json.dumps([str(tmp_path / "gone.png")]), "sample_id": "vanished"}
    rows[2] |= {"image_source": "absent", "images": "[]", "sample_id": "absent"}
    answers = model.answers(requests_for(model, rows))
    records = [
        task.process_results(row, [answer.text])["safecot"] for row, answer in zip(rows, answers, strict=True)
    ]
    assert [record["status"] for record in records] == ["image_unreadable"] * 3 + ["truncated"]
    assert texts(answers[:3]) == [""] * 3


def test_memory_that_does_not_suffice_halves_the_batch(
    tiny_checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    from safecot_eval.generate.models import hf

    whole, sizes = hf.generate, []

    def small_memory(model: Any, processor: Any, turns: Sequence[Any], settings: Any) -> Any:
        sizes.append(len(turns))
        if len(turns) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return whole(model, processor, turns, settings)

    model = model_of(tiny_checkpoint("llava"), batch_size=12)
    rows = documents("safecot_mini_tiny")[:24]
    expected = texts(model.answers(requests_for(model, rows)))
    monkeypatch.setattr(hf, "generate", small_memory)
    assert texts(model.answers(requests_for(model, rows))) == expected
    assert model.batch_size == 3
    assert sizes[:3] == [12, 6, 3]
    assert max(sizes[5:]) <= 6, "the smaller size is kept"


def test_one_bad_item_does_not_spoil_its_batch_and_only_failures_end_the_run(
    tiny_checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    from safecot_eval.generate.models import hf

    whole = hf.generate
    broken = {"bad"}

    def picky(model: Any, processor: Any, turns: Sequence[Any], settings: Any) -> Any:
        if any(word in str(turn.messages) for turn in turns for word in broken):
            raise ValueError("absolute aspect ratio must be smaller than 200")
        return whole(model, processor, turns, settings)

    monkeypatch.setattr(hf, "generate", picky)
    model = model_of(tiny_checkpoint("llava"), batch_size=8)
    rows = documents("safecot_mini_tiny")[:8]
    rows[5] |= {"prompt": "bad", "sample_id": "bad-item"}
    answers = model.answers(requests_for(model, rows))
    assert [answer.text.startswith("[LMMS_EVAL_REQUEST_FAILED") for answer in answers].count(True) == 1
    record = task.process_results(rows[5], [answers[5].text])["safecot"]
    assert record["status"] == "request_failed"
    assert "aspect ratio" in record["raw"]
    broken.add("content")
    fresh = model_of(tiny_checkpoint("llava"), batch_size=8)
    with pytest.raises(SafecotError, match="first 3 requests all failed"):
        fresh.answers(requests_for(fresh, rows))


def test_adapters(tiny_checkpoint: Checkpoint, tmp_path: Path) -> None:
    """`peft=`, `pretrained=ADAPTER` and base plus adapter are one model, and not the base."""
    import torch
    from peft import LoraConfig, get_peft_model

    base = tiny_checkpoint("qwen2_5_vl")
    rows = mixed_rows(4)
    plain = model_of(base)
    torch.manual_seed(1)
    tuned = get_peft_model(plain.model, LoraConfig(r=4, target_modules=r".*language_model.*\.(q|v)_proj"))
    for name, weights in tuned.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weights, std=1.0)
    tuned.save_pretrained(tmp_path / "adapter")
    without = texts((fresh := model_of(base)).answers(requests_for(fresh, rows)))
    adapter = str(tmp_path / "adapter")
    ways = ({"pretrained": None, "peft": adapter}, {"pretrained": adapter}, {"peft": adapter})
    with_adapter = []
    for way in ways:
        model = model_of(base, **way)
        with_adapter.append(texts(model.answers(requests_for(model, rows))))
    assert with_adapter[0] == with_adapter[1] == with_adapter[2]
    assert with_adapter[0] != without


def test_system_prompt_and_pixel_limits(tiny_checkpoint: Checkpoint, tmp_path: Path) -> None:
    row = documents("safecot_mini_tiny")[0]
    Image.new("RGB", (600, 400), "green").save(tmp_path / "big.png")
    row |= {"images": json.dumps([str(tmp_path / "big.png")])}

    def input_tokens(**options: Any) -> int:
        model = model_of(tiny_checkpoint("qwen2_5_vl"), **options)
        (answer,) = model.answers(requests_for(model, [row], {**GREEDY, "max_new_tokens": 1}))
        return int(answer.token_counts.input_tokens)

    plain = input_tokens()
    assert input_tokens(system_prompt="Think first.") > plain
    assert input_tokens(max_pixels=4 * 28 * 28) < plain < input_tokens(max_pixels=100 * 28 * 28)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("no processor", "no image processor can be loaded"),
        ("tokenizer only", "no image processor can be loaded"),
        ("no template", "has no chat template"),
        ("no weights", "cannot load"),
        ("damaged weights", "cannot load"),
        ("text model", "cannot load"),
    ],
)
def test_a_bad_checkpoint_is_one_sentence(
    change: str, says: str, tiny_checkpoint: Checkpoint, tmp_path: Path
) -> None:
    folder = tmp_path / "checkpoint"
    shutil.copytree(tiny_checkpoint("llava"), folder)
    if change in ("no processor", "tokenizer only"):
        for path in folder.glob("*process*"):
            path.unlink()
        for path in folder.glob("*token*") if change == "no processor" else ():
            path.unlink()
    elif change == "no template":
        (folder / "chat_template.jinja").unlink()
    elif change == "no weights":
        (folder / "model.safetensors").unlink()
    elif change == "damaged weights":
        (folder / "model.safetensors").write_bytes(b"\0" * 64)
    else:
        config = {"model_type": "llama", "architectures": ["LlamaForCausalLM"]}
        (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(SafecotError, match=says) as caught:
        model_of(folder)
    assert "\n" not in str(caught.value)
    assert "checkpoint" in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("", "needs --model_args pretrained="),
        ("pretrained=x,dtype=float7", "dtype=float7 is none of"),
        ("pretrained=x,batch_size=0", "batch_size=0"),
        ("pretrained=x,batch_size=many", "batch_size=many"),
        ("pretrained=x,pretraned=y", "knows no argument 'pretraned'"),
        ("pretrained=x,trust_remote_code=perhaps", "neither True nor False"),
    ],
)
def test_bad_arguments_are_one_sentence(arguments: str, says: str) -> None:
    from safecot_eval.generate.models.hf import SafecotHF

    with pytest.raises(SystemExit, match=f"^safecot: .*{says}"):
        SafecotHF.create_from_arg_string(arguments, {"batch_size": 1, "device": "cpu"})
