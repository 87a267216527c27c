"""Preference tuning behind SFT: pairs from the same triplets, and TRL's DPOTrainer."""
