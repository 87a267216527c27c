"""The judge behind an OpenAI-compatible endpoint: requests, concurrency, verdict cache, and serving it with vLLM."""
