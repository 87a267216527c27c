"""Results and samples as a data set for the Hugging Face hub: rates always, texts only when asked, harmful ones twice asked.

``rates.parquet`` has one row per model, task, evaluator and metric; ``outcomes/<model>.parquet`` one row per sample and
evaluator, without texts. With texts there is ``samples/<model>.parquet``: prompts and answers, by default only those of
items that should be answered. An item that should be refused, or answered with care, may hold a harmful request, and its
answer harmful advice; including them makes the card ask readers to accept conditions first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from safecot_eval.benchmarks.registry import task_parts
from safecot_eval.records.evaluator import Evaluator, Kind
from safecot_eval.records.run import Run
from safecot_eval.records.samples import Expectation
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.files import replacing_folder
from safecot_eval.util.hub import uploading
from safecot_eval.util.paths import folder_name
from safecot_eval.util.wording import counted

_OUTCOME = pa.schema(
    [
        ("model", pa.string()),
        ("task", pa.string()),
        ("sample_id", pa.string()),
        ("category", pa.string()),
        ("expectation", pa.string()),
        ("status", pa.string()),
        ("evaluator", pa.string()),
        ("label", pa.string()),
    ]
)
_RATE = pa.schema(
    [
        ("model", pa.string()),
        ("task", pa.string()),
        ("version", pa.string()),
        ("metric", pa.string()),
        ("evaluator", pa.string()),
        ("value", pa.float64()),
        ("low", pa.float64()),
        ("high", pa.float64()),
        ("n", pa.int64()),
        ("n_total", pa.int64()),
        ("method", pa.string()),
    ]
)
_TEXTS = ("sample_id", "category", "expectation", "status", "prompt", "reasoning", "answer")
_SAMPLE = pa.schema(
    [("model", pa.string()), ("task", pa.string()), *((name, pa.string()) for name in _TEXTS)]
)


def write(
    documents: Sequence[Mapping[str, Any]],
    folder: Path,
    *,
    runs: Sequence[Run] = (),
    harmful: bool = False,
    title: str = "Safety and over-refusal",
) -> dict[str, int]:
    """Write the data set's folder, whole or not at all.

    Args:
        documents: Submissions, one per model.
        folder: A folder that does not exist yet, or one that an earlier export wrote.
        runs: Runs whose texts go in; none for a data set without texts.
        harmful: Also the texts of items that should be refused or answered with care.
        title: Title of the card.

    Returns:
        How many ``rates``, ``outcomes`` and ``texts`` were written, and how many texts were ``withheld``.

    Raises:
        SafecotError: the folder holds something else, or cannot be written to.
    """
    marker = "rates.parquet"
    if folder.exists() and any(folder.iterdir()) and not (folder / marker).is_file():
        raise SafecotError(f"{folder}: the folder holds something else; name a new one.")
    counts = {"rates": 0, "outcomes": 0, "texts": 0, "withheld": 0}
    with replacing_folder(folder) as scratch:
        (scratch / "outcomes").mkdir()
        rates = [_rate(d, block, rate) for d in documents for block in d["tasks"] for rate in block["rates"]]
        counts["rates"] = len(rates)
        pq.write_table(pa.Table.from_pylist(rates, schema=_RATE), scratch / marker, compression="zstd")
        for number, document in enumerate(documents):
            rows = list(_outcomes(document))
            counts["outcomes"] += len(rows)
            path = scratch / "outcomes" / f"{number:03d}-{folder_name(document['model'])}.parquet"
            pq.write_table(pa.Table.from_pylist(rows, schema=_OUTCOME), path, compression="zstd")
        for number, run in enumerate(runs):
            (scratch / "samples").mkdir(exist_ok=True)
            rows = []
            for record in run.samples():
                if not harmful and record["expectation"] != Expectation.ANSWER:
                    counts["withheld"] += 1
                    continue
                texts = {name: _encodable(record[name]) for name in _TEXTS}
                rows.append({"model": run.model, "task": run.task, **texts})
            counts["texts"] += len(rows)
            path = scratch / "samples" / f"{number:03d}-{folder_name(run.model)}-{run.task}.parquet"
            pq.write_table(pa.Table.from_pylist(rows, schema=_SAMPLE), path, compression="zstd")
        (scratch / "README.md").write_text(_card(documents, title, runs, harmful, counts), encoding="utf-8")
    return counts


def upload(folder: Path, repository: str, *, public: bool = False) -> str:
    """Upload a data set's folder to the hub that ``HF_ENDPOINT`` names, as the user who is logged in there.

    Args:
        folder: See :func:`write`.
        repository: ``owner/name``.
        public: Everybody may see it; private otherwise.

    Returns:
        Its address.

    Raises:
        SafecotError: the package is not installed, nobody is logged in, or the hub refused.
    """
    with uploading(repository) as api:
        address = api.create_repo(repository, repo_type="dataset", private=not public, exist_ok=True)
        api.upload_folder(
            folder_path=str(folder),
            repo_id=repository,
            repo_type="dataset",
            commit_message="Upload safety and over-refusal results",
            delete_patterns=["rates.parquet", "outcomes/*.parquet", "samples/*.parquet"],
        )
    return str(address)


def _rate(document: Mapping[str, Any], block: Mapping[str, Any], rate: Mapping[str, Any]) -> dict[str, Any]:
    return {"model": document["model"], "task": block["task"], "version": block["version"], **rate}


def _outcomes(document: Mapping[str, Any]) -> Iterable[dict[str, Any]]:
    for block in document["tasks"]:
        columns = block["columns"]
        shown = [e for e in block["evaluators"] if Evaluator.parse(e["name"]).kind is not Kind.ALTERNATIVE]
        for row, name in enumerate(columns["id"]):
            head = {
                "model": document["model"],
                "task": block["task"],
                "sample_id": name,
                "category": block["categories"][columns["category"][row]],
                "expectation": document["codes"]["expectation"][columns["expectation"][row]],
                "status": document["codes"]["status"][columns["status"][row]],
            }
            for entry in shown:
                code = entry["codes"][row]
                label = entry["labels"][code] if code >= 0 else None
                yield {**head, "evaluator": entry["name"], "label": label}


def _card(
    documents: Sequence[Mapping[str, Any]],
    title: str,
    runs: Sequence[Run],
    harmful: bool,
    counts: Mapping[str, int],
) -> str:
    tasks = sorted({block["task"] for document in documents for block in document["tasks"]})
    configs = [
        {"config_name": "rates", "data_files": "rates.parquet", "default": True},
        {"config_name": "outcomes", "data_files": "outcomes/*.parquet"},
    ]
    header: dict[str, Any] = {"pretty_name": title, "tags": ["safety", "over-refusal", "safecot-eval"]}
    if runs:
        configs.append({"config_name": "samples", "data_files": "samples/*.parquet"})
    header["configs"] = configs
    if runs and harmful:
        header["extra_gated_prompt"] = (
            "This data set holds harmful requests and answers to them. It is for research on safety; do not use it to "
            "cause harm, and keep to the licences of the benchmarks below."
        )
        header["extra_gated_fields"] = {"I accept these conditions": "checkbox"}
        header["tags"] = [*header["tags"], "not-for-all-audiences"]
    lines = [
        "---",
        yaml.safe_dump(header, sort_keys=False, allow_unicode=True).rstrip(),
        "---",
        f"# {title}",
        "",
    ]
    lines += ["Results of vision-language models, measured with safecot-eval.", ""]
    lines += ["| Task | Benchmark | Licence of its prompts and pictures |", "|--|--|--|"]
    for task in tasks:
        try:
            benchmark, _ = task_parts(task)
            lines.append(f"| {task} | {benchmark.title} | {benchmark.licence} |")
        except SafecotError:
            lines.append(f"| {task} | | |")
    if runs:
        lines += ["", f"`samples` holds the texts of {counted(counts['texts'], 'answer')}."]
        if counts["withheld"]:
            lines += [
                f"The texts of {counted(counts['withheld'], 'item')} that should be refused are withheld."
            ]
        lines += ["Prompts are the benchmarks' own and keep their licences."]
    else:
        lines += ["", "There are no prompts and no answers in it."]
    return "\n".join(lines) + "\n"


def _encodable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
