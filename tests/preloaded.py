"""What :mod:`tests.processes` imports once for all the processes that it forks."""

from __future__ import annotations

import lmms_eval.evaluator  # noqa: F401
import torch  # noqa: F401
import transformers  # noqa: F401

import safecot_training.sft.train  # noqa: F401
