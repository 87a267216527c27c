"""Supervised fine-tuning: recipe, families, loading, trainer, checkpoints, export and the checkpoint card."""
