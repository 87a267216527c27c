"""Models for lmms-eval: any Hugging Face VLM, recorded answers, and the two baselines; and tiny checkpoints for tests."""

from __future__ import annotations
