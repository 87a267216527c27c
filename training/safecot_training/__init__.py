"""SafeCoT training: data, chain-of-thought variants and fine-tuning."""
