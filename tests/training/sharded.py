"""Train recipes in two CPU processes whose models FSDP shards, and again from their middle. Arguments: OUT, and recipes.

Accelerate does not shard on a CPU, and a run that asks for it is refused; PyTorch's FSDP does. So accelerate is told that the
processes are those of another kind of device, and everything else is as it is there: layers to wrap, gathered checkpoints,
sealing, resumption, export.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import accelerate.state
import torch
from accelerate.utils import DistributedType

ORIGINAL = accelerate.state.PartialState.__init__


def pretended(self: Any, *given: Any, **options: Any) -> None:
    """PartialState of CPU processes, under another name."""
    ORIGINAL(self, *given, **options)
    if self._shared_state.get("distributed_type") == DistributedType.MULTI_CPU:
        self._shared_state["distributed_type"] = DistributedType.MULTI_XPU


def main(out: Path, recipes: list[Path]) -> None:
    """Write ``losses.json``: by recipe, the losses straight through, those resumed, and the classes of sharded parameters."""
    accelerate.state.PartialState.__init__ = pretended
    from safecot_training.sft import train as module
    from safecot_training.sft.recipe import load_recipe

    module.require_one_process_per_device = lambda recipe: None
    kinds: set[str] = set()
    real = module.save_result

    def watched(trainer: Any, *given: Any) -> None:
        kinds.update(type(parameter).__name__ for parameter in trainer.model_wrapped.parameters())
        kinds.add(type(trainer.model_wrapped).__name__)
        real(trainer, *given)

    module.save_result = watched
    found = {}
    for path in recipes:
        recipe, folder, again = load_recipe(path), out / path.stem, out / f"{path.stem}-resumed"
        straight = module.train(recipe, folder)
        if os.environ["RANK"] == "0":
            shutil.copytree(folder, again)
            for name in ("merged", "adapter", f"trainer/checkpoint-{recipe.max_steps}"):
                shutil.rmtree(again / name, ignore_errors=True)
        torch.distributed.barrier()
        resumed = module.train(recipe, again)
        found[path.stem] = {
            "straight": straight.card.loss_history, "resumed": resumed.card.loss_history,
            "from": resumed.resumed_from, "kinds": sorted(kinds),
        }  # fmt: skip
    if os.environ["RANK"] == "0":
        (out / "losses.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]), [Path(name) for name in sys.argv[2:]])
