"""Chains of thought: none (v0), from templates (v1), written by a vision-language model and filtered (v2)."""
