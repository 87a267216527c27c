"""SafeCoT training: data, chains of thought, fine-tuning, evaluation of checkpoints, and the miniature study."""

import safecot_eval  # noqa: F401 - keeps the imports of 0.1.0, see safecot_eval/_moved.py
