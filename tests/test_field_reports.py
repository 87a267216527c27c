"""Every input that people reported has a test that holds its right value; nothing of a report is left to memory."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
WEIGHTS = "tests/generate/models/test_weights.py"
FAILURES = "tests/generate/importing/test_failures.py"
CELLS = "tests/generate/importing/test_cells.py"
ENDPOINTS = "tests/generate/test_endpoints.py"
DIALECTS = "tests/util/test_chat_dialects.py"
JUDGES = "tests/judge/test_thinking_judges.py"
TESTS = {
    "adapter-base-moved": (f"{WEIGHTS}::test_a_base_that_has_moved",),
    "adapter-not-applied": (
        f"{WEIGHTS}::test_adapters_that_fit_and_that_do_not",
        f"{WEIGHTS}::test_another_architecture_with_the_same_names",
        f"{WEIGHTS}::test_merging_refuses_what_does_not_fit",
    ),
    "base-url-query": (
        f"{ENDPOINTS}::test_a_remedy_is_applied_and_recorded",
        f"{DIALECTS}::test_addresses_with_a_query_and_pasted_paths",
    ),
    "chat-template-in-tokenizer": (f"{WEIGHTS}::test_a_template_that_only_the_tokenizer_has",),
    "endpoint-says-no": (
        f"{ENDPOINTS}::test_a_server_that_refuses_everything_is_asked_three_times",
        f"{DIALECTS}::test_known_remedies_are_applied_and_remembered",
        f"{DIALECTS}::test_three_equal_refusals_end_it_with_the_servers_sentence",
    ),
    "error-strings": (f"{FAILURES}::test_error_strings", f"{FAILURES}::test_other_error_strings"),
    "excel-error-cells": (f"{FAILURES}::test_excel_error_cells", f"{FAILURES}::test_other_error_cells"),
    "finish-reason": (
        f"{ENDPOINTS}::test_no_failed_end_is_scored",
        f"{DIALECTS}::test_ends_of_generations",
    ),
    "first-row-decides": (
        f"{CELLS}::test_a_first_row_without_an_answer",
        f"{CELLS}::test_the_field_report_of_a_first_row_without_a_picture",
        f"{CELLS}::test_a_first_row_without_a_picture",
    ),
    "inspect-redacted-reasoning": (
        f"{FAILURES}::test_redacted_reasoning",
        f"{FAILURES}::test_redacted_reasoning_without_a_summary",
    ),
    "inspect-zstd": ("tests/generate/importing/test_zstandard.py::test_the_field_report",),
    "judge-negated": (f"{JUDGES}::test_the_field_report",),
    "judge-thinking": (
        f"{JUDGES}::test_the_field_report",
        f"{JUDGES}::test_too_little_room_is_said_once_and_asked_again",
    ),
    "label-sheet-excel": (
        "tests/judge/people/test_spreadsheets.py::test_the_field_report",
        "tests/judge/people/test_spreadsheets.py::test_ids_and_separators",
    ),
    "mcqa-forms": (
        f"{FAILURES}::test_mcqa_forms",
        "tests/scoring/test_multiple_choice.py::test_an_option_is_read",
    ),
    "missing-weights": (f"{WEIGHTS}::test_missing_weights", f"{WEIGHTS}::test_a_tied_head_is_not_missing"),
    "model-list-check": (
        f"{DIALECTS}::test_names_on_lists",
        f"{ENDPOINTS}::test_from_ollama_to_a_leaderboard",
    ),
    "other-languages": (
        "tests/generate/importing/test_other_languages.py::test_they_are_counted_and_said_and_in_no_rate",
    ),
    "picture-cells": (
        f"{CELLS}::test_the_field_reports_of_picture_cells",
        f"{CELLS}::test_picture_cells_of_a_table",
    ),
    "prompt-column": (
        f"{CELLS}::test_the_field_report_of_prompt_columns",
        "tests/generate/importing/test_formats.py::test_evalscope_as_reported",
    ),
    "proxy-variables": (
        "tests/util/test_proxies.py::test_loopback_is_reached_whatever_is_set",
        "tests/util/test_proxies.py::test_what_cannot_be_is_one_sentence",
        "tests/util/test_proxies.py::test_https_goes_by_connect_and_the_key_is_hidden",
    ),
    "response-object": (f"{FAILURES}::test_response_objects", f"{FAILURES}::test_what_a_cell_holds"),
    "sixteen-bit-image": (
        "tests/benchmarks/test_deep_images.py::test_the_field_report",
        "tests/benchmarks/test_deep_images.py::test_float_and_32_bit_tiffs",
    ),
    "thinking-markers": (f"{FAILURES}::test_thinking_markers",),
    "unicode-line-ends": (
        "tests/records/test_tables.py::test_the_field_report_of_line_ends",
        "tests/records/test_merge_line_ends.py::test_verdicts_with_line_separators",
    ),
}
"""Folder of ``field_reports`` to the tests that hold what came out right, with other inputs of its kind."""


def test_every_report_has_its_tests(data_dir: Path) -> None:
    folders = {path.name for path in (data_dir / "field_reports").iterdir() if path.is_dir()}
    assert folders - {"server"} == set(TESTS)


@pytest.mark.parametrize("folder", TESTS)
def test_the_tests_are_there(folder: str) -> None:
    for place in TESTS[folder]:
        path, _, name = place.partition("::")
        assert f"def {name}(" in (ROOT / path).read_text(encoding="utf-8"), place
