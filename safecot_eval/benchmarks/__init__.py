"""Benchmark folders: their registry, the catalogue of items, selections by name and tag, images, and data preparation."""
