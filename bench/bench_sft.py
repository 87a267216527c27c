"""Training speed beside plain TRL: the same model, data, steps and arithmetic; ours deals each step's examples by length.

Two things are measured on a random SmolVLM-shaped model: tokens that bear no padding per second, for our trainer and for
an untouched ``trl.SFTTrainer`` (whose own grouping by length does not know vision data), and the loss curves. The texts
have lengths as general vision data have: most short, some long, and ``--pictures`` makes image tokens a larger share of them
(in real recipes they are most of all tokens, and padding matters the less). A run is timed after two steps of warming up.

    python bench/bench_sft.py --out bench/results
    python bench/bench_sft.py --pictures 8
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from PIL import Image

WORDS = (
    "the of a to in and is on with that for as at this it by an be are or which near over under sign".split()
)


def examples(count: int, seed: int) -> list[dict[str, Any]]:
    """Questions with answers of log-normal length (median 60 words, sigma 0.9, at most 600)."""
    draw = random.Random(seed)
    rows = []
    for index in range(count):
        length = min(600, max(3, int(draw.lognormvariate(4.1, 0.9))))
        answer = " ".join(draw.choice(WORDS) for _ in range(length))
        rows.append({"id": str(index), "prompt": f"What is in picture {index}?", "answer": answer})
    return rows


def dataset(rows: list[dict[str, Any]], folder: Path, pictures: int, side: int = 56) -> list[dict[str, Any]]:
    """Rows in TRL's vision format, with small drawn images each."""
    found = []
    for number, row in enumerate(rows):
        paths = []
        for index in range(pictures):
            path = folder / f"{number}-{index}.png"
            Image.new("RGB", (side, side), (number % 255, 90 + index, number * 7 % 255)).save(path)
            paths.append(str(path))
        found.append(
            {
                "id": row["id"],
                "images": paths,
                "prompt": [{"role": "user", "content": row["prompt"]}],
                "completion": [{"role": "assistant", "content": row["answer"]}],
            }
        )
    return found


def base(folder: Path, hidden: int, layers: int) -> Path:
    """A random Idefics3-shaped base, large enough that arithmetic and not Python takes the time."""
    import torch
    from transformers import AutoConfig, AutoModelForImageTextToText, AutoProcessor

    from safecot_eval.generate.models import tiny

    tiny.build("idefics3", folder, spread=0.02)
    config = AutoConfig.from_pretrained(folder)
    text = config.text_config
    text.hidden_size, text.intermediate_size, text.num_hidden_layers = hidden, 4 * hidden, layers
    text.num_attention_heads = text.num_key_value_heads = hidden // 64
    text.head_dim = 64
    torch.manual_seed(0)
    model = AutoModelForImageTextToText.from_config(config)
    processor = AutoProcessor.from_pretrained(folder)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def recipe(folder: Path, arguments: argparse.Namespace) -> Any:
    """The recipe of both sides."""
    from safecot_training.sft.recipe import recipe_from

    values = {
        "base_model": str(folder),
        "data": "none",
        "variant": "v0",
        "method": "full",
        "learning_rate": 1e-3,
        "max_steps": arguments.steps,
        "batch_size": arguments.batch,
        "gradient_accumulation": arguments.accumulation,
        "gradient_checkpointing": False,
        "precision": "fp32",
        "save_steps": 1000,
        "logging_steps": 1,
        **getattr(arguments, "changes", {}),
    }
    return recipe_from(values, "bench")


def run(
    kind: str, base_folder: Path, rows: list[dict[str, Any]], arguments: argparse.Namespace
) -> dict[str, Any]:
    """Train once: ``ours`` as recipes do it, ``trl`` with TRL's own trainer and order."""
    import datasets
    from transformers import TrainerCallback
    from trl import SFTTrainer

    from safecot_training.sft.families import family_of
    from safecot_training.sft.lengths import token_lengths
    from safecot_training.sft.loading import load_model, load_processor
    from safecot_training.sft.train import checked_collator
    from safecot_training.sft.trainer import adapter_config, build_trainer, training_arguments
    from safecot_training.sft.training_data import as_dataset, image_sizes

    class Clock(TrainerCallback):  # type: ignore[misc]
        stamps: list[tuple[float, float]] = []  # noqa: RUF012

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            self.stamps.append((time.perf_counter(), time.process_time()))

    class Tokens:
        """Count a batch's tokens on their way: all, without padding, and those with loss."""

        epoch: int | None = None

        def __init__(self, collate: Any) -> None:
            self.collate, self.real, self.padded, self.image = collate, [], [], 0

        def __call__(self, batch: Any) -> Any:
            found = self.collate(batch)
            self.real.append(int(found["attention_mask"].sum()))
            self.padded.append(found["attention_mask"].numel())
            self.image += int((found["input_ids"] == config.image_token_id).sum())
            return found

    chosen = recipe(base_folder, arguments)
    config, processor = load_processor(chosen)
    family = family_of(config.model_type, chosen.base_model)
    collator = checked_collator(chosen, config, processor, family)
    lengths = token_lengths(collator, rows, image_sizes(rows))
    model = load_model(chosen, family)
    with tempfile.TemporaryDirectory() as out:
        if kind == "ours":
            arguments_ = training_arguments(chosen, Path(out))
            trainer = build_trainer(chosen, arguments_, model, collator, as_dataset(rows, lengths), family)
        else:
            plain = training_arguments(chosen, Path(out))
            plain.train_sampling_strategy, plain.remove_unused_columns = "random", True
            columns = as_dataset(rows, lengths).select_columns(["images", "prompt", "completion"])
            trainer = SFTTrainer(
                model=model,
                args=plain,
                train_dataset=columns.cast_column("images", datasets.List(datasets.Image(mode="RGB"))),
                processing_class=processor,
                peft_config=adapter_config(chosen, family),
            )
        clock = Clock()
        clock.stamps = []
        trainer.add_callback(clock)
        trainer.args.save_strategy = "no"
        trainer.data_collator = tokens = Tokens(trainer.data_collator)
        trainer.train()
    skipped = 2
    batches = trainer.args.gradient_accumulation_steps  # ours may take more and smaller ones
    seconds, processor_seconds = (
        last - first for last, first in zip(clock.stamps[-1], clock.stamps[skipped - 1], strict=True)
    )
    used = slice(batches * skipped, batches * len(clock.stamps))
    return {
        "kind": kind,
        "tokens_per_second": sum(tokens.real[used]) / seconds,
        "tokens_per_processor_second": sum(tokens.real[used]) / processor_seconds,
        "padding": 1 - sum(tokens.real[used]) / sum(tokens.padded[used]),
        "tokens": sum(tokens.real[used]),
        "image_share": tokens.image / sum(tokens.real),
        "seconds": seconds,
        "losses": [entry["loss"] for entry in trainer.state.log_history if "loss" in entry],
    }


def main() -> None:
    """Measure, print, and write a dated file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=14)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--accumulation", type=int, default=4)
    parser.add_argument("--hidden", type=int, default=256)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--pictures", type=int, default=1, help="pictures a row")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    import torch
    import transformers
    import trl

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "images").mkdir()
        count = arguments.batch * arguments.accumulation * arguments.steps
        rows = dataset(examples(count, 0), folder / "images", arguments.pictures)
        base_folder = base(folder / "base", arguments.hidden, arguments.layers)
        pairs = []
        for number in range(arguments.repeats):
            # Each side goes first as often as the other, so that a machine that grows slower favours neither.
            order = ("trl", "ours") if number % 2 == 0 else ("ours", "trl")
            found = {kind: run(kind, base_folder, rows, arguments) for kind in order}
            pairs.append((found["trl"], found["ours"]))
    ratios, processor_ratios = (
        [ours[key] / plain[key] for plain, ours in pairs]
        for key in ("tokens_per_second", "tokens_per_processor_second")
    )
    plain, ours = pairs[0]
    tail = max(1, arguments.steps // 3)
    noise = statistics.stdev(plain["losses"][-tail:]) if tail > 1 else 0.0
    gap = statistics.fmean(ours["losses"][-tail:]) - statistics.fmean(plain["losses"][-tail:])
    summary = {
        "date": time.strftime("%Y-%m-%d"),
        "ratio": round(statistics.median(ratios), 3),
        "processor_ratio": round(statistics.median(processor_ratios), 3),
        "processor_ratios": [round(ratio, 3) for ratio in processor_ratios],
        "ratios": [round(ratio, 3) for ratio in ratios],
        "tokens_per_second": {run["kind"]: round(run["tokens_per_second"], 1) for run in pairs[0]},
        "padding": {run["kind"]: round(run["padding"], 3) for run in pairs[0]},
        "losses": {run["kind"]: [round(loss, 4) for loss in run["losses"]] for run in pairs[0]},
        "final_third": {"difference": round(gap, 4), "step_to_step_deviation": round(noise, 4)},
        "image_share": round(pairs[0][0]["image_share"], 3),
        "batch": [arguments.batch, arguments.accumulation],
        "model": f"Idefics3, random, hidden {arguments.hidden}, {arguments.layers} layers, float32",
        "machine": f"{os.cpu_count()} CPUs, {platform.machine()}, {torch.get_num_threads()} threads",
        "versions": {
            "trl": trl.__version__,
            "transformers": transformers.__version__,
            "torch": torch.__version__,
        },
    }
    text = report(summary)
    print(text)
    if arguments.out:
        (arguments.out / "sft.md").write_text(text, encoding="utf-8")


def report(summary: dict[str, Any]) -> str:
    """The figures as a page."""
    curves = summary["losses"]
    rows = [
        f"| {step} | {plain:.4f} | {ours:.4f} |"
        for step, (plain, ours) in enumerate(zip(curves["trl"], curves["ours"], strict=True), start=1)
    ]
    speed, padding, final = summary["tokens_per_second"], summary["padding"], summary["final_third"]
    batch, accumulation = summary["batch"]
    return "\n".join(
        [
            "# Fine-tuning beside plain TRL",
            "",
            f"Made on {summary['date']} by `bench/bench_sft.py`. {summary['model']}; micro-batches of {batch}, "
            f"{accumulation} accumulated; {summary['machine']}; "
            + ", ".join(f"{name} {version}" for name, version in summary["versions"].items())
            + ".",
            "",
            "| | plain SFTTrainer | ours | ours / plain |",
            "|---|---|---|---|",
            f"| tokens a second, padding not counted (first pair) | {speed['trl']} | {speed['ours']} "
            f"| **{summary['ratio']}** (median of {', '.join(map(str, summary['ratios']))}) |",
            "| the same per second of processor time, which other work on the machine does not disturb | | "
            f"| **{summary['processor_ratio']}** (median of {', '.join(map(str, summary['processor_ratios']))}) |",
            f"| share of padding in the batches | {padding['trl']:.1%} | {padding['ours']:.1%} | |",
            f"| share of image tokens | {summary['image_share']:.1%} | | |",
            f"| mean loss of the final third of steps | | | differs by {final['difference']:+.4f}; steps scatter by "
            f"{final['step_to_step_deviation']:.4f} |",
            "",
            "| step | loss, plain | loss, ours |",
            "|---|---|---|",
            *rows,
            "",
        ]
    )


if __name__ == "__main__":
    main()
