"""Recorded runs: upstream shards to ``<base>__<training>__<test>.jsonl``, and ``manifest.json``."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from safecot_eval.benchmarks.data.reading import read_json, read_text
from safecot_eval.benchmarks.data.safecot_history.layout import Files, asked
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.files import write_bytes

BASES = {
    "SmolVLM": "SmolVLM-Instruct",
    "llama_11b": "Llama-3.2-11B-Vision-Instruct",
    "llava1.5_7b": "llava-v1.6-mistral-7b-hf",
    "qwen_7b_vl": "Qwen2-VL-7B-Instruct",
}
"""Base models by their recorded short names, after the model map of the recorded code."""
SCORES = ("eval_template_score.txt", "final_scores.txt", "tmp_scores.txt")
_RUN = re.compile(
    r"(?:^|/)logs/sft_answer/model:sft_mllm_(?P<base>[^/]+)/train:(?P<training>[^/]+)/test:(?P<test>[^/]+)/(?P<file>[^/]+)$"
)
_SHARD = re.compile(r"^(?P<number>\d{5})-(?P<count>\d{5})\.json$")
_USUAL_DATA = "mmsafetybench+sharedgpt4v_"
Run = tuple[str, str, str]
"""Base, training and test as upstream spells them."""


def convert_runs(files: Files, target: Path) -> list[Path]:
    """Write every run as ``<base>__<training>__<test>.jsonl``, and ``manifest.json`` with what stood beside them.

    Returns:
        The runs' files.

    Raises:
        SafecotError: there are no runs, or one has another form.
    """
    runs: defaultdict[Run, dict[str, Path]] = defaultdict(dict)
    for name, path in files.items():
        if found := _RUN.search(name):
            runs[found["base"], found["training"], found["test"]][found["file"]] = path
    written: list[Path] = []
    manifest: list[dict[str, Any]] = []
    for run in sorted(runs, key=lambda run: (run[0], _training(run[1]), run[2])):
        shards = _shards(runs[run], run)
        if not shards:
            continue
        lines = [line for _, path in shards for line in _lines(path)]
        content = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        written.append(target / _file_name(run))
        write_bytes(written[-1], content.encode("utf-8", "surrogatepass"))
        manifest.append(_entry(run, runs[run], shards, lines))
    if not written:
        raise SafecotError(
            "logs/sft_answer holds no runs of vision-language models; is this the commit eafa278?"
        )
    write_bytes(target / "manifest.json", f"{json.dumps(manifest, indent=1, ensure_ascii=False)}\n".encode())
    return written


def _file_name(run: Run) -> str:
    base, training, test = run
    return f"{base}__{_training(training).replace(':', '-')}__{test}.jsonl"


def _training(upstream: str) -> str:
    return upstream.removeprefix(_USUAL_DATA)


def _shards(there: Files, run: Run) -> list[tuple[int, Path]]:
    """The shards of a run by number; some may be lost, but they are of one division."""
    found = {name: match for name in there if (match := _SHARD.match(name))}
    divisions = sorted({int(match["count"]) for match in found.values()})
    if len(divisions) > 1:
        several = " and ".join(map(str, divisions))
        raise SafecotError(
            f"{'/'.join(run)}: has shards of {several}; two runs lie in one folder, remove one of them."
        )
    return sorted((int(match["number"]), there[name]) for name, match in found.items())


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    content = read_json(path)
    if not isinstance(content, list):
        raise SafecotError(f"{path}: a list of answers was expected, not {type(content).__name__}.")
    for number, item in enumerate(content):
        where = f"{path}, answer {number}"
        if not isinstance(item, dict) or not all(
            isinstance(item.get(key), str) for key in ("question", "answer", "image", "label")
        ):
            raise SafecotError(f"{where}: question, answer, image and label were expected.")
        turn = asked(item["question"], where)
        line = {
            "question": turn["question"],
            "image": "/".join(PurePosixPath(item["image"]).parts[-2:]),
            "label": item["label"],
            "answer": item["answer"],
            "prompt": turn["prompt"],
        }
        if "safe_prob" in item:
            line["judge_accept_probability"] = item["safe_prob"]
        yield line


def _entry(
    run: Run, there: Files, shards: list[tuple[int, Path]], lines: list[dict[str, Any]]
) -> dict[str, Any]:
    base, training, test = run
    of = next(int(match["count"]) for name in there if (match := _SHARD.match(name)))
    unsafe = sum(line["label"] == "unsafe" for line in lines)
    return {
        "file": _file_name(run),
        "base": BASES.get(base, base),
        "train": _training(training),
        "test": test,
        "items": len(lines),
        "shards": f"{len(shards)} of {of}",
        "judged": sum("judge_accept_probability" in line for line in lines),
        "unsafe": unsafe,
        "safe": len(lines) - unsafe,
        "recorded": {name: read_text(there[name]).strip() for name in SCORES if name in there},
    }
