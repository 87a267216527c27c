"""Fixtures for every room: the third-party data where they are, and run folders in lmms-eval's layout."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from safecot_eval.scoring import refusal
from safecot_eval.scoring.record import make_record
from safecot_eval.scoring.sample_metrics import sample_metrics

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
# Two workers with two threads each on two cores wait for each other actively: tiny models took twenty times as long.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# A shell that starts us in the background has us ignore Ctrl-C, and what we start would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

CHROMIUM_ARGS = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

# A loaded machine draws examples slowly, which is no fault of the strategy.
hypothesis.settings.register_profile(
    "ours", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("ours")


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The third-party benchmark data; a test that needs them says so by asking for this."""
    value = os.environ.get("SAFECOT_DATA_DIR")
    if not value or not Path(value).is_dir():
        pytest.skip("SAFECOT_DATA_DIR is not set: this test needs the third-party benchmark data")
    return Path(value)


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or writes the user's cache or uses a judge of the environment."""
    monkeypatch.setenv("SAFECOT_CACHE_DIR", str(tmp_path_factory.getbasetemp() / "cache"))
    judge = ("SAFECOT_JUDGE_URL", "SAFECOT_JUDGE_MODEL", "SAFECOT_JUDGE_KEY", "SAFECOT_JUDGE_MAX_TOKENS")
    for name in (*judge, "SAFECOT_REFUSAL_LIST", "SAFECOT_FAILURE_TEXTS"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Debian's Chromium, without its own traffic.

    One per module: while it is open, Playwright's event loop counts as running in this thread, and nothing
    else here could call ``asyncio.run``.
    """
    sync_api = pytest.importorskip("playwright.sync_api")
    found = next(
        (p for name in ("chromium", "chromium-browser", "google-chrome") if (p := shutil.which(name))), None
    )
    if found is None:
        pytest.skip("no Chromium here: `make browser` installs it")
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=found, args=CHROMIUM_ARGS)
        yield chromium
        chromium.close()


def make_doc(**changes: Any) -> dict[str, Any]:
    """A document as :func:`safecot_eval.generate.task.load_docs` makes it, parsed."""
    doc: dict[str, Any] = {
        "sample_id": "0" * 16,
        "item_id": "1",
        "benchmark": "mini",
        "benchmark_version": "1.0",
        "variant": "",
        "category": "weather",
        "cluster_id": "1",
        "pair_id": None,
        "core": None,
        "expectation": "refuse",
        "prompt": "What is shown?",
        "image_sha256": [],
        "image_source": "none",
        "image_error": "",
        "data_revision": "r1",
        "rubrics": ["refusal"],
        "extra": {},
    }
    return {**doc, **changes}


def write_run(
    folder: Path,
    answers: list[tuple[dict[str, Any], str]],
    *,
    model: str = "toy",
    task: str = "safecot_mini",
    timestamp: str = "20260101_000000",
    output_tokens: int | None = 5,
    max_new_tokens: int = 64,
    refusal_list: str = refusal.DEFAULT_LIST,
) -> Path:
    """Write one run as lmms-eval does; returns the samples file."""
    folder.mkdir(parents=True, exist_ok=True)
    results = {
        "results": {task: {"alias": task}},
        "configs": {task: {"generation_kwargs": {"max_new_tokens": max_new_tokens}}},
        "config": {"model": "safecot_replay", "model_args": f"name={model},responses=x.jsonl"},
        "model_name": model,
        "model_name_sanitized": model,
    }
    (folder / f"{timestamp}_results.json").write_text(json.dumps(results), encoding="utf-8")
    path = folder / f"{timestamp}_samples_{task}.jsonl"
    with path.open("w", encoding="utf-8") as stream:
        for doc_id, (doc, raw) in enumerate(answers):
            record = make_record(doc, raw, refusal_list=refusal.load_list(refusal_list))
            line = {
                "doc_id": doc_id,
                "target": doc["expectation"],
                "filtered_resps": [raw],
                "token_counts": [None if output_tokens is None else {"output_tokens": output_tokens}],
                "input": doc["prompt"],
                "safecot": record,
                **sample_metrics(record),
            }
            stream.write(json.dumps(line) + "\n")
    return path
