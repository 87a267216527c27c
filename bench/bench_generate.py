"""Generation speed, side by side: safecot_hf in batches against lmms-eval's own llava_hf, which takes one at a time.

Both answer the same questions about the same images with the same checkpoint (a tiny LLaVA in float32), the same number
of new tokens and greedy decoding, in one process; rounds alternate, so that a slow moment hits both. Greedy answers of
the two are compared as well: a fast wrong answer would not count.

    python bench/bench_generate.py [--items 64] [--rounds 3] [--checkpoint FOLDER] [--device cpu]
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from safecot_eval.benchmarks.documents import documents

TARGET = 3.0
TASK_NAME = "safecot_mini"


def requests(model: Any, rows: list[dict[str, Any]], max_new_tokens: int) -> list[Any]:
    """One request for each document, as lmms-eval's chat tasks make them."""
    from lmms_eval.api.instance import Instance

    from safecot_eval.generate import task

    model.task_dict = {TASK_NAME: {"test": rows}}
    settings = {
        "max_new_tokens": max_new_tokens,
        "temperature": 0,
        "top_p": 1.0,
        "do_sample": False,
        "until": [],
    }
    return [
        Instance(
            request_type="generate_until",
            arguments=(row["prompt"], task.doc_to_messages, dict(settings), number, TASK_NAME, "test"),
            idx=0,
            metadata={"task": TASK_NAME, "doc_id": number, "repeats": 1},
        )
        for number, row in enumerate(rows)
    ]


def answer(model: Any, rows: list[dict[str, Any]], max_new_tokens: int) -> tuple[float, list[str]]:
    """Samples per second, and the answers."""
    asked = requests(model, rows, max_new_tokens)
    started = time.perf_counter()
    answers = model.generate_until(asked)
    return len(rows) / (time.perf_counter() - started), [found.text for found in answers]


def main() -> None:
    """Print a table with the ratio and its target."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--max-new-tokens", type=int, default=32)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--checkpoint", type=Path, help="a LLaVA checkpoint (default: a tiny random one)")
    parser.add_argument("--device", default="cpu")
    given = parser.parse_args()

    from lmms_eval.models.chat.llava_hf import LlavaHf

    from safecot_eval.generate.models import tiny
    from safecot_eval.generate.models.hf import SafecotHF

    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = str(given.checkpoint or tiny.build("llava", Path(folder) / "llava"))
        theirs = LlavaHf(pretrained=checkpoint, device=given.device, device_map=given.device, dtype="float32")
        ours = SafecotHF(
            pretrained=checkpoint, device=given.device, dtype="float32", batch_size=given.batch_size
        )
        single = SafecotHF(pretrained=checkpoint, device=given.device, dtype="float32", batch_size=1)
        rows = documents(TASK_NAME)[: given.items]
        models = {"safecot_hf": ours, "safecot_hf, batch 1": single, "llava_hf": theirs}
        speeds: dict[str, list[float]] = {name: [] for name in models}
        texts: dict[str, list[str]] = {}
        for model in models.values():
            answer(model, rows[: given.batch_size], given.max_new_tokens)  # warm-up
        for _ in range(given.rounds):
            for name, model in models.items():
                speed, texts[name] = answer(model, rows, given.max_new_tokens)
                speeds[name].append(speed)
    median = {name: statistics.median(found) for name, found in speeds.items()}
    equal = sum(a == b for a, b in zip(texts["safecot_hf"], texts["llava_hf"], strict=True))
    ratio = median["safecot_hf"] / median["llava_hf"]
    print(
        f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} CPUs, device {given.device}, {given.items} items\n"
    )
    print(f"| back end | batch | samples/s (median of {given.rounds}) |\n|---|---|---|")
    print(f"| safecot_hf | {given.batch_size} | {median['safecot_hf']:.1f} |")
    print(f"| safecot_hf | 1 | {median['safecot_hf, batch 1']:.1f} |")
    print(f"| lmms-eval llava_hf | 1 (its maximum) | {median['llava_hf']:.1f} |")
    print(f"\nRatio at batch {given.batch_size}: {ratio:.1f} (target: at least {TARGET:.0f}).", end=" ")
    print(f"The two give the same answer to {equal} of {len(rows)} items.")


if __name__ == "__main__":
    main()
