"""Human labels: draw a blind sample, read the labels back, merge two annotators, write verdicts beside the runs."""

from __future__ import annotations

from safecot_eval.aggregate.corrected import GroupRate, corrected_rates
from safecot_eval.labels.adjudicate import Adjudicated, adjudicate, agreement, verdicts, write_verdicts
from safecot_eval.labels.blind import blind_sample
from safecot_eval.labels.page import page_html
from safecot_eval.labels.questions import Question, question, questions
from safecot_eval.labels.sampling import Candidate, Drawn, Stratum, candidates, draw
from safecot_eval.labels.sheet import Key, KeyEntry, Row, read_key, read_sheet, sheet_text, write_key

__all__ = [
    "Adjudicated",
    "Candidate",
    "Drawn",
    "GroupRate",
    "Key",
    "KeyEntry",
    "Question",
    "Row",
    "Stratum",
    "adjudicate",
    "agreement",
    "blind_sample",
    "candidates",
    "corrected_rates",
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
