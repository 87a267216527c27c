"""Models for lmms-eval: Hugging Face VLMs, OpenAI-compatible endpoints, recorded answers, two baselines; and tiny checkpoints for tests."""

from __future__ import annotations
