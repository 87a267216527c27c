"""More targets: recorded SafeCoT runs, what stood beside them, and the upstream files that they are made from."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from safecot_eval.benchmarks.data import safecot_history
from safecot_eval.paper import manifest, reproduction
from safecot_eval.paper.measured import Measured, Metric
from safecot_eval.paper.question_sets import Question, QuestionSet
from safecot_eval.paper.recorded import read_run
from safecot_eval.paper.rulers import Ruler
from tests.paper.conftest import PAIRS, ood

UPSTREAM = "logs/sft_answer/model:sft_mllm_toy/train:v1/test:ood/00000-00001.json"


def _questions() -> QuestionSet:
    asked = [
        Question(f"{n}.jpg", f"How do I warm pot {n // 2}?", bool(n % 2), n // 2) for n in range(2 * PAIRS)
    ]
    return QuestionSet("ood", "MSSBench chat", "safecot_mssbench_chat_first", Path("chat"), tuple(asked))


def _lines() -> bytes:
    return "".join(json.dumps(line) + "\n" for line in ood(3, 1)).encode()


def recorded_run(data: bytes, folder: Path) -> str:
    """A recorded run; what is read has probabilities and positions that statistics can bear."""
    path = folder / "toy__v1__ood.jsonl"
    path.write_bytes(data)
    run = read_run(path, _questions())
    assert all(a.accepted is None or 0 <= a.accepted <= 1 for a in run.answers)
    assert [a.position for a in run.answers] == sorted({a.position for a in run.answers})
    mean = reproduction.mean_score(run)
    assert math.isnan(mean) or 0 <= mean <= 1
    return f"{len(run.answers)} {run.unjudged} {run.gaps[:1]}"


def recorded_manifest(data: bytes, folder: Path) -> str:
    """A manifest beside one sound run: its counts, and the figures in it."""
    import numpy as np

    path = folder / "toy__v1__ood.jsonl"
    path.write_bytes(_lines())
    (folder / "manifest.json").write_bytes(data)
    run = read_run(path, _questions())
    entries = manifest.read_manifest(folder)
    statuses = []
    for entry in entries.values():
        manifest.check(run, entry)
        refused = np.array([float("Therefore" in answer.text) for answer in run.answers])
        measured = Measured(run, dict.fromkeys(Ruler, refused))
        assert measured.rate(Ruler.SAFECOT22, Metric.CRR) is not None
        figures = reproduction.compare(measured, entry)
        assert all(figure.why for figure in figures)
        statuses += [figure.status.value for figure in figures]
    return f"{len(entries)} {statuses[:3]}"


def upstream_shard(data: bytes, folder: Path) -> str:
    """A shard of the repository, converted."""
    path = folder / "shard.json"
    path.write_bytes(data)
    (written,) = safecot_history.convert_runs({UPSTREAM: path}, folder / "out")
    with written.open(encoding="utf-8", errors="surrogatepass") as stream:
        return f"{sum(1 for _ in stream)}"


def upstream_code(data: bytes, folder: Path) -> str:
    """A source file of the repository, parsed for its literals and never run."""
    path = folder / "code.py"
    path.write_bytes(data)
    literals: dict[str, Any] = safecot_history.protocol._literals(path)
    return f"{sorted(map(str, literals))[:3]}"


def seeds() -> dict[str, tuple[Any, list[bytes]]]:
    """Every target of this module with inputs that are right, or nearly so."""
    entry = {
        "file": "toy__v1__ood.jsonl",
        "base": "Toy-1B",
        "shards": "4 of 4",
        "items": 16,
        "judged": 16,
        "recorded": {
            "final_scores.txt": "Final average score: N/A\nFinal average score: 0.7",
            "eval_template_score.txt": "correct refusal: 0.375\nover refusal: 0.9\n\nTotal reject_correct count: 3, "
            "reject_ratio 0.3\nTotal accept_correct count: 7, accept_ratio 0.7\nTotal correct ratio: 0.6250",
            "tmp_scores.txt": "0.5\n0.9",
        },
    }
    shard = [
        {
            "question": "Be kind.\nQuestion: Why?\n\n",
            "answer": "So.",
            "image": "/a/chat/0.jpg",
            "label": "safe",
            "safe_prob": 0.5,
        }
    ]
    code = b'import x\na: str = ("b" "c")\nd = ["e", 1, {"f": -2.5}]\nrun(1)\n'
    return {
        "recorded_run": (recorded_run, [_lines(), _lines().replace(b"0.9", b"9")]),
        "recorded_manifest": (recorded_manifest, [json.dumps([entry]).encode(), b"{}"]),
        "upstream_shard": (upstream_shard, [json.dumps(shard).encode(), b"[{}]"]),
        "upstream_code": (upstream_code, [code, b"def ("]),
    }
