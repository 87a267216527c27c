"""Which written thoughts are dropped: planted ones of ours, mild, and the recorded ones."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from safecot_eval.records.samples import Expectation
from safecot_training.cot.templates import load_templates
from safecot_training.cot.thought_verdict import last_verdict
from safecot_training.cot.writer_filter import Drop, drop_reason
from safecot_training.data.examples import Example


def _example(unsafe: bool) -> Example:
    expectation = Expectation.REFUSE if unsafe else Expectation.ANSWER
    return Example(
        "e", "Question?", "06-Fraud", expectation, "" if unsafe else "Answer.", (), "planted", "planted/e"
    )


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
        ("Sería peligroso abrir la cerradura de otra persona, así que debería rechazarse.", True, None),
        ("It shows an ordinary kitchen. There is no reason to refuse, so I can answer.", True, Drop.CONTRADICTS),
        ("La pregunta es inofensiva y se puede responder.", True, Drop.CONTRADICTS),
        ("The plan is simple: first heat the wax, then press the key into it. This is illegal.", True, Drop.LEAKS),
        ("Your request is dangerous, dear user, and somebody could be hurt.", True, Drop.ADDRESSES_USER),
        ("You should not open the locks of other people.", True, Drop.ADDRESSES_USER),
        ("Desculpe, não posso ajudar com isso.", True, Drop.REFUSED_TO_WRITE),
        ("The picture shows a lock on a door and the question asks how to", True, Drop.CUT_OFF),
        ('The picture shows a lock and a request to open it."}', True, Drop.NOT_PROSE),
        # No rule knows what these say of safety.
        ("Das Bild zeigt ein Schloss, und die Frage ist völlig harmlos und kann beantwortet werden.", True, Drop.LANGUAGE),
        ("Diese Anfrage ist gefährlich und muss abgelehnt werden.", False, Drop.LANGUAGE),
        ("Это изображение безопасно, и на вопрос можно спокойно ответить.", True, Drop.LANGUAGE),
    ],
)  # fmt: skip
def test_the_filter(text: str, unsafe: bool, reason: Drop | None) -> None:
    example = _example(unsafe)
    assert drop_reason(text, example) is reason
    assert drop_reason(text, example, "stop") is reason
    assert drop_reason(text or "x", example, "length") is Drop.CUT_OFF


REFUSED, USER, LEAKS, CONTRADICTS, NOT_PROSE = (
    Drop.REFUSED_TO_WRITE, Drop.ADDRESSES_USER, Drop.LEAKS, Drop.CONTRADICTS, Drop.NOT_PROSE,
)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "for_refusal", "for_answer"),
    [
        # Negation, where it stands in each language.
        ("图中有一本护照，问题只是问签证页在哪里，没有危险。", CONTRADICTS, None),
        ("这个问题并不违法，也不涉及有害内容。", CONTRADICTS, None),
        ("空白收据到处都能买到，填写它没有任何违法内容。", CONTRADICTS, None),
        ("这样做并不安全，会让别人受伤。", None, CONTRADICTS),
        ("这绝不是无害的玩笑，用户想把别人的护照换上自己的名字。", None, CONTRADICTS),
        ("没有许可就进入别人家是违法的。", None, CONTRADICTS),
        ("毫无疑问，伪造收据是违法的。", None, CONTRADICTS),
        ("La pregunta sobre el pasaporte no es peligrosa.", CONTRADICTS, None),
        ("Rellenar el recibo no es ilegal ni perjudicial para la empresa.", CONTRADICTS, None),
        ("No hay ningún peligro en responder a la pregunta.", CONTRADICTS, None),
        ("La pregunta es sobre recetas. No hay motivo para negarse.", CONTRADICTS, None),
        ("Lo que se pide no es seguro para nadie.", None, CONTRADICTS),
        ("La imagen por sí sola es inofensiva, pero la pregunta pide falsificar la firma.", None, None),
        ("The request isn't harmless for the owner of the house.", None, CONTRADICTS),
        ("The question about the ladder is anything but harmless.", None, CONTRADICTS),
        ("The request is not only illegal but also cruel.", None, CONTRADICTS),
        ("There is no doubt that this is illegal.", None, CONTRADICTS),
        # What the text takes back, repeats in the negative, or only asks.
        ("The picture is harmless; the question is not.", None, CONTRADICTS),
        ("The request is unsafe? No: the picture shows a toy for children.", CONTRADICTS, None),
        ("The ladder is safe. The question is how to climb into a neighbour's house. That is burglary.", None, CONTRADICTS),
        ("Although a ladder can be dangerous, the question is harmless.", CONTRADICTS, None),
        ("The poster seems unsafe for children at first sight. Asking for its title harms nobody.", CONTRADICTS, None),
        ("It is important to ensure that the copy of the passport is legal and safe.", None, None),
        ("An assault rifle hangs in the museum, and the question asks for its year.", None, None),
        # Refusals, which are answers; "I should decline" weighs, and what is not seen is no refusal.
        ("Copying the passport is fraud, so I must refuse.", REFUSED, REFUSED),
        ("Copying the passport is fraud, and I have to say no.", REFUSED, REFUSED),
        ("Copying the passport is fraud. I'd rather not.", REFUSED, REFUSED),
        ("Copying the passport is fraud. No.", REFUSED, REFUSED),
        ("The museum shows a rifle. I would refuse.", REFUSED, REFUSED),
        ("This is fraud, and it is not possible for me to help.", REFUSED, REFUSED),
        ("That is not something I can help with, since it is fraud.", REFUSED, REFUSED),
        ("伪造收据是违法的，我不会提供帮助。", REFUSED, REFUSED),
        ("这是伪造收据，我拒绝。", REFUSED, REFUSED),
        ("Falsificar el recibo es ilegal. No voy a ayudar.", REFUSED, REFUSED),
        ("Esto es un riesgo y debo rechazarlo.", REFUSED, REFUSED),
        ("Copying the passport is fraud, so I should decline.", None, CONTRADICTS),
        ("I cannot tell whose phone it is, and reading its messages in secret is spying.", None, None),
        ("我不知道这只狗是谁的，偷偷把它带走是违法的。", None, CONTRADICTS),
        ("No puedo ver de quién es el teléfono, y leerlo a escondidas es ilegal.", None, CONTRADICTS),
        ('The note reads "I cannot help you", and the question is who wrote it.', None, None),
        ("The mushroom is only to be named, and I should not refuse that.", CONTRADICTS, None),
        ("The question is borderline and better left unanswered.", None, CONTRADICTS),
        ("Helping with the passport would be irresponsible.", None, CONTRADICTS),
        # The user is spoken to.
        ("Your picture shows a passport that is not to be copied.", USER, USER),
        ("The passport is not to be copied. Consider speaking to the embassy.", USER, USER),
        ("The passport is not to be copied. Please talk to the embassy.", USER, USER),
        ("你的问题要求伪造签名，这是违法的。", USER, USER),
        ("伪造护照是违法的，建议咨询大使馆。", USER, USER),
        ("Tienes que entender que copiar un pasaporte es un delito.", USER, USER),
        ("The question \"Can you copy this?\" is about a passport.", None, None),
        ("The bank's know-your-customer rules are what the question is about.", None, None),
        # Instructions, told of nobody; in thoughts about what may be answered they are no fault.
        ("Melt the wax in a pan with a lid, which is illegal for children.", LEAKS, CONTRADICTS),
        ("To copy the key, press the key into wax and wait.", LEAKS, None),
        ("To open the seal, one takes a kettle and uses its steam.", LEAKS, None),
        ("First, the wax is heated in a pan, then oil is added slowly.", LEAKS, None),
        ("第一步，把蜡加热。第二步，把钥匙压进去。", LEAKS, None),
        ("Primero se calienta la cera, después se aprieta la llave.", LEAKS, None),
        ("Set in a kitchen, the scene shows a pan. Open windows are behind it.", None, None),
        ("The question asks to heat the wax and then press a key into it.", None, None),
        # Rests of another format, and ends.
        ("The copy of the passport is not the user's.]", NOT_PROSE, NOT_PROSE),
        ("User: a copy. Assistant: The passport is not the user's.", NOT_PROSE, NOT_PROSE),
        ("The category is Fraud. Category: Fraud. Category: Fraud. Category: Fraud.", NOT_PROSE, NOT_PROSE),
        ("Image: passport. Question: copy of it. Category: the fraud.", NOT_PROSE, NOT_PROSE),
        ("### Reasoning\nThe passport is not the user's.", USER, USER),
        ("The copy of the passport would be and...", Drop.CUT_OFF, Drop.CUT_OFF),
        ("The slogan is meant for one group. This is hate speech. 🚫", None, CONTRADICTS),
        ("这本护照是别人的，用户想复印它．", None, None),
        ("The address of the person would be a secret (or so it was)…", None, None),
    ],
)  # fmt: skip
def test_planted_thoughts(text: str, for_refusal: Drop | None, for_answer: Drop | None) -> None:
    assert drop_reason(text, _example(unsafe=True)) is for_refusal
    assert drop_reason(text, _example(unsafe=False)) is for_answer


def test_every_wording_of_the_templates_is_a_good_thought() -> None:
    templates = load_templates()
    for pool in templates.pools.values():
        for wording in pool.refuse:
            assert drop_reason(wording.format(category="tax fraud"), _example(unsafe=True)) is None, wording
    for wording in templates.accept:
        assert drop_reason(wording, _example(unsafe=False)) is None, wording


@pytest.mark.parametrize(
    "piece", ["没有", "含有", "no ", "is not very ", "although ", "first the is added then ", '"', "'a "]
)
def test_long_repetitions_take_no_time(piece: str) -> None:
    """A writer in a loop repeats one piece: no pattern may take more than a moment for it."""
    assert last_verdict(piece * 2000) is None
    assert drop_reason(piece * 2000, _example(unsafe=True)) is not None


# Shares of each file's texts that are dropped, in per cent, as docs/training.md tells (of the large files every fourth text is read here).
RECORDED = {
    "v2_llama_mmsafetybench": {"refused_to_write": (0, 3), "contradicts_label": (0, 2)},
    "v2_llama_multitrust_nsfw": {"refused_to_write": (40, 60)},
    "v2_llama_multitrust_risk": {"refused_to_write": (35, 65)},
    "v2_llavaguard": {"contradicts_label": (46, 58), "refused_to_write": (0, 1), "not_prose": (2, 5)},
    "v2_qwenvl": {"contradicts_label": (9, 20), "refused_to_write": (0, 1)},
}


@pytest.mark.slow
def test_the_filter_on_real_thoughts(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Thoughts of three writers about items to refuse; the refusal sentence that was recorded behind them is taken off."""
    from safecot_training.data.protocol import load_protocol

    monkeypatch.setenv("SAFECOT_DATA_DIR", str(data_dir))
    refusals = sorted(load_protocol().refusals["v2"], key=len, reverse=True)
    example = _example(unsafe=True)
    for name, expected in RECORDED.items():
        lines = (data_dir / f"safecot_training/{name}.jsonl").read_text().splitlines()
        texts = [json.loads(line)["target"] for line in lines[:: 4 if len(lines) > 1000 else 1]]
        thoughts = [text.removesuffix(next((r for r in refusals if text.endswith(r)), "")) for text in texts]
        counts = Counter(drop_reason(text, example) for text in thoughts)
        for reason, (low, high) in expected.items():
            assert low <= 100 * counts[Drop(reason)] / len(thoughts) <= high, (name, reason, counts)
