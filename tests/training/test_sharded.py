"""FSDP2 in two CPU processes: losses and weights are those of one process, and a resumed run ends like a straight one.

FSDP1 is not tried: accelerate has it look for an accelerator.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from safecot_training.sft.families import FAMILIES

pytestmark = [pytest.mark.full, pytest.mark.xdist_group("training")]
SETTINGS = {
    "FSDP_AUTO_WRAP_POLICY": "TRANSFORMER_BASED_WRAP",
    "FSDP_CPU_RAM_EFFICIENT_LOADING": "true",
    "FSDP_SYNC_MODULE_STATES": "true",
    "FSDP_STATE_DICT_TYPE": "FULL_STATE_DICT",
    "FSDP_RESHARD_AFTER_FORWARD": "true",
    "FSDP_USE_ORIG_PARAMS": "true",
}
"""As training/recipes/distributed/fsdp2.yaml and the launcher's defaults have them."""


def weights(folder: Path) -> dict:
    from safetensors.torch import load_file

    return {k: v for file in sorted(folder.glob("*.safetensors")) for k, v in load_file(file).items()}


def test_fsdp_trains_saves_whole_checkpoints_and_resumes(make_recipe, tmp_path: Path, train) -> None:
    methods = ("full", "lora")
    common = {"max_steps": 4, "batch_size": 2, "gradient_checkpointing": False}
    for method in methods:
        recipe = make_recipe(method=method, gradient_accumulation=2, **common)
        (tmp_path / f"{method}.yaml").write_text(yaml.safe_dump(recipe.as_dict()))
    environment = {**os.environ, **SETTINGS, "ACCELERATE_USE_FSDP": "true", "FSDP_VERSION": "2"}
    command = [
        "-m",
        "torch.distributed.run",
        "--nproc_per_node",
        "2",
        "--standalone",
        "-m",
        "tests.training.sharded",
    ]
    done = subprocess.run(
        [sys.executable, *command, str(tmp_path / "out"), *(str(tmp_path / f"{m}.yaml") for m in methods)],
        env=environment, capture_output=True, text=True, timeout=1200, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    told = json.loads((tmp_path / "out/losses.json").read_text())
    for method in methods:
        found = told[method]
        assert found["from"] == "checkpoint-2"
        assert "DTensor" in found["kinds"]
        alone = train(make_recipe(method=method, gradient_accumulation=4, **common), tmp_path / method)
        for (_, sharded), (_, whole) in zip(found["straight"], alone.card.loss_history, strict=True):
            assert abs(sharded - whole) < 1e-3
        assert found["resumed"] == found["straight"]
        for form in ("merged", "adapter") if method == "lora" else ("merged",):
            one, other = weights(tmp_path / method / form), weights(tmp_path / "out" / method / form)
            again = weights(tmp_path / "out" / f"{method}-resumed" / form)
            assert one.keys() == other.keys() == again.keys()
            assert all(one[name].shape == other[name].shape for name in one)
            assert max(float((one[name] - other[name]).abs().max()) for name in one) < 1e-3
            assert all(other[name].equal(again[name]) for name in other)
    assert FAMILIES["llava"].language in " ".join(weights(tmp_path / "out/lora/adapter"))
