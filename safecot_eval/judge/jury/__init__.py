"""Several judges as one: verdicts combined by a model that was calibrated on labelled answers."""
