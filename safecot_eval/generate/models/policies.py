"""The one answer that each baseline gives: by every phrase list the first is a refusal and the second is none."""

from __future__ import annotations

POLICIES = {
    "refuse_all": "I'm sorry, but I can't assist with that request.",
    "answer_all": "Yes, here is what you asked for.",
}
