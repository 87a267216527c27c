"""Failed calls are no answers: the table, a user's own, and texts that only look like failures."""

from __future__ import annotations

from pathlib import Path

import pytest

from safecot_eval.records.samples import Status
from safecot_eval.scoring import failure_texts, refusal
from safecot_eval.scoring.failure_texts import load, suspects
from safecot_eval.scoring.record import make_record
from safecot_eval.util.errors import SafecotError
from tests.conftest import make_doc

FAILED, BLOCKED = Status.REQUEST_FAILED, Status.BLOCKED_BY_PROVIDER


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("Failed to obtain answer via API. Something behind it.", FAILED),
        ("  failed to obtain\nanswer via Any API.", FAILED),
        ("Error in generation: 500 Internal error", FAILED),
        ("Error in response extraction: The prompt was blocked. block_reason: SAFETY", BLOCKED),
        ("Blocked for Safety Reasons.", BLOCKED),
        ("FinishReason.SAFETY", BLOCKED),
        ("FinishReason.MAX_TOKENS", Status.UNFINISHED),
        ("FinishReason.OTHER", FAILED),
        ("API RetryError occurred.", FAILED),
        ("[LMMS_EVAL_REQUEST_FAILED after 5 retries] … 'code': 'content_filter'", BLOCKED),
        ("[LMMS_EVAL_BUDGET_EXCEEDED]", Status.BUDGET_EXCEEDED),
        ("[ERROR] Invalid operation: … This appears to be caused by a blocked prompt", BLOCKED),
        ("Error code: 429 - {'error': {'message': 'Rate limit'}}", FAILED),
        ('{"error": {"message": "Overloaded"}}', FAILED),
        ("<html>\n<head><title>502 Bad Gateway</title></head>", FAILED),
        ("#NAME?", FAILED),
        ("HTTPSConnectionPool(host='x', port=443): Max retries exceeded", FAILED),
    ],
)
def test_known_failures(text: str, status: Status) -> None:
    found = load().find(text)
    assert found is not None
    assert found.status is status
    record = make_record(make_doc(), text, refusal_list=refusal.load_list("gcg25"))
    assert record["status"] == status
    assert record["refusal"]["matched"] is None
    assert record["failure"]["source"] == found.source


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, but I can't help with that.",
        "None",
        "None of these signs is dangerous.",
        "Errors in generation plants are rare.",
        "An error occurred in the second step of your proof.",
        "<html>\n<body><h1>Your page</h1></body>",
        "The reason it says FinishReason.SAFETY is Gemini's filter.",
        '["a", "b"]',
        "",
    ],
)
def test_what_a_model_may_say_is_an_answer(text: str) -> None:
    assert load().find(text) is None


@pytest.mark.parametrize("text", ["nan", "None", "null", "N/A", " NaN ", "error", "#N/A"])
def test_words_for_missing_count_where_a_table_says_them(text: str) -> None:
    found = load().find(text, recorded=True)
    assert found is not None
    assert found.status is FAILED
    assert load().find("None.", recorded=True) is None


def test_a_failure_behind_a_thought() -> None:
    record = make_record(
        make_doc(),
        "<think>Hm.</think>Failed to obtain answer via API.",
        refusal_list=refusal.load_list("gcg25"),
    )
    assert record["status"] == FAILED


def test_a_file_of_the_users_own_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "own.yaml"
    own.write_text(
        "id: ours\nentries:\n- source: our gateway\n  status: blocked_by_provider\n  prefixes: ['GW-451', '[ERROR]']\n",
        encoding="utf-8",
    )
    monkeypatch.setenv(failure_texts.VARIABLE, str(own))
    table = failure_texts.active()
    assert table.id.startswith("ours+failure-texts@")
    for text in ("gw-451 withheld", "[ERROR] anything"):
        found = table.find(text)
        assert found is not None
        assert (found.status, found.source) == (BLOCKED, "our gateway")
    assert table.find("Blocked for Safety Reasons") is not None


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("- a", "entries"),
        ("entries: []", "entries"),
        ("entries:\n- status: ok\n  whole: [x]", "entry 1: status 'ok'"),
        ("entries:\n- status: empty", "needs 'prefixes' or 'whole'"),
        ("entries:\n- whole: [null]", "quote words"),
        ("entries:\n- whole: [x]\n  regex: y", "knows no 'regex'"),
        ("entries: [", "not a readable YAML"),
        ("entries:\n- whole: [x]\n  recorded: perhaps", "true or false"),
    ],
)
def test_a_file_that_is_none_is_one_sentence(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(SafecotError, match=said) as caught:
        load(path)
    assert str(path) in str(caught.value)
    with pytest.raises(SafecotError, match="no such file"):
        load(tmp_path / "absent.yaml")


def test_short_error_like_answers_are_pointed_out() -> None:
    phrases = refusal.load_list("gcg25")
    answers = ["HTTP 418 from upstream"] * 7 + ["finish: other"] * 6 + ["I'm sorry, I can't."] * 9
    answers += ["A", "Yes."] * 9 + [f"The picture shows {n} cats." for n in range(30)]
    found = suspects(answers, lambda text: phrases.match(text) is not None)
    assert [(s.text, s.count, s.first) for s in found] == [
        ("HTTP 418 from upstream", 7, 0),
        ("finish: other", 6, 7),
    ]


def test_recorded_answers_of_real_models_are_no_failures(data_dir: Path) -> None:
    """2,400 answers of six VLMs: none is a failure, and none looks like one."""
    from safecot_eval.benchmarks.data.reading import read_csv

    answers = [
        row["response"]
        for row in read_csv(data_dir / "msts" / "responses_english_multimodal.csv", ("response",))
    ]
    table = load()
    assert len(answers) == 2400
    assert not [text for text in answers if table.find(text, recorded=True)]
    phrases = refusal.load_list("gcg25")
    assert not suspects(answers, lambda text: phrases.match(text) is not None)


@pytest.mark.parametrize(
    "text",
    [
        "upstream connect error or disconnect/reset before headers. reset reason: connection timeout",
        "Connection reset by peer",
        "ReadTimeout",
        "httpx.ConnectTimeout",
        "TimeoutError.",
        "no healthy upstream",
    ],
)
def test_texts_of_proxies_and_of_http_clients(text: str) -> None:
    found = load().find(text)
    assert found is not None
    assert found.status is FAILED
    assert load().find(f"The log says: {text}") is None
