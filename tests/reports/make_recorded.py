"""Published answers of real models as run folders, with their human labels and recorded judges beside them.

``SAFECOT_DATA_DIR=… python -m tests.reports.make_recorded FOLDER``. The answers go through the same scoring as a run of
lmms-eval; only lmms-eval itself is left out, so that the page can be tried without it.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from safecot_eval.benchmarks import registry
from safecot_eval.judge.meta_evaluation.label_sets import SETS
from safecot_eval.records.samples import sample_id
from safecot_eval.util import paths
from tests.conftest import make_doc, write_run

_STAMP = "20260101_000000"
Label = tuple[str, str, str, str, str]


def make_recorded(folder: Path) -> Path:
    """Write the runs of XSTest (three LLMs) and MSTS (six VLMs)."""
    root = paths.data_dir()
    assert root is not None
    for name in ("xstest", "msts"):
        labels: defaultdict[str, list[Label]] = defaultdict(list)
        for label in labels_of(name, root / name):
            labels[label[0]].append(label)
        write_benchmark(folder / name, registry.load(name), root / name, labels)
    return folder


def write_benchmark(
    folder: Path, benchmark: registry.Benchmark, root: Path, labels: dict[str, list[Label]]
) -> None:
    """One run per model that has answers."""
    docs = {}
    for item in benchmark.items("", root):
        docs[item.item_id] = make_doc(
            sample_id=sample_id(benchmark.name, item.item_id, item.prompt, []),
            item_id=item.item_id,
            benchmark=benchmark.name,
            benchmark_version=benchmark.version,
            category=item.category,
            cluster_id=item.cluster_id or item.item_id,
            pair_id=item.pair_id,
            expectation=item.expectation.value,
            prompt=item.prompt,
            image_source=item.image_source.value,
            data_revision=benchmark.revision,
            rubrics=list(benchmark.rubrics),
        )
    answers: defaultdict[str, list[tuple[dict[str, Any], str]]] = defaultdict(list)
    assert benchmark.recorded is not None
    for model, item_id, response in benchmark.recorded(root):
        answers[model].append((docs[item_id], response))
    task = benchmark.task_name("")
    for model, of_model in sorted(answers.items()):
        write_run(folder / model, of_model, model=model, task=task, timestamp=_STAMP, output_tokens=None)
        by_judge: defaultdict[str, list[dict[str, str]]] = defaultdict(list)
        for _, item_id, judge, rubric, label in labels[model]:
            line = {"sample_id": docs[item_id]["sample_id"], "task": task, "stamp": _STAMP, "judge": judge}
            by_judge[judge].append(line | {"rubric": rubric, "label": label})
        (folder / model / "verdicts").mkdir(exist_ok=True)
        for judge, lines in by_judge.items():
            path = folder / model / "verdicts" / f"{judge.replace(':', '-')}.jsonl"
            path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def labels_of(name: str, root: Path) -> Iterator[Label]:
    """People's labels and some of the recorded judges'."""
    judges = ("gpt-4-recorded", "Llama-Guard-3-11B-Vision", "gemini-1.5-pro", "claude-3-5-sonnet-20240620")
    labels = SETS[name]
    for row in labels.read(root):
        yield row.model, row.item_id, labels.human, labels.rubric, row.human
        for judge in judges:
            if judge in row.recorded:
                yield row.model, row.item_id, judge, labels.rubric, row.recorded[judge]


if __name__ == "__main__":
    print(make_recorded(Path(sys.argv[1])))
