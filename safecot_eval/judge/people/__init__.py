"""Human labels: draw a blind sample, read the labels back, merge two annotators, write verdicts beside the runs."""

from __future__ import annotations

from safecot_eval.judge.people.adjudicate import Adjudicated, adjudicate, agreement, verdicts, write_verdicts
from safecot_eval.judge.people.blind import blind_sample
from safecot_eval.judge.people.page import page_html
from safecot_eval.judge.people.questions import Question, question, questions
from safecot_eval.judge.people.sampling import Candidate, Drawn, Stratum, candidates, draw
from safecot_eval.judge.people.sheet import Key, KeyEntry, Row, read_key, read_sheet, sheet_text, write_key

__all__ = [
    "Adjudicated",
    "Candidate",
    "Drawn",
    "Key",
    "KeyEntry",
    "Question",
    "Row",
    "Stratum",
    "adjudicate",
    "agreement",
    "blind_sample",
    "candidates",
    "draw",
    "page_html",
    "question",
    "questions",
    "read_key",
    "read_sheet",
    "sheet_text",
    "verdicts",
    "write_key",
    "write_verdicts",
]
