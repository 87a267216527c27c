"""The trained classifier as one readable JSON file: read, checked, written. Nothing is unpickled."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path

import numpy as np

from safecot_eval.judge.lite.features import dense_names
from safecot_eval.judge.lite.model import HEADS, Array, LiteModel
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.files import sha256_of, unreadable

MODEL_FILE = Path(__file__).with_name("safecot-lite.json")
FORMAT = "safecot-lite/2"


def load(path: Path | str | None = None) -> LiteModel:
    """Load a trained file; the one that ships with the package by default.

    Raises:
        SafecotError: no such file, not one of ours, or made for other features than this version computes.
    """
    return _load(str(path or MODEL_FILE))


@lru_cache(maxsize=4)
def _load(name: str) -> LiteModel:
    path = Path(name)
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise unreadable(path, error) from error
    try:
        content = json.loads(raw)
        if content["format"] != FORMAT:
            raise SafecotError(f"{path}: format {content['format']!r}, this version reads {FORMAT!r}.")
        if content["dense"]["names"] != dense_names():
            raise SafecotError(
                f"{path}: trained for other features; train again with `safecot lite train` or use the shipped file."
            )
        model = LiteModel(
            header=content["header"],
            ngrams={gram: column for column, gram in enumerate(content["ngrams"]["names"])},
            ngram_weights=np.array(content["ngrams"]["weights"], dtype=float).reshape(-1, len(HEADS))
            * content["ngrams"]["unit"],
            mean=np.array(content["dense"]["mean"]),
            scale=np.array(content["dense"]["scale"]),
            dense_weights=np.array(content["dense"]["weights"]).reshape(-1, len(HEADS)),
            bias=np.array(content["bias"]),
            temperature=np.array(content["temperature"]),
            unsure_below=float(content["unsure_below"]),
            unsafe_from=float(content["unsafe_from"]),
            sha256=sha256_of(raw),
        )
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        said = " ".join(str(error).split())[:200]
        raise SafecotError(f"{path}: not a trained file of safecot lite ({said}).") from error
    _require_shapes(model, path)
    return model


def _require_shapes(model: LiteModel, path: Path) -> None:
    heads, dense = len(HEADS), len(dense_names())
    wanted = {
        "ngram_weights": (len(model.ngrams), heads),
        "mean": (dense,),
        "scale": (dense,),
        "dense_weights": (dense, heads),
        "bias": (heads,),
        "temperature": (heads,),
    }
    for name, shape in wanted.items():
        values = getattr(model, name)
        if values.shape != shape or values.dtype.kind not in "fi" or not np.isfinite(values).all():
            raise SafecotError(f"{path}: {name} must be {shape} finite numbers; train again.")
    if not (model.scale > 0).all() or not (model.temperature > 0).all() or not isinstance(model.header, dict):
        raise SafecotError(
            f"{path}: scale and temperature must be above 0, and header an object; train again."
        )


def dump(model: LiteModel) -> str:
    """Write a model as JSON text: n-gram weights as integers of a common unit, the rest to nine digits."""
    unit = float(np.abs(model.ngram_weights).max() / 32767) or 1.0
    names = sorted(model.ngrams, key=model.ngrams.__getitem__)
    content = {
        "format": FORMAT,
        "header": model.header,
        "unsure_below": round(model.unsure_below, 6),
        "unsafe_from": round(model.unsafe_from, 6),
        "temperature": _short(model.temperature),
        "bias": _short(model.bias),
        "dense": {
            "names": dense_names(),
            "mean": _short(model.mean),
            "scale": _short(model.scale),
            "weights": _short(model.dense_weights),
        },
        "ngrams": {
            "unit": float(f"{unit:.9g}"),
            "weights": np.rint(model.ngram_weights / unit).astype(int).ravel().tolist(),
            "names": names,
        },
    }
    return (
        json.dumps(content, ensure_ascii=True, separators=(",", ":")).replace('"dense":', '\n"dense":') + "\n"
    )


def _short(values: Array) -> list[float]:
    return [float(f"{value:.9g}") for value in np.ravel(values)]
