"""Training data: sources, examples, mixture, contamination checks, refusal sentences, and the data set on disk."""
