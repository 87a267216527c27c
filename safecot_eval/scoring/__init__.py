"""From one generation to one scored record: reasoning split off, refusal phrases, choices, per-sample metrics."""
