"""Two small runs to try the Python API on: what the baselines answer to the 52 items of ``safecot_mini_tiny``."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from safecot_eval.benchmarks.documents import documents
from safecot_eval.generate import task
from safecot_eval.generate.finish_reasons import STOP, Ended
from safecot_eval.generate.models.policies import POLICIES

TASK_NAME = "safecot_mini_tiny"
_STAMP = "20260101_000000"


def write_example_runs(folder: str | Path | None = None) -> Path:
    """Score the baselines and write their runs in lmms-eval's layout, without lmms-eval.

    Args:
        folder: Where to; a new temporary folder if not given.

    Returns:
        The folder.

    >>> sorted(path.name for path in write_example_runs().iterdir())
    ['answer_all', 'refuse_all']
    """
    target = Path(folder or tempfile.mkdtemp(prefix="safecot-example-"))
    docs = documents(TASK_NAME)
    for policy, answer in POLICIES.items():
        run = target / policy
        run.mkdir(parents=True, exist_ok=True)
        results = {
            "results": {TASK_NAME: {"alias": TASK_NAME}},
            "config": {"model": "safecot_baseline", "model_args": f"policy={policy}"},
        }
        (run / f"{_STAMP}_results.json").write_text(json.dumps(results), encoding="utf-8")
        with (run / f"{_STAMP}_samples_{TASK_NAME}.jsonl").open("w", encoding="utf-8") as stream:
            for number, document in enumerate(docs):
                line = {"doc_id": number, "filtered_resps": [answer]} | task.process_results(
                    document, [Ended(answer, STOP)]
                )
                stream.write(json.dumps(line) + "\n")
    return target
