"""Submissions: one compact file per model that a leaderboard can accept by pull request, and what checks it."""

from safecot_eval.submissions.blocks import columns_of, task_block
from safecot_eval.submissions.document import SUFFIX, load, save, seal
from safecot_eval.submissions.validate import Findings, validate

__all__ = ["SUFFIX", "Findings", "columns_of", "load", "save", "seal", "task_block", "validate"]
