"""``safecot run``: check first, say what will happen, run lmms-eval in this process, tell the truth about the outcome."""

from __future__ import annotations
