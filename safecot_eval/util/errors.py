"""The one exception type that a user is meant to read."""

from __future__ import annotations


class SafecotError(Exception):
    """A mistake or a missing thing that the user can fix.

    The message is one sentence: what is wrong, where (file, line, sample id), and what to do about it. The command
    line prints it without a traceback and exits with status 2; library callers may catch it.
    """
