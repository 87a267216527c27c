"""From the layout of mjc-ma-01/mllm-safety-cot (commit eafa278) to our folders ``safecot_runs`` and ``safecot_training``.

Upstream, a run is ``logs/sft_answer/model:sft_mllm_<base>/train:<data>_<training>/test:<test>/`` with shards
``00000-00004.json`` (lists of objects) and text files of scores.
"""

from __future__ import annotations

from pathlib import Path

from safecot_eval.benchmarks.data.safecot_history.layout import Files, files_below
from safecot_eval.benchmarks.data.safecot_history.protocol import convert_protocol
from safecot_eval.benchmarks.data.safecot_history.runs import convert_runs
from safecot_eval.benchmarks.data.safecot_history.training import convert_training

__all__ = ["Files", "convert", "convert_protocol", "convert_runs", "convert_training", "files_below"]


def convert(folder: str, files: Files, target: Path) -> None:
    """Write one of our folders.

    Args:
        folder: ``safecot_runs`` or ``safecot_training``.
        files: Upstream files.
        target: Where it goes.

    Raises:
        SafecotError: a file is missing or has another form.
    """
    if folder == "safecot_runs":
        convert_runs(files, target)
        convert_protocol(files, target)
    else:
        convert_training(files, target)
