"""Around a run: where it goes, which evaluators it uses, and what is left to say when it is done."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safecot_eval.errors import SafecotError
from safecot_eval.refusal import DEFAULT_LIST, load_list
from safecot_eval.running.plan import Plan

CHECKPOINT_CARD = "safecot_checkpoint.json"


def output_folder(output: Path, model: str, arguments: Mapping[str, str]) -> Path:
    """Folder to give lmms-eval.

    lmms-eval names a subfolder after ``pretrained=`` or ``model=``; replays and baselines have neither, so that their
    display name becomes the subfolder here.

    >>> str(output_folder(Path("runs"), "safecot_replay", {"name": "GPT 4o"}))
    'runs/GPT_4o'
    """
    name = arguments.get("name") or arguments.get("policy")
    if model.startswith("safecot_") and name:
        return output / re.sub(r"[^\w.+-]+", "_", name)
    return output


def evaluators_line(refusal_list: str | None) -> str:
    """Say which evaluators the run will use."""
    from safecot_eval.judge import inrun

    phrases = load_list(refusal_list or os.environ.get("SAFECOT_REFUSAL_LIST") or DEFAULT_LIST)
    judge = inrun.describe() or "none configured (SAFECOT_JUDGE_URL), so there will be no *_judge metrics"
    return f"scored  by {len(phrases.phrases)} phrases ({phrases.id}); judge: {judge}"


def finish(plan: Plan, results: Mapping[str, Any]) -> str:
    """Check that everything asked for was written, and say what to do next.

    Raises:
        SafecotError: lmms-eval reported success and yet a samples file is missing.
    """
    folder = _newest_results(plan.output)
    missing = [leaf for leaf in plan.leaves if not list(folder.glob(f"*_samples_{leaf}.jsonl"))]
    if missing:
        raise SafecotError(
            f"{folder}: lmms-eval wrote no samples for {', '.join(missing)}; see its messages above."
        )
    _copy_checkpoint_card(plan, folder)
    return f"Wrote {folder}\nNext: safecot report {plan.output} -o leaderboard.html"


def _newest_results(output: Path) -> Path:
    written = sorted(output.rglob("*_results.json"), key=lambda path: path.stat().st_mtime)
    if not written:
        raise SafecotError(f"{output}: lmms-eval wrote no results; see its messages above.")
    return written[-1].parent


def _copy_checkpoint_card(plan: Plan, folder: Path) -> None:
    """Keep a SafeCoT checkpoint's card with the run: the checkpoint may be gone when the report is made."""
    for key in ("peft", "pretrained"):
        card = Path(plan.model_args.get(key, "")).expanduser() / CHECKPOINT_CARD
        if plan.model_args.get(key) and card.is_file():
            content = json.loads(card.read_text(encoding="utf-8"))
            (folder / CHECKPOINT_CARD).write_text(json.dumps(content, indent=1), encoding="utf-8")
            return
