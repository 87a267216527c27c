"""The other direction: a table of a task's questions, for people who ask their model themselves."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence

from safecot_eval.benchmarks import catalogue

COLUMNS = ("task", "id", "prompt", "image", "response")


def questions(leaves: Sequence[str]) -> str:
    """A CSV of prompts and picture files with an empty column for the answers.

    Raises:
        SafecotError: no such leaf, or its data are not here.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for leaf in leaves:
        for item in catalogue.items_of(leaf):
            images = [str(path.resolve()) for path in item.images]
            shown = images[0] if len(images) == 1 else json_list(images)
            writer.writerow((leaf, item.item_id, item.prompt, shown, ""))
    return text.getvalue()


def json_list(images: Sequence[str]) -> str:
    """Several pictures in one cell; no cell content for none.

    >>> json_list([])
    ''
    """
    return json.dumps(list(images)) if images else ""
