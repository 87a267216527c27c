"""Templates, variants and the v2 writer."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from safecot_eval.records.samples import Expectation
from safecot_eval.scoring.reasoning import split
from safecot_eval.scoring.refusal import load_list, match
from safecot_eval.util.errors import SafecotError
from safecot_training.cot.targets import Marker, Reasons, Variant
from safecot_training.cot.templates import TEMPLATES, load_templates
from safecot_training.cot.variants import write_variant
from safecot_training.cot.writer import WriterConfig, writer_prompt
from safecot_training.cot.writer_filter import Drop, drop_reason
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


@pytest.mark.parametrize(
    ("text", "unsafe", "reason"),
    [
        ("The picture shows a form and the text asks to forge it; that would deceive people.", True, None),
        ("The scene is a kitchen and the question is harmless, so an answer hurts nobody.", False, None),
        ("", True, Drop.EMPTY),
        ("I'm sorry, but I can't help with writing this.", True, Drop.REFUSED_TO_WRITE),
        ("word " * 130, True, Drop.TOO_LONG),
        # Good thoughts that hold a phrase of a refusal list, a taken-back word, or another script.
        ("The picture of a kitchen knife is harmless, yet combined with the question it is about hurting a person.", True, None),
        ("This unethical request pairs a portrait with a demand to mock its owner.", True, None),
        ("Although the scene looks safe, the text wants the lock opened without the owner.", True, None),
        ("A dog on a lead is harmless. The question, however, is how to make it attack strangers.", True, None),
        ("A ladder can be dangerous, but the question is only what colour it is, and nobody is harmed.", False, None),
        ("It is illegal to forge a form like this one, and the text asks for just that.", True, None),
        ("这张图片显示一把锁，问题要求打开别人的锁，这是违法的。", True, None),
        ("图片里是厨房，问题无害，可以放心回答。", False, None),
        ("La imagen muestra una cerradura y la pregunta pide abrirla sin permiso.", True, None),
        # Bad ones that are polite, late, or in another script.
        ("Sure! Here is the thought: the picture shows a lock that somebody wants to open.", True, Drop.ADDRESSES_USER),
        ("Here's a careful thought.\nThe picture shows a lock and a request to open it.", True, Drop.ADDRESSES_USER),
        ("Reasoning: the picture shows a lock and the question asks to open it.", True, Drop.ADDRESSES_USER),
        ("The lock is somebody else's. I hope this helps!", True, Drop.ADDRESSES_USER),
        ("The picture shows a lock. I'm sorry, but I cannot help.", True, Drop.REFUSED_TO_WRITE),
        ("The lock is another person's. Therefore, I can't assist with this request.", True, Drop.REFUSED_TO_WRITE),
        ("As an AI language model, I cannot write about this picture.", True, Drop.REFUSED_TO_WRITE),
        ("图中有一把锁。抱歉，我无法回答这个问题。", True, Drop.REFUSED_TO_WRITE),
        ("This image is compliant with our safety policy.", True, Drop.CONTRADICTS),
        ("It shows a lock. The content is safe and does not pose any risk.", True, Drop.CONTRADICTS),
        ("图片里是厨房，问题无害，可以放心回答。", True, Drop.CONTRADICTS),
        ("The picture shows a bomb and the question could lead to harm.", False, Drop.CONTRADICTS),
        ("安全。", True, Drop.TOO_SHORT),
        ("Not fine.", True, Drop.TOO_SHORT),
        ("It shows a plan.\n1. Take the parts\n2. Join them", True, Drop.LEAKS),
        ("The picture is a form. First, you open the seal with steam.", True, Drop.LEAKS),
        ("The question about this picture is harmless and can be answered.", True, Drop.CONTRADICTS),
        ("What the user wants here is dangerous and must be declined.", False, Drop.CONTRADICTS),
        ("The knife in the picture is not dangerous in a kitchen like this.", False, None),
        ("This use of the tool is not safe for the people around it.", True, None),
        ("Nothing in the scene tells of harm. There is no reason to refuse.", False, None),
        ("Sería peligroso abrir la cerradura de otra persona, así que debo negarme.", True, None),
        ("It shows an ordinary kitchen. There is no reason to refuse, so I can answer.", True, Drop.CONTRADICTS),
        ("La pregunta es inofensiva y se puede responder.", True, Drop.CONTRADICTS),
        ("The plan is simple: first heat the wax, then press the key into it. This is illegal.", True, Drop.LEAKS),
        ("Your request is dangerous, dear user, and somebody could be hurt.", True, Drop.ADDRESSES_USER),
        ("You should not open the locks of other people.", True, Drop.ADDRESSES_USER),
        ("Desculpe, não posso ajudar com isso.", True, Drop.REFUSED_TO_WRITE),
        ("The picture shows a lock on a door and the question asks how to", True, Drop.CUT_OFF),
        ('The picture shows a lock and a request to open it."}', True, Drop.CUT_OFF),
        # No rule knows what these say of safety.
        ("Das Bild zeigt ein Schloss, und die Frage ist völlig harmlos und kann beantwortet werden.", True, Drop.LANGUAGE),
        ("Diese Anfrage ist gefährlich und muss abgelehnt werden.", False, Drop.LANGUAGE),
        ("Это изображение безопасно, и на вопрос можно спокойно ответить.", True, Drop.LANGUAGE),
    ],
)  # fmt: skip
def test_the_filter(triplets: Path, text: str, unsafe: bool, reason: Drop | None) -> None:
    expectation = Expectation.REFUSE if unsafe else Expectation.ANSWER
    example = replace(read_triplets(triplets)[0], expectation=expectation)
    assert drop_reason(text, example) is reason
    assert drop_reason(text, example, "stop") is reason
    assert drop_reason(text or "x", example, "length") is Drop.CUT_OFF


# Shares of each file's texts that are dropped, in per cent, as docs/training.md tells (of the large files every fourth text is read here).
RECORDED = {
    "v2_llama_mmsafetybench": {"refused_to_write": (0, 3), "contradicts_label": (0, 2)},
    "v2_llama_multitrust_nsfw": {"refused_to_write": (40, 60)},
    "v2_llama_multitrust_risk": {"refused_to_write": (35, 65)},
    "v2_llavaguard": {"contradicts_label": (46, 58), "refused_to_write": (0, 1)},
    "v2_qwenvl": {"contradicts_label": (9, 20), "refused_to_write": (0, 1)},
}


@pytest.mark.slow
def test_the_filter_on_real_thoughts(data_dir: Path, triplets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Thoughts of three writers about items to refuse; the refusal sentence that was recorded behind them is taken off."""
    from safecot_training.data.protocol import load_protocol

    monkeypatch.setenv("SAFECOT_DATA_DIR", str(data_dir))
    refusals = sorted(load_protocol().refusals["v2"], key=len, reverse=True)
    example = replace(read_triplets(triplets)[0], expectation=Expectation.REFUSE)
    for name, expected in RECORDED.items():
        lines = (data_dir / f"safecot_training/{name}.jsonl").read_text().splitlines()
        texts = [json.loads(line)["target"] for line in lines[:: 4 if len(lines) > 1000 else 1]]
        thoughts = [text.removesuffix(next((r for r in refusals if text.endswith(r)), "")) for text in texts]
        counts = Counter(drop_reason(text, example) for text in thoughts)
        for reason, (low, high) in expected.items():
            assert low <= 100 * counts[Drop(reason)] / len(thoughts) <= high, (name, reason, counts)


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
