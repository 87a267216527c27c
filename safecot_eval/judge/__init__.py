"""LLM judges: rubrics, client, cache, verdict files, in-run judging, audit and meta-evaluation."""
