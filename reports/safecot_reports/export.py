"""The leaderboard's numbers for other programs: CSV, JSON, Markdown, LaTeX, Parquet; a badge; a model card block."""

from __future__ import annotations

import csv
import io
import re
from typing import Any
from xml.sax.saxutils import escape

from safecot_eval.util.errors import SafecotError
from safecot_reports.build import to_json

COLUMNS = ("model", "task", "apart", "metric", "evaluator", "value", "low", "high", "n", "n_total", "method")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_LATEX = {c: f"\\{c}" for c in "&%$#_{}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
}
_CONTROL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


def export(data: dict[str, Any], kind: str) -> bytes:
    """Write the numbers of the page as ``csv``, ``json``, ``md``, ``latex`` or ``parquet``.

    >>> export({"cells": []}, "csv").decode().strip()
    'model,task,apart,metric,evaluator,value,low,high,n,n_total,method'
    """
    if kind == "json":
        return (to_json(data) + "\n").encode()
    cells = data["cells"]
    if kind == "parquet":
        return _parquet(cells)
    writers = {"csv": _csv, "md": _markdown, "latex": _latex}
    return writers[kind](cells).encode("utf-8")


def plain(value: Any) -> str:
    r"""Text without control characters, bidi overrides or lone surrogates: safe in a terminal and in a table.

    >>> plain("a\x1b[31mb")
    'a�[31mb'
    """
    return _CONTROL.sub("\ufffd", str(value))


def guarded(value: Any) -> Any:
    """A CSV cell that a spreadsheet cannot take for a formula.

    >>> guarded("=1+1"), guarded(-0.5)
    ("'=1+1", -0.5)
    """
    if not isinstance(value, str):
        return value
    text = plain(value) if not value.startswith(("\t", "\r")) else "'" + plain(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def percent(cell: dict[str, Any]) -> str:
    """A cell for people: ``42.0 [35.1, 49.3]`` in per cent, or tokens as they are."""
    if cell["value"] is None:
        return "—"
    if cell["metric"] == "tokens":
        return f"{cell['value']:.0f}"
    return f"{100 * cell['value']:.1f} [{100 * cell['low']:.1f}, {100 * cell['high']:.1f}]"


def badge(data: dict[str, Any], model: str, metric: str = "balanced") -> str:
    """An SVG badge with a model's rate and interval.

    Raises:
        SafecotError: there is no such number.
    """
    found = [
        c for c in data["cells"] if c["model"] == model and c["metric"] == metric and c["value"] is not None
    ]
    if not found:
        raise SafecotError(f"No {metric} for {plain(model)}: a badge needs a model and a metric of the page.")
    left = f"SafeCoT {data['metrics'][metric]['title']}"
    right = f"{100 * found[0]['value']:.1f} % (n={found[0]['n']})"
    a, b = 7 * len(left) + 12, 7 * len(right) + 12
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{a + b}" height="20" role="img" '
        f'aria-label="{escape(left)}: {escape(right)}"><title>{escape(left)}: {escape(right)}</title>'
        f'<rect width="{a}" height="20" fill="#3b4252"/><rect x="{a}" width="{b}" height="20" fill="#0b6e6e"/>'
        f'<g fill="#fff" font-family="Verdana,sans-serif" font-size="11" text-anchor="middle">'
        f'<text x="{a / 2}" y="14">{escape(left)}</text><text x="{a + b / 2}" y="14">{escape(right)}</text></g></svg>\n'
    )


def model_index(data: dict[str, Any], model: str) -> dict[str, Any]:
    """The ``model-index`` block of a Hugging Face model card, as a dict for YAML.

    Raises:
        SafecotError: the model is not among the runs.
    """
    cells = [
        c for c in data["cells"] if c["model"] == model and c["value"] is not None and c["metric"] != "tokens"
    ]
    if not cells:
        names = ", ".join(plain(entry["name"]) for entry in data["models"])
        raise SafecotError(f"There is no model {plain(model)!r} in these runs; there are: {names}.")
    titles = {task["task"]: task["title"] for task in data["tasks"]}
    results = []
    for task in sorted({cell["task"] for cell in cells if cell["task"] in titles}):
        metrics = [
            {
                "type": cell["metric"],
                "name": plain(
                    " ".join((data["metrics"][cell["metric"]]["title"], cell["evaluator"])).strip()
                ),
                "value": round(100 * cell["value"], 2),
                "verified": False,
                "args": {
                    "low": round(100 * cell["low"], 2),
                    "high": round(100 * cell["high"], 2),
                    "n": cell["n"],
                },
            }
            for cell in cells
            if cell["task"] == task
        ]
        head = {
            "task": {"type": "image-text-to-text"},
            "dataset": {"type": task, "name": plain(titles[task])},
        }
        results.append(head | {"metrics": metrics})
    return {"model-index": [{"name": plain(model), "results": results}]}


def _csv(cells: list[dict[str, Any]]) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([guarded(cell[name]) for name in COLUMNS] for cell in cells)
    return stream.getvalue()


def _markdown(cells: list[dict[str, Any]]) -> str:
    def safe(value: Any) -> str:
        text = escape(plain(value).replace("\n", " "))
        return re.sub(r"([\\`*_\[\]|])", r"\\\1", text)

    lines = ["| Model | Task | Metric | Evaluator | Value [95 %] | n |", "|--|--|--|--|--:|--:|"]
    for c in cells:
        head = (safe(c["model"]), safe(c["task"]), safe(c["metric"]), safe(c["evaluator"]))
        lines.append(f"| {' | '.join(head)} | {percent(c)} | {c['n']}/{c['n_total']} |")
    return "\n".join(lines) + "\n"


def _latex(cells: list[dict[str, Any]]) -> str:
    def safe(value: Any) -> str:
        return "".join(_LATEX.get(char, char) for char in plain(value).replace("\n", " "))

    lines = [
        r"\begin{tabular}{llllrr}",
        r"\hline",
        r"Model & Task & Metric & Evaluator & Value & n \\",
        r"\hline",
    ]
    for c in cells:
        head = " & ".join(safe(c[name]) for name in ("model", "task", "metric", "evaluator"))
        lines.append(f"{head} & {percent(c).replace('—', '--')} & {c['n']} \\\\")
    return "\n".join([*lines, r"\hline", r"\end{tabular}"]) + "\n"


def _parquet(cells: list[dict[str, Any]]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {
        name: [plain(c[name]) if isinstance(c[name], str) else c[name] for c in cells] for name in COLUMNS
    }
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(columns), sink)
    return bytes(sink.getvalue().to_pybytes())
