"""TRL's GRPO without its vLLM: answers are sampled by transformers here.

TRL's module imports vLLM wherever it is installed, which takes half a minute, and warns of a version that it was not tried with.
"""

from __future__ import annotations

from importlib import import_module
from unittest.mock import patch

with patch.object(import_module("trl.import_utils"), "is_vllm_available", lambda *_, **__: False):
    from trl.trainer.grpo_config import GRPOConfig
    from trl.trainer.grpo_trainer import GRPOTrainer
    from trl.trainer.utils import RepeatSampler, add_fused_lm_head

__all__ = ["GRPOConfig", "GRPOTrainer", "RepeatSampler", "add_fused_lm_head"]
