"""The vision encoder, before it meets the language model: trained to tell what a picture shows.

VLMs start from an encoder that was trained on pictures with texts (CLIP, SigLIP); ours starts from an encoder trained on
drawn scenes with their attributes. One linear head over all patch tokens: pooled by log-sum-exp for the picture as a
whole, and token by token for the mark, where a patch shows a part of it. The head is thrown away.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from safecot_eval.benchmarks import mini
from safecot_eval.benchmarks.mini.draw import pixels
from safecot_eval.benchmarks.mini.scenes import random_scene

BATCH = 64
PEAK_RATE = 3e-3
POOL = 6000
"""Different pictures; steps draw from them at random."""


def scene_attributes() -> list[tuple[str, list[Any]]]:
    """What the encoder learns to tell: attribute and its values."""
    world = mini.world()
    return [
        ("mark", [*world.unsafe_marks, *world.benign_marks]),
        ("object", [category.object for category in world.categories.values()]),
        ("colour", list(world.colours)),
        ("dots", list(range(world.max_dots + 1))),
        ("place", list(world.places)),
        ("large", [False, True]),
        ("ground", list(world.grounds)),
    ]


def train_eyes(
    encoder: Any, *, steps: int, seed: int, log: Callable[[str], None], pool: int = POOL
) -> dict[str, float]:
    """Train an encoder in place.

    Args:
        encoder: Takes float pictures (batch, 3, side, side) in [-1, 1]; its ``last_hidden_state`` has the shape
            (batch, patches, width).
        steps: Batches of 64 pictures.
        seed: Of pictures and order.
        log: Told how it goes.
        pool: Number of different pictures.

    Returns:
        Accuracy per attribute on 500 pictures of the evaluation split, never trained on.
    """
    import torch
    from torch.nn import functional

    attributes = scene_attributes()
    counts = [len(values) for _, values in attributes]
    rng = random.Random(f"eyes/{seed}")
    patch = int(encoder.config.patch_size)
    pictures, labels, shown = _drawn(pool, mini.Split.TRAIN, rng, patch)
    held_out, truth, _ = _drawn(500, mini.Split.EVALUATION, rng, patch)
    torch.manual_seed(seed)
    head = torch.nn.Linear(encoder.config.hidden_size, sum(counts))
    parameters = [*encoder.parameters(), *head.parameters()]

    def by_token(batch: Any) -> Any:
        return head(encoder(batch.float() / 127.5 - 1).last_hidden_state)

    optimizer = torch.optim.AdamW(parameters, lr=PEAK_RATE, betas=(0.9, 0.98), weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min(1.0, (step + 1) / 50) * max(0.02, 1 - step / steps)
    )
    encoder.train()
    started = time.monotonic()
    for step in range(1, steps + 1):
        chosen = torch.randint(pool, (BATCH,))
        tokens = by_token(pictures[chosen])
        pooled = torch.logsumexp(tokens, dim=1).split(counts, dim=1)
        losses = [functional.cross_entropy(each, labels[chosen, k]) for k, each in enumerate(pooled)]
        marks = tokens[..., : counts[0]][shown[chosen]]
        mark_of_token = labels[chosen, :1].expand(-1, tokens.shape[1])[shown[chosen]]
        loss = sum(losses) + losses[0] + 2 * functional.cross_entropy(marks, mark_of_token)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        schedule.step()
        if step % 250 == 0:
            log(
                f"vision encoder: step {step} of {steps}, loss {loss.item():.2f}, {time.monotonic() - started:.0f} s"
            )
    encoder.eval()
    with torch.no_grad():
        pooled = torch.logsumexp(by_token(held_out), dim=1).split(counts, dim=1)
    told = [each.argmax(1) for each in pooled]
    return {
        name: float((told[index] == truth[:, index]).float().mean())
        for index, (name, _) in enumerate(attributes)
    }


def _drawn(count: int, split: mini.Split, rng: random.Random, patch: int) -> tuple[Any, Any, Any]:
    """Pictures as bytes (count, 3, side, side), labels (count, attributes), patches that show the mark (count, patches)."""
    import torch

    attributes = scene_attributes()
    marks, objects = attributes[0][1], attributes[1][1]
    scenes = [random_scene(rng, rng.choice(objects), rng.choice(marks), split) for _ in range(count)]
    painted = [pixels(scene) for scene in scenes]
    labels = [[values.index(getattr(scene, name)) for name, values in attributes] for scene in scenes]
    shown = [
        _patches_of_mark(scene, picture, marks, patch) for scene, picture in zip(scenes, painted, strict=True)
    ]
    stacked = np.stack(painted).transpose(0, 3, 1, 2).copy()
    return torch.from_numpy(stacked), torch.tensor(labels), torch.from_numpy(np.stack(shown))


def _patches_of_mark(
    scene: mini.Scene, picture: NDArray[np.uint8], marks: list[str], patch: int
) -> NDArray[np.bool_]:
    """Where the picture would look different with another mark: at least a tenth of the patch's pixels."""
    start = marks.index(scene.mark)
    differs = np.zeros(picture.shape[:2], dtype=bool)
    for step in (1, 5):
        other = replace(scene, mark=marks[(start + step) % len(marks)])
        differs |= (pixels(other) != picture).any(axis=2)
    grid = mini.SIZE // patch
    counts = differs.reshape(grid, patch, grid, patch).sum(axis=(1, 3))
    shown: NDArray[np.bool_] = counts.ravel() > patch * patch // 10
    return shown
