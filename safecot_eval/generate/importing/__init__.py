"""Answers that other tools recorded: read, matched to our items, scored as a run of lmms-eval would be."""

from safecot_eval.generate.importing.answers import Answer, Picture
from safecot_eval.generate.importing.matching import Matched, match
from safecot_eval.generate.importing.reading import Source, read
from safecot_eval.generate.importing.writing import write_replay, write_run

__all__ = ["Answer", "Matched", "Picture", "Source", "match", "read", "write_replay", "write_run"]
