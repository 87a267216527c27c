"""Answers that other tools recorded: read, matched to our items, scored as a run of lmms-eval would be."""

from safecot_eval.generate.importing.answers import Answer, Picture
from safecot_eval.generate.importing.matching import Matched, match
from safecot_eval.generate.importing.own_questions import own_questions
from safecot_eval.generate.importing.reading import Source, read
from safecot_eval.generate.importing.recorded_labels import label_lines, labelled, write_labels
from safecot_eval.generate.importing.writing import free_timestamp, run_folder, write_replay, write_run

__all__ = [
    "Answer",
    "Matched",
    "Picture",
    "Source",
    "free_timestamp",
    "label_lines",
    "labelled",
    "match",
    "own_questions",
    "read",
    "run_folder",
    "write_labels",
    "write_replay",
    "write_run",
]
