"""Answers a second and training tokens a second on one GPU, on a model of real architecture and size with random weights.

* answering: ``safecot_hf``'s batches of 1, 8 and 32 requests against ``model.generate`` on one request after another, as many
  new tokens each (random weights end no answer by themselves);
* training: LoRA in bfloat16, ours against an untouched ``trl.SFTTrainer``, on answers of log-normal length with a picture each;
  tokens without padding, after two steps of warming up;
* memory: the most that PyTorch held in each part.

Each part is written down as soon as it is measured, so that a session that ends early leaves what it has.

    bench/gpu_session.sh                    # or: python bench/gpu_session.py --shape tiny --out /tmp/x
"""

from __future__ import annotations

import argparse
import gc
import os
import platform
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent))
import bench_sft


@dataclass(frozen=True)
class Shape:
    """What is measured.

    Attributes:
        text: Of the language model's configuration.
        vision: Of the vision tower's.
        side: Of the pictures, in pixels.
        new_tokens: Of an answer.
        requests: Answered per way.
        steps: Optimiser steps per trainer.
        batch: Rows of a micro-batch.
        accumulation: Micro-batches of a step.
    """

    text: dict[str, Any]
    vision: dict[str, Any]
    side: int
    new_tokens: int
    requests: int
    steps: int
    batch: int
    accumulation: int = 4


SHAPES = {
    # config.json of Qwen/Qwen2.5-VL-3B-Instruct
    "3b": Shape(
        text={
            "hidden_size": 2048, "intermediate_size": 11008, "num_hidden_layers": 36, "num_attention_heads": 16,
            "num_key_value_heads": 2, "vocab_size": 151936, "tie_word_embeddings": True, "head_dim": 128,
            "rope_parameters": {"rope_type": "default", "mrope_section": [16, 24, 24], "rope_theta": 1000000.0},
        },
        vision={
            "depth": 32, "hidden_size": 1280, "intermediate_size": 3420, "num_heads": 16, "out_hidden_size": 2048,
            "patch_size": 14, "window_size": 112, "fullatt_block_indexes": [7, 15, 23, 31],
        },
        side=448, new_tokens=64, requests=32, steps=6, batch=4,
    ),
    "tiny": Shape(text={}, vision={}, side=56, new_tokens=2, requests=8, steps=3, batch=2, accumulation=1),
}  # fmt: skip


def base(shape: Shape, folder: Path, device: torch.device) -> Path:
    """Write a base of the shape: Qwen2.5-VL's classes, random weights, the byte-level tokenizer of our tiny models."""
    from transformers import AutoConfig, AutoModelForImageTextToText, AutoProcessor

    from safecot_eval.generate.models import tiny

    tiny.build("qwen2_5_vl", folder, spread=0.02)
    if shape.text:
        config, processor = AutoConfig.from_pretrained(folder), AutoProcessor.from_pretrained(folder)
        for part, values in ((config.text_config, shape.text), (config.vision_config, shape.vision)):
            for key, value in values.items():
                setattr(part, key, value)
        config.tie_word_embeddings = bool(shape.text["tie_word_embeddings"])
        torch.manual_seed(0)
        with device:
            model = AutoModelForImageTextToText.from_config(config, dtype=torch.bfloat16)
        model.save_pretrained(folder)
        edge = (14 * 2) ** 2
        processor.image_processor.size = type(processor.image_processor.size)(
            shortest_edge=4 * edge, longest_edge=1024 * edge
        )
        processor.save_pretrained(folder)
        del model
    return folder


@contextmanager
def measured(device: torch.device) -> Iterator[Callable[[], float]]:
    """Gibibytes that PyTorch held at most inside the block; NaN without a GPU."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    yield lambda: torch.cuda.max_memory_allocated() / 2**30 if device.type == "cuda" else float("nan")


def now(device: torch.device) -> float:
    """Seconds, when everything that was started is done."""
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def answering(shape: Shape, folder: Path, device: torch.device) -> Iterator[list[str]]:
    """Rows of the first table: way, answers a second, times one by one, gibibytes."""
    from safecot_eval.generate.models import checkpoint
    from safecot_eval.generate.models.generation import Turn, encode, generate

    source = checkpoint.find_source(str(folder), None, "main")
    processor = checkpoint.load_processor(source, {})
    options = {"dtype": torch.bfloat16 if device.type == "cuda" else torch.float32}
    model = checkpoint.load_model(source, options, trust_remote_code=False).to(device)
    model.generation_config.eos_token_id = None  # every answer is as long as it may be
    draw = random.Random(0)
    turns = [
        Turn(
            [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": _words(draw, 40)}]}],
            [Image.new("RGB", (shape.side, shape.side), (number * 7 % 255, 90, 120))],
        )
        for number in range(shape.requests)
    ]

    def one_by_one() -> None:
        for turn in turns:
            inputs = encode(processor, [turn]).to(device)
            with torch.inference_mode():
                model.generate(
                    **inputs,
                    max_new_tokens=shape.new_tokens,
                    min_new_tokens=shape.new_tokens,
                    do_sample=False,
                )

    def batches(size: int) -> Callable[[], None]:
        def run() -> None:
            for start in range(0, len(turns), size):
                told = generate(
                    model, processor, turns[start : start + size], {"max_new_tokens": shape.new_tokens}
                )
                assert len(told) == len(turns[start : start + size])

        return run

    generate(
        model, processor, turns[:1], {"max_new_tokens": 2}
    )  # what is compiled at the first call is not timed
    plain = 0.0
    ways = [("`model.generate`, one by one", one_by_one)]
    ways += [
        (f"`safecot_hf`, batches of {size}", batches(size)) for size in (1, 8, 32) if size <= shape.requests
    ]
    for name, run in ways:
        with measured(device) as memory:
            start = now(device)
            run()
            speed = len(turns) / (now(device) - start)
            plain = plain or speed
            yield [name, f"{speed:.2f}", f"{speed / plain:.2f}", f"{memory():.1f}"]


def _words(draw: random.Random, count: int) -> str:
    return " ".join(draw.choice(bench_sft.WORDS) for _ in range(count))


def training(shape: Shape, folder: Path, device: torch.device, scratch: Path) -> Iterator[list[str]]:
    """Rows of the second table: trainer, tokens a second, times plain TRL, padding, gibibytes, last loss."""
    given = argparse.Namespace(steps=shape.steps, batch=shape.batch, accumulation=shape.accumulation)
    given.changes = {
        "method": "lora", "learning_rate": 1e-4, "gradient_checkpointing": True,
        "precision": "bf16" if device.type == "cuda" else "fp32",
    }  # fmt: skip
    (scratch / "images").mkdir(parents=True)
    rows = bench_sft.dataset(
        bench_sft.examples(given.batch * given.accumulation * given.steps, 0),
        scratch / "images",
        1,
        shape.side,
    )
    plain = 0.0
    for kind, name in (("trl", "plain `trl.SFTTrainer`"), ("ours", "ours")):
        with measured(device) as memory:
            found = bench_sft.run(kind, folder, rows, given)
            speed = found["tokens_per_second"]
            plain = plain or speed
            yield [
                name, f"{speed:.0f}", f"{speed / plain:.2f}", f"{found['padding']:.0%}", f"{memory():.1f}",
                f"{found['losses'][-1]:.3f}",
            ]  # fmt: skip


def report(
    kind: str, device: torch.device, answers: list[list[str]], trained: list[list[str]], seconds: float
) -> str:
    """The figures as a page."""
    import transformers
    import trl

    name = (
        torch.cuda.get_device_name() if device.type == "cuda" else f"no GPU: {platform.machine()}, a test run"
    )
    shape = SHAPES[kind]
    size = "Qwen2.5-VL-3B's shape, bfloat16" if shape.text else "a tiny Qwen2.5-VL, float32"

    def table(heads: str, rows: list[list[str]]) -> list[str]:
        columns = heads.split(" | ")
        return [f"| {heads} |", "|" + "---|" * len(columns), *(f"| {' | '.join(row)} |" for row in rows), ""]

    return "\n".join(
        [
            "# Speed on a GPU", "",
            f"Made on {time.strftime('%Y-%m-%d')} by `bench/gpu_session.sh` in {seconds:.0f} s on {name}; {size}, random weights; "
            f"torch {torch.__version__}, transformers {transformers.__version__}, trl {trl.__version__}.", "",
            f"{shape.requests} requests with a picture of {shape.side} pixels a side, {shape.new_tokens} new tokens each:", "",
            *table("way | answers a second | times one by one | GiB at most", answers),
            f"LoRA, micro-batches of {shape.batch}, {shape.accumulation} accumulated, {shape.steps} steps of which the first two are not timed:", "",
            *table("trainer | tokens a second, padding not counted | times plain TRL | padding | GiB at most | last loss", trained),
        ]
    )  # fmt: skip


def main() -> None:
    """Measure, and write what there is after every row."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--shape", choices=SHAPES, default="3b")
    parser.add_argument("--out", type=Path, default=Path("bench/results"))
    given = parser.parse_args()
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    shape = SHAPES[given.shape]
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if shape.text and device.type == "cpu":
        parser.exit(2, "There is no CUDA device; --shape tiny runs on a CPU.\n")
    start = time.perf_counter()
    answers: list[list[str]] = []
    trained: list[list[str]] = []
    given.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = base(shape, Path(name) / "base", device)
        parts = (
            (answers, answering(shape, folder, device)),
            (trained, training(shape, folder, device, Path(name))),
        )
        for rows, part in parts:
            for row in part:
                rows.append(row)
                print(" | ".join(row), flush=True)
                text = report(given.shape, device, answers, trained, time.perf_counter() - start)
                (given.out / "gpu.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
