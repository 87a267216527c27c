"""A tool's file as rows, and the rows of one model where a file has those of several."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from safecot_eval.records.tables import Row
from safecot_eval.records.tables.delimited import plain_name
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.wording import counted


@dataclass
class Shaped:
    """A tool's file as rows.

    Attributes:
        kind: The tool.
        rows: ``prompt``, ``response`` and where known ``image``, ``id``, ``error`` and ``status``.
        models: Whose answers these are, as the file names them.
        notes: What was taken for what, and what was left out, one sentence each.
    """

    kind: str
    rows: list[Row] = field(default_factory=list)
    models: set[str] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)

    def add(self, number: int, model: Any, **cells: Any) -> None:
        """Add a row; ``model`` is whose answer it is, where the row says so."""
        known = model if isinstance(model, str) and model else None
        if known:
            self.models.add(known)
        self.rows.append((number, {**cells, "model": known}))


def keep(shaped: Shaped, model: str | None) -> None:
    """Leave the answers of one model."""
    shaped.rows, chosen = _rows_of(shaped.rows, "model", shaped.models, model, shaped.notes)
    shaped.models = {chosen}


_MODEL_COLUMNS = frozenset(
    {
        "model",
        "model_name",
        "model_id",
        "meta.model",
        "metadata.model",
        "modell",
        "modèle",
        "modelo",
        "modello",
    }
)


def one_model(rows: list[Row], model: str | None, notes: list[str]) -> tuple[list[Row], str | None]:
    """The rows of one model of a plain table, where a column of it names several.

    Args:
        rows: Of the table.
        model: Whose answers to take.
        notes: Gets a sentence on what is left out.

    Returns:
        The rows, and the chosen model; None where the table names one model at most.

    Raises:
        SafecotError: the table holds the answers of several models, and not of that one.
    """
    columns = dict.fromkeys(key for _, row in rows for key in row if plain_name(key) in _MODEL_COLUMNS)
    for column in columns:
        named = {name for _, row in rows if (name := _name(row.get(column)))}
        if len(named) > 1:
            return _rows_of(rows, column, named, model, notes)
    return rows, None


def _name(cell: Any) -> str:
    return cell.strip() if isinstance(cell, str) else ""


def _few(names: set[str]) -> str:
    return ", ".join(sorted(names)[:4]) + (", …" if len(names) > 4 else "")


def _rows_of(
    rows: list[Row], column: str, named: set[str], model: str | None, notes: list[str]
) -> tuple[list[Row], str]:
    if model is None or model not in named:
        raise SafecotError(
            f"the file holds answers of {len(named)} models ({_few(named)}); name one of them with --name"
        )
    kept = [(number, row) for number, row in rows if _name(row.get(column)) == model]
    left = len(rows) - len(kept)
    notes.append(f"{counted(left, 'answer')} of other models left out ({_few(named - {model})})")
    return kept, model
