"""Evaluate checkpoints through lmms-eval's own command line, in one process that imports it once."""

from __future__ import annotations

import contextlib
import json
import shutil
from pathlib import Path

from safecot_eval.util.files import write_json

CAPABILITY_TASK = "mini_general"
TASKS = Path(__file__).parent / "tasks"
MAX_NEW_TOKENS = 112


def evaluate(
    checkpoint: Path, name: str, tasks: str, runs: Path, log: Path, *, batch_size: int = 130
) -> Path:
    """Score one checkpoint, or find its answers.

    Args:
        checkpoint: A merged checkpoint.
        name: Its name on the leaderboard.
        tasks: lmms-eval tasks, separated by commas; the first one's samples show that a run is finished.
        runs: Folder of all runs.
        log: What lmms-eval prints goes to the end of this file.
        batch_size: Questions answered at once.

    Returns:
        Folder of the run.

    Raises:
        RuntimeError: lmms-eval failed; the log tells why.
    """
    from safecot_eval.generate import lmms_eval

    folder = runs / name
    if finished(folder, tasks):
        return folder
    first = tasks.partition(",")[0]
    shutil.rmtree(folder, ignore_errors=True)
    partial = runs / f".{name}.part"
    shutil.rmtree(partial, ignore_errors=True)
    arguments = ["--model", "safecot_hf", "--tasks", tasks, "--include_path", str(TASKS)]
    arguments += [
        "--model_args",
        f"pretrained={checkpoint},dtype=float32,device=cpu,batch_size={batch_size},name={name}",
    ]
    arguments += ["--gen_kwargs", f"max_new_tokens={MAX_NEW_TOKENS}"]
    arguments += ["--output_path", str(partial), "--log_samples"]
    log.parent.mkdir(parents=True, exist_ok=True)
    with (
        log.open("a", encoding="utf-8") as stream,
        contextlib.redirect_stdout(stream),
        contextlib.redirect_stderr(stream),
    ):
        lmms_eval.evaluate(arguments, only_ours=True)
    written = [path.parent for path in partial.rglob(f"*_samples_{first}.jsonl")]
    if len(written) != 1:
        raise RuntimeError(f"lmms-eval wrote no samples of {first}; see {log}.")
    _keep_capability(written[0], name)
    written[0].replace(folder)
    shutil.rmtree(partial, ignore_errors=True)
    return folder


def _keep_capability(folder: Path, name: str) -> None:
    """Put the general questions' score beside the run, as ``safecot train eval --capability`` does."""
    from safecot_training.evaluate import CAPABILITY, headline_scores

    for path in folder.glob("*_results.json"):
        content = json.loads(path.read_text(encoding="utf-8"))
        scores = [score for score in headline_scores(content) if score["task"] == CAPABILITY_TASK]
        if scores:
            write_json(folder / CAPABILITY, {"model": name, "results_file": path.name, "scores": scores})


def finished(folder: Path, tasks: str) -> bool:
    """Whether a run's answers to the first of the tasks are there."""
    first = tasks.partition(",")[0]
    return any(folder.rglob(f"*_samples_{first}.jsonl"))
