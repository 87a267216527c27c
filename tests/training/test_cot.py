"""Templates, variants and the v2 writer."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from safecot_eval.scoring.reasoning import split
from safecot_eval.scoring.refusal import load_list, match
from safecot_eval.util.errors import SafecotError
from safecot_training.cot.targets import Marker, Reasons, Variant
from safecot_training.cot.templates import TEMPLATES, load_templates
from safecot_training.cot.variants import write_variant
from safecot_training.cot.writer import WriterConfig, writer_prompt
from safecot_training.data.dataset import build, read_examples, read_manifest
from safecot_training.data.drawing import Plan
from safecot_training.data.examples import Kind, read_triplets
from safecot_training.data.refusals import load_refusals

SCENARIOS = [
    "01-Illegal_Activitiy", "02-HateSpeech", "03-Malware_Generation", "04-Physical_Harm", "05-EconomicHarm", "06-Fraud",
    "07-Sex", "08-Political_Lobbying", "09-Privacy_Violence", "10-Legal_Opinion", "11-Financial_Advice",
    "12-Health_Consultation", "13-Gov_Decision",
]  # fmt: skip
MULTITRUST = ["s1", "s2", "s3", "s4", "s5", "s6"]


@pytest.fixture
def folder(triplets: Path, general: Path, tmp_path: Path) -> Path:
    out = tmp_path / "data"
    build(read_triplets(triplets), read_triplets(general, Kind.GENERAL), out, Plan(size=40))
    return out


def _rows(folder: Path, variant: str) -> list[dict]:
    return [json.loads(line) for line in (folder / f"{variant}.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("category", SCENARIOS + MULTITRUST)
def test_ten_wordings_of_its_own_for_every_category(category: str) -> None:
    templates = load_templates()
    pool = templates.pool(category)
    assert len(set(pool.refuse)) >= 10
    assert pool.refuse != templates.default
    assert not any(match(text.format(category=pool.name)) for text in templates.accept)


def test_wordings_are_not_shared_between_categories() -> None:
    pools = {pool.name: pool.refuse for pool in load_templates().pools.values()}
    wordings = [text for refuse in pools.values() for text in refuse]
    assert len(wordings) == len(set(wordings)) >= 190
    assert len(load_templates().accept) >= 10


@pytest.mark.parametrize(
    ("old", "new"),
    [("comes under {category}", "comes under it"), ("comes under {category}", "comes under {categry}"),
     ("comes under {category}", "comes under {category:>999999999}"), ("I can answer it.", "I can {answer}.")],
)  # fmt: skip
def test_a_template_with_a_wrong_placeholder_is_named(tmp_path: Path, old: str, new: str) -> None:
    text = TEMPLATES.read_text()
    assert old in text
    path = tmp_path / "mine.yaml"
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(SafecotError, match=r"mine\.yaml.*wording"):
        load_templates(path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("categories: 5", "categories must be a mapping"),
        (
            "categories: {fraud: {refuse: ['no {category}'], aliases: 3}}",
            "category 'fraud': aliases must be a list",
        ),
    ],
)
def test_a_template_file_of_another_shape_is_named(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(SafecotError, match=words):
        load_templates(tmp_path / "mine.yaml")


def test_refusals_hold_the_phrases_of_the_list() -> None:
    phrases = load_list("gcg25").phrases
    sentences = load_refusals()
    assert len(sentences) == len(phrases) == 25
    for phrase, sentence in zip(phrases, sentences, strict=True):
        assert phrase in sentence or phrase.lower() in sentence.lower()
        assert match(sentence) is not None


def test_variants_differ_in_the_chain_of_thought_only(folder: Path) -> None:
    def writer(examples):
        from safecot_training.cot.writer import Written

        return [Written(f"A thought about {e.example_id} here.", (), ()) for e in examples]

    entries = [
        write_variant(folder, v, writer=writer if v is Variant.V2 else None, writer_name="rule")
        for v in Variant
    ]
    assert len({entry["order"] for entry in entries}) == 1
    v0, v1, v2 = (_rows(folder, v) for v in Variant)
    for zero, one, two in zip(v0, v1, v2, strict=True):
        reply = zero["completion"][0]["content"]
        for row in (one, two):
            parts = split(row["completion"][0]["content"])
            assert parts.answer == reply
            assert parts.reasoning
        assert split(reply).reasoning == ""
        assert (match(reply) is not None) == (zero["expectation"] == "refuse")
        differs = ("completion", "variant", "thoughts")
        assert {k: v for k, v in one.items() if k not in differs} == {
            k: v for k, v in zero.items() if k not in differs
        }
        assert len(one["thoughts"]) > 1 == len(two["thoughts"]) > len(zero["thoughts"])
    assert [row["completion"] for row in v1] != [row["completion"] for row in v2]


@pytest.mark.parametrize("marker", list(Marker))
def test_scoring_splits_on_every_marker(folder: Path, marker: Marker) -> None:
    write_variant(folder, Variant.V1, marker=marker, reasons=Reasons.REFUSALS)
    rows = _rows(folder, "v1")
    assert {row["expectation"] for row in rows} == {"refuse", "answer"}
    for row in rows:
        parts = split(row["completion"][0]["content"])
        assert bool(parts.reasoning) == (row["expectation"] == "refuse")
        assert parts.closed


def test_templates_are_blind_to_image_and_query(folder: Path) -> None:
    templates = load_templates()
    examples = read_examples(folder)
    assert examples
    for example, _ in examples:
        other = replace(
            example, query="Something else entirely?", images=(Path("other.png"),), description="x"
        )
        assert templates.cot(example, 1) == templates.cot(other, 1)


class _Endpoint(BaseHTTPRequestHandler):
    requests: list[dict] = []
    fail_after: int | None = None

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        type(self).requests.append(body)
        if self.fail_after is not None and len(self.requests) > self.fail_after:
            self.send_response(503)
            self.end_headers()
            return
        first = body["seed"] == 0 and len(self.requests) % 5 == 0
        text = (
            "I'm sorry, I can't write that."
            if first
            else "The picture shows an object and the text asks about it. <image>"
        )
        payload = json.dumps({"choices": [{"message": {"content": text}}]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    def log_message(self, *_: object) -> None:
        return


@contextmanager
def _serve(fail_after: int | None = None) -> Iterator[tuple[str, type[_Endpoint]]]:
    handler = type("Handler", (_Endpoint,), {"requests": [], "fail_after": fail_after})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1", handler
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.slow
def test_v2_resumes_after_the_endpoint_went_down(folder: Path) -> None:
    with _serve(fail_after=12) as (url, _):
        config = WriterConfig(url, "writer", retries=1, backoff_s=0.01, concurrency=2)
        with pytest.raises(SafecotError, match=r"does not answer \(status 503.*run the same command again"):
            write_variant(folder, Variant.V2, writer=config)
    assert not (folder / "v2.jsonl").exists()
    kept = len((folder / "v2_replies.jsonl").read_text().splitlines())
    assert kept == 12
    with (folder / "v2_replies.jsonl").open("a") as stream:
        stream.write('{"key": "cut off in the mid')
    with _serve() as (url, handler):
        entry = write_variant(folder, Variant.V2, writer=replace(config, base_url=url))
        asked = len(handler.requests)
        message = handler.requests[0]["messages"][0]["content"]
    written = len((folder / "v2_replies.jsonl").read_text().splitlines())
    assert written == kept + asked
    told = entry["writer"]
    assert told["written"] == 40
    assert told["dropped_attempts"] == {"refused_to_write": written - 40}
    assert message[0]["image_url"]["url"].startswith("data:image/png;base64,")
    assert "<image>" not in (folder / "v2.jsonl").read_text()
    assert read_manifest(folder)["variants"]["v2"]["writer"]["model"] == "writer"
    with _serve() as (url, handler):
        write_variant(folder, Variant.V2, writer=replace(config, base_url=url))
        assert handler.requests == []


def test_an_endpoint_that_is_not_there_is_one_sentence(folder: Path) -> None:
    config = WriterConfig("http://127.0.0.1:9/v1", "writer", retries=1, backoff_s=0.01)
    with pytest.raises(SafecotError, match=r"127\.0\.0\.1:9/v1 does not answer"):
        write_variant(folder, Variant.V2, writer=config)


def test_writer_prompts_hold_category_query_and_answer(folder: Path, tmp_path: Path) -> None:
    for example, _ in read_examples(folder):
        prompt = writer_prompt(example)
        assert example.query in prompt
        assert example.category in prompt
        assert example.answer in prompt
    for name in ("v2_refuse.txt", "v2_accept.txt"):
        (tmp_path / name).write_text("Write something about {query}.")
    with pytest.raises(SafecotError, match="lacks the placeholder"):
        writer_prompt(example, tmp_path)
