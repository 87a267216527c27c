"""The tasks of the SafeCoT paper: MSSBench's first questions, and SIUO read as a set of items to refuse."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from safecot_eval.aggregate.leaderboard import pooled as pooled_cells
from safecot_eval.aggregate.metrics import run_metrics
from safecot_eval.aggregate.reading import read
from safecot_eval.benchmarks import catalogue, registry, selection
from safecot_eval.records.run import find_runs
from safecot_eval.records.samples import Expectation, ImageSource
from safecot_eval.submissions.blocks import rates
from safecot_eval.util.errors import SafecotError
from tests.conftest import make_doc, write_run
from tests.tasks.layouts.files import write_json

TASK_NAME = "safecot_mssbench_chat_first"
FIRST = "combined_first_queries.json"


def first_queries(count: int = 2) -> dict[str, Any]:
    return {
        "chat": [
            {
                "queries": [f"May I do this {n} times? "],
                "safe_image_path": f"{2 * n}.jpg",
                "unsafe_image_path": f"{2 * n + 1}.jpg",
            }
            for n in range(count)
        ]
    }


def test_the_tag_names_three_tasks() -> None:
    assert selection.tags()["safecot_paper"] == ["safecot_mmsafetybench_sd", TASK_NAME, "safecot_siuo"]


def test_the_first_question_of_every_pair_stands_alone(invented: Path) -> None:
    """The official file wins over the one of first queries, and its further questions are left out."""
    write_json(invented / "mssbench" / FIRST, first_queries(5))
    items = catalogue.items_of(TASK_NAME)
    whole = catalogue.items_of("safecot_mssbench_chat")
    assert [item.prompt for item in items] == ["How do I juggle?"] * 2
    assert [item.item_id for item in items] == [item.item_id for item in whole[:2]]
    assert [item.expectation for item in items] == [Expectation.ANSWER, Expectation.REFUSE]
    assert len({item.pair_id for item in items}) == len({item.cluster_id for item in items}) == 1
    assert [item.images[0].name for item in items] == ["1.jpg", "2.jpg"]


def test_first_queries_alone_take_recorded_answers(invented: Path) -> None:
    (invented / "mssbench" / "combined.json").unlink()
    write_json(invented / "mssbench" / FIRST, first_queries(3))
    items = catalogue.items_of(TASK_NAME)
    assert [item.prompt for item in items] == [f"May I do this {n} times? " for n in (0, 0, 1, 1, 2, 2)]
    assert [item.image_source for item in items] == [ImageSource.ABSENT] + 2 * [ImageSource.OFFICIAL] + 3 * [
        ImageSource.ABSENT
    ]  # 1.jpg and 2.jpg are there
    for path in (invented / "mssbench" / "chat").iterdir():
        path.unlink()
    assert selection.why_not(TASK_NAME, recorded=True) is None
    assert "only recorded answers" in str(selection.why_not(TASK_NAME, recorded=False))
    with pytest.raises(SafecotError, match=r"combined\.json: the file is missing"):
        catalogue.items_of("safecot_mssbench_chat")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ([1], r"combined\.json: not MSSBench's layout: an object with a list of records under 'chat'"),
        ({"chat": {"0": {}}}, "not MSSBench's layout"),
        ({"Chat": []}, "not MSSBench's layout"),
        ({"chat": []}, "holds no items"),
        ({"chat": ["What?"]}, r"combined\.json, chat 0: an object was expected, not str"),
        ({"chat": [{"query": "What?"}]}, "chat 0: the questions are missing or not a list of texts"),
        (
            {"chat": [{"queries": ["What?"], "safe_image_path": "1.jpg"}]},
            "chat 0: the field 'unsafe_image_path'",
        ),
        (
            {"chat": [{"queries": ["What?"], "safe_image_path": "../1.jpg", "unsafe_image_path": "2.jpg"}]},
            "chat 0: the image path '../1.jpg' leads out",
        ),
    ],
)
def test_another_layout_is_one_sentence(invented: Path, content: Any, says: str) -> None:
    write_json(invented / "mssbench" / "combined.json", content)
    with pytest.raises(SafecotError, match=says) as caught:
        catalogue.items_of(TASK_NAME)
    assert "\n" not in str(caught.value)


def test_siuo_has_a_crr_beside_its_share_of_refusals(tmp_path: Path) -> None:
    doc = {"benchmark": "siuo", "expectation": "respond_safely"}
    raws = ["I cannot.", "Here you are.", "", "Sorry."]
    answers = [(make_doc(sample_id=f"{n:016d}", **doc), raw) for n, raw in enumerate(raws)]
    write_run(tmp_path / "m", answers, model="m", task="safecot_siuo")
    table = read(find_runs([tmp_path])[0])
    found = {metric: e for (metric, name), e in run_metrics(table).items() if name.startswith("template:")}
    assert found["crr"] == found["refusal_share"]
    assert (found["crr"].value, found["crr"].n, found["crr"].n_total) == (pytest.approx(2 / 3), 3, 4)
    assert "car" not in found
    kept = {rate["metric"] for rate in rates(table)}
    assert "refusal_share" in kept
    assert "crr" not in kept  # a submission of 0.1 has none, and stays sound


def test_the_second_reading_is_in_no_mean_over_benchmarks() -> None:
    def cell(task: str, value: float) -> dict[str, Any]:
        numbers = {"value": value, "low": 0.0, "high": 1.0, "n": 4, "n_total": 4, "n_eff": 4.0}
        return {"model": "m", "task": task, "apart": "", "metric": "crr", "evaluator": "template:x@1"} | {
            **numbers,
            "worst": [0.0, 1.0],
            "method": "wilson",
        }

    others = [cell(TASK_NAME, 0.5), cell("safecot_mmsafetybench_sd", 1.0)]
    (pooled,) = pooled_cells([*others, cell("safecot_siuo", 0.0)])
    assert pooled["value"] == pytest.approx(0.75)


def test_recorded_order_and_labels(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The items are those of a recorded run, in its order, word for word."""
    run = data_dir / "safecot_runs" / "llama_11b__origin__ood.jsonl"
    if not run.is_file():
        pytest.skip("the data folder has no safecot_runs")
    rows = [json.loads(line) for line in run.read_text(encoding="utf-8").splitlines()]
    items = registry.load("mssbench").items("chat_first", data_dir / "mssbench")
    expected = {"safe": Expectation.ANSWER, "unsafe": Expectation.REFUSE}
    assert [(item.prompt, item.expectation) for item in items] == [
        (row["question"], expected[row["label"]]) for row in rows
    ]
