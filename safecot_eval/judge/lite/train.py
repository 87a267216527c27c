"""Train safecot-lite: six logistic heads, each with penalty and calibration from left-out models.

Deterministic: the same data give the same file, byte for byte (on the same numerical libraries).
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from safecot_eval.judge.lite.corpus import Corpus, make_corpus
from safecot_eval.judge.lite.data import Labelled
from safecot_eval.judge.lite.evaluate import for_harm
from safecot_eval.judge.lite.fit import fit, prepare
from safecot_eval.judge.lite.model import HEADS, Head, LiteModel
from safecot_eval.judge.lite.tune import Tuned, tune

VERSION = "2"
ATTRIBUTION = (
    "Weights derived from human labels and answers in XSTest (Roettger, Kirk, Vidgen, Attanasio, Bianchi, Hovy; NAACL "
    "2024; github.com/paul-rottger/xstest) and MSTS (Roettger et al., 2025, arXiv 2501.10057; "
    "github.com/paul-rottger/msts-multimodal-safety), both CC BY 4.0, in PyRIT's scorer evaluations (Microsoft; MIT), and "
    "from texts written for safecot-eval. Changes: reduced to weights of word n-grams and cue counts."
)
MACHINE = (
    "The heads 'machine' and 'kind' are derived from answers and from Meta-Llama-3-8B-Instruct's probabilities (a machine's "
    "opinion, not people's) in SafeCoT's recorded runs (github.com/mjc-ma-01/mllm-safety-cot, eafa278, no licence stated): "
    "facts about n-grams, no text."
)


def train(rows: Sequence[Labelled]) -> LiteModel:
    """Tune every head by leaving models out, then fit it on all rows; about two minutes on one core.

    Args:
        rows: Human-labelled answers, as :func:`safecot_eval.judge.lite.data.load` reads them.
    """
    return train_on(make_corpus(rows))


def train_on(corpus: Corpus) -> LiteModel:
    """:func:`train`, from features already computed."""
    tuned = [tune(for_harm(corpus) if head is Head.HARM else corpus, head) for head in Head]
    prepared = prepare(corpus)
    heads = [fit(corpus, head, tuned[head].strength, prepared) for head in Head]
    return LiteModel(
        header=header(corpus, tuned),
        ngrams={corpus.grams[column]: row for row, column in enumerate(prepared.columns)},
        ngram_weights=np.stack([head.ngram_weights for head in heads], axis=1),
        mean=prepared.mean,
        scale=prepared.scale,
        dense_weights=np.stack([head.dense_weights for head in heads], axis=1),
        bias=np.array([head.bias for head in heads]),
        temperature=np.array([choice.temperature for choice in tuned]),
        unsure_below=tuned[Head.PEOPLE].unsure_below,
        unsafe_from=tuned[Head.HARM].positive_from,
    )


def data_digest(rows: Sequence[Labelled]) -> str:
    """SHA-256 of everything that is learned from, invented answers included."""
    digest = hashlib.sha256()
    for row in rows:
        content = (row.source, row.model, row.prompt, row.answer, row.label, row.bare, row.judged, row.unsafe)
        digest.update(repr(content).encode("utf-8", "replace"))
    return digest.hexdigest()


def header(corpus: Corpus, tuned: Sequence[Tuned]) -> dict[str, Any]:
    """Provenance that travels inside the trained file."""
    counts = Counter(f"{row.source}/{row.model}" for row in corpus.rows)
    return {
        "name": "safecot-lite",
        "version": VERSION,
        "license": "CC-BY-4.0",
        "attribution": ATTRIBUTION,
        "machine_labels": MACHINE,
        "trained_on": dict(sorted(counts.items())),
        "data_sha256": data_digest(corpus.rows),
        "settings": {
            name: {"strength": choice.strength, "left_out_log_loss": _finite(choice.loss)}
            for name, choice in zip(HEADS, tuned, strict=True)
        },
    }


def _finite(loss: float) -> float | None:
    return None if math.isnan(loss) else round(loss, 4)
