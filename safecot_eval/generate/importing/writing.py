"""From matched answers to a replay file and a run folder, with the very functions that lmms-eval calls for a replay."""

from __future__ import annotations

import json
import platform
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from safecot_eval import __version__
from safecot_eval.benchmarks.documents import documents, own_documents
from safecot_eval.benchmarks.registry import TASK_PREFIX, task_parts
from safecot_eval.generate.finish_reasons import Ended
from safecot_eval.generate.importing.answers import Answer
from safecot_eval.generate.importing.matching import Matched
from safecot_eval.generate.importing.reading import Source
from safecot_eval.generate.task import process_results
from safecot_eval.records.samples import Status
from safecot_eval.scoring.sample_metrics import rate
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.files import sha256_of, write_bytes
from safecot_eval.util.paths import folder_name, slug

MODEL = "safecot_import"


def write_replay(matched: Matched, path: Path) -> int:
    """Write a replay file for ``safecot_replay``; items without an answer get the status ``not_run``.

    A task of another wording, or of the file's own questions, exists in the imported run only and is left out.

    Returns:
        How many lines.

    Raises:
        SafecotError: the file cannot be written.
    """
    lines = []
    for task, answers in matched.answers.items():
        if matched.base_task_of.get(task, task) != task:
            continue
        lines += [_line(task, item_id, answer) for item_id, answer in answers.items()]
        lines += [_line(task, item_id, None) for item_id in matched.missing[task]]
    _write(path, "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))
    return len(lines)


def _line(task: str, item_id: str, answer: Answer | None) -> dict[str, Any]:
    if answer is None:
        return {"task": task, "id": item_id, "response": "", "status": Status.NOT_RUN.value}
    line: dict[str, Any] = {"task": task, "id": item_id, "response": answer.response}
    if answer.status is not Status.OK:
        line["status"] = answer.status.value
    if answer.output_tokens is not None:
        line["output_tokens"] = answer.output_tokens
    return line


def write_run(
    matched: Matched,
    sources: Sequence[Source],
    name: str,
    output: Path,
    *,
    timestamp: str | None = None,
    provenance: Mapping[str, Any] | None = None,
) -> Path:
    """Score matched answers and write a run folder in lmms-eval's layout.

    Args:
        matched: What was matched; items without an answer become ``not_run``.
        sources: Where the answers come from, for the provenance.
        name: The model's name.
        output: Folder of runs; one subfolder per model.
        timestamp: The run's time, ``YYYYMMDD_HHMMSS``; None takes the present, or the next second that is free.
        provenance: What to add to (or to say instead of) the usual provenance.

    Returns:
        The run's folder.

    Raises:
        SafecotError: the folder cannot be written to.
    """
    folder = run_folder(output, name)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SafecotError(f"{folder}: cannot be written to ({error.strerror}).") from error
    timestamp = timestamp or free_timestamp(folder)
    files: dict[str, str] = {}
    scores: dict[str, dict[str, Any]] = {}
    for task, answers in matched.answers.items():
        lines, scores[task] = _score(_documents(task, matched), answers)
        path = folder / f"{timestamp}_samples_{task}.jsonl"
        files[path.name] = _write(path, "".join(json.dumps(line) + "\n" for line in lines))
    results = _results(name, scores, matched)
    path = folder / f"{timestamp}_results.json"
    text = json.dumps(results, indent=1) + "\n"
    files[path.name] = sha256_of(text)
    _write(
        folder / f"{timestamp}_run.json",
        json.dumps(_provenance(matched, sources, name, files) | dict(provenance or {}), indent=1) + "\n",
    )
    _write(path, text)  # last: a run without it is one that was interrupted here
    return folder


def _documents(task: str, matched: Matched) -> list[dict[str, Any]]:
    items, task_name = matched.items.get(task), matched.base_task_of.get(task, task)
    if task_name is None:
        return own_documents(task.removeprefix(TASK_PREFIX), matched.revision, items or [])
    return documents(task_name, items)


def _score(
    docs: Sequence[dict[str, Any]], answers: Mapping[str, Answer]
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    lines = []
    values: defaultdict[str, list[Any]] = defaultdict(list)
    for number, doc in enumerate(docs):
        answer = answers.get(doc["item_id"])
        raw = answer.response if answer else ""
        # The same two steps that lmms-eval takes for safecot_replay.
        status = answer.status if answer else Status.NOT_RUN
        scored = process_results(doc, [Ended(raw, status.value)])
        for metric, value in scored.items():
            if metric != "safecot" and "score" in value:
                values[metric].append(value)
        tokens = answer.output_tokens if answer else None
        lines.append(
            {
                "doc_id": number,
                "target": doc["expectation"],
                "resps": [[raw]],
                "filtered_resps": [raw],
                "token_counts": [None if tokens is None else {"output_tokens": tokens}],
                "input": doc["prompt"],
                **scored,
            }
        )
    return lines, {metric: rate(of_metric) for metric, of_metric in sorted(values.items())}


def _results(name: str, scores: Mapping[str, Mapping[str, Any]], matched: Matched) -> dict[str, Any]:
    counts = {task: len(matched.answers[task]) + len(matched.missing[task]) for task in scores}
    return {
        "results": {
            task: {"alias": task} | {f"{metric},none": value for metric, value in found.items()}
            for task, found in scores.items()
        },
        "configs": {task: {"task": task} for task in scores},
        "versions": {task: _version(matched.base_task_of.get(task, task)) for task in scores},
        "n-samples": {task: {"original": count, "effective": count} for task, count in counts.items()},
        "config": {"model": MODEL, "model_args": f"name={name.replace(',', ';')}", "limit": None},
        "model_name": name,
        "model_name_sanitized": slug(name),
        "date": time.time(),
    }


def _version(task_name: str | None) -> str:
    return task_parts(task_name)[0].version if task_name is not None else "own questions"


def _provenance(
    matched: Matched, sources: Sequence[Source], name: str, files: Mapping[str, str]
) -> dict[str, Any]:
    return {
        "schema": 1,
        "display_name": name,
        "command": ["safecot", "import", *(source.path.name for source in sources), "--name", name],
        "python": platform.python_version(),
        "packages": {"safecot-eval": __version__},
        "files": dict(files),
        "imported": {
            "from": [
                {"file": s.path.name, "sha256": s.sha256, "kind": s.kind, "answers": len(s.answers)}
                for s in sources
            ],
            "matched_by": dict(matched.how),
            "not_matched": len(matched.left),
            "without_answer": {task: len(ids) for task, ids in matched.missing.items()},
            "other_prompt": [
                t for t, task_name in matched.base_task_of.items() if task_name not in (t, None)
            ],
            "own_questions": [t for t, task_name in matched.base_task_of.items() if task_name is None],
        },
    }


def run_folder(output: Path, name: str) -> Path:
    """Where the runs of a model go."""
    return output / folder_name(name)


def free_timestamp(folder: Path) -> str:
    """The present time, or the next second that no run in the folder has."""
    moment = datetime.now(UTC)
    while any(folder.glob(f"{moment:%Y%m%d_%H%M%S}_*")):
        moment += timedelta(seconds=1)
    return f"{moment:%Y%m%d_%H%M%S}"


def _write(path: Path, text: str) -> str:
    """Write a file whole or not at all; returns its hash."""
    content = text.encode("utf-8", "surrogatepass")
    write_bytes(path, content)
    return sha256_of(content)
