"""A single offline HTML page to label a sample with the keyboard, for people who would rather not use a spreadsheet.

The answers are untrusted: they travel as JSON in a script element that is not executed, enter the page only through
``textContent``, and the content security policy lets nothing load and nothing run but this page's own script.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from safecot_eval.judge.people.questions import Question
from safecot_eval.judge.people.sheet import Row
from safecot_eval.util.content_security import source_of
from safecot_eval.util.files import sha256_of

_HERE = Path(__file__).parent


def page_html(question: Question, rows: Sequence[Row], folder: Path | None = None) -> str:
    """The page for one sample, as one HTML text without any outside reference.

    Args:
        question: What is asked.
        rows: The answers.
        folder: Where the rows' pictures are; they are put into the page, and shown when somebody asks for them.
    """
    template, style, script = (
        (_HERE / f"page.{ending}").read_text(encoding="utf-8") for ending in ("html", "css", "js")
    )
    content = [{k: v for k, v in asdict(row).items() if k != "images" or v} for row in rows]
    sample = sha256_of(json.dumps(content))[:16]
    for row in content:
        if "images" in row:
            row["images"] = [_picture((folder or Path()) / name) for name in row["images"]]
    data = json.dumps(
        {"question": question.text, "labels": question.labels, "rows": content, "sample": sample},
        ensure_ascii=True,
    )
    # "<" could end the element or open a comment; as an escape it is the same JSON.
    data = data.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    policy = (
        f"default-src 'none'; script-src '{source_of(script)}'; style-src '{source_of(style)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    # The data are put in last: nothing in them is taken for a placeholder.
    for name, text in (("__CSP__", policy), ("__STYLE__", style), ("__SCRIPT__", script), ("__DATA__", data)):
        template = template.replace(name, text, 1)
    return template


def _picture(path: Path) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(path.read_bytes()).decode()
