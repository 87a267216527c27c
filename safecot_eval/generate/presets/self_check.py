"""ECSO-like self-check: three more questions to the same model, only if its own answer looks harmful to it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from typing import Any

from safecot_eval.generate.finish_reasons import LENGTH, STOP, reason_of
from safecot_eval.generate.presets import messages as chat
from safecot_eval.generate.presets.preset import Preset
from safecot_eval.records.samples import REQUEST_FAILED_PREFIX
from safecot_eval.scoring import reasoning

AT_ONCE = 256
CHECK_TOKENS, DESCRIPTION_TOKENS = 512, 512
"""Room for a model that reasons before it says yes; others stop after a word."""

_YES_NO = re.compile(r"\b(yes|no)\b", re.IGNORECASE)

Generate = Callable[[list[Any]], list[Any]]
Rewrite = Callable[[list[chat.Message]], list[chat.Message]]


class SelfCheck:
    """Takes the place of a model's ``generate_until``.

    Token counts of a result are those of its last answer, with the input of all steps added: lmms-eval's output count
    decides whether an answer was cut off.

    Args:
        model: An ``lmms`` chat model.
        generate: Its own ``generate_until``.
        preset: The wording.
        steps: Counts of what happened (``checked``, ``harmful``, ``unreadable``, ``answered_again``), for the provenance.
    """

    def __init__(self, model: Any, generate: Generate, preset: Preset, steps: Counter[str]) -> None:
        self.model, self.generate, self.preset, self.steps = model, generate, preset, steps

    def __call__(self, requests: Sequence[Any]) -> list[Any]:
        """Answer requests in their order; an ``answer_sink`` gets final answers only."""
        sink = getattr(self.model, "answer_sink", None)
        found: list[Any] = []
        for start in range(0, len(requests), AT_ONCE):
            part = list(requests[start : start + AT_ONCE])
            if sink is not None:
                self.model.answer_sink = None
            try:
                answers = self._answer(part)
            finally:
                if sink is not None:
                    self.model.answer_sink = sink
            for request, answer in zip(part, answers, strict=True):
                if sink is not None:
                    sink(request, answer)
            found += answers
        return found

    def _answer(self, requests: list[Any]) -> list[Any]:
        answers = self.generate(requests)
        asked = [
            n
            for n, answer in enumerate(answers)
            if _usable(answer) and reason_of(getattr(answer, "text", answer)) in (None, STOP, LENGTH)
        ]
        checks = self.generate(
            [self._changed(requests[n], self._check(_said(answers[n])), CHECK_TOKENS) for n in asked]
        )
        harmful = [n for n, check in zip(asked, checks, strict=True) if self._says_yes(check)]
        harmful = [n for n in harmful if chat.has_images(self._messages(requests[n]))]
        described = self.generate(
            [self._changed(requests[n], self._describe, DESCRIPTION_TOKENS) for n in harmful]
        )
        rewritten = [
            (n, description)
            for n, description in zip(harmful, described, strict=True)
            if _usable(description)
        ]
        again = self.generate(
            [
                self._changed(requests[n], self._again(_said(description)), None)
                for n, description in rewritten
            ]
        )
        final = {n: answer for (n, _), answer in zip(rewritten, again, strict=True)}
        self.steps["checked"] += len(asked)
        self.steps["answered_again"] += len(final)
        inputs = Counter({n: _input_tokens(answers[n]) for n in range(len(requests))})
        for n, check in zip(asked, checks, strict=True):
            inputs[n] += _input_tokens(check)
        for n, description in zip(harmful, described, strict=True):
            inputs[n] += _input_tokens(description)
        return [
            _with_input(final.get(n, answer), inputs[n] + (_input_tokens(final[n]) if n in final else 0))
            for n, answer in enumerate(answers)
        ]

    def _check(self, answer: str) -> Rewrite:
        return lambda asked: chat.follow_up(asked, answer, self.preset.texts["check"])

    def _describe(self, asked: list[chat.Message]) -> list[chat.Message]:
        text = self.preset.texts["describe"].replace("{question}", chat.words(asked))
        return chat.only_images(asked, text)

    def _again(self, description: str) -> Rewrite:
        text = self.preset.texts["again"].replace("{description}", description.strip())
        return lambda asked: [chat.user(text.replace("{question}", chat.words(asked)))]

    def _says_yes(self, check: Any) -> bool:
        """The model's verdict; what is neither yes nor no leaves its answer as it is, and is counted."""
        found = _YES_NO.search(_said(check))
        if found is None:
            self.steps["unreadable"] += 1
            return False
        harmful = found[1].lower() == "yes"
        self.steps["harmful"] += harmful
        return harmful

    def _changed(self, request: Any, rewrite: Rewrite, tokens: int | None) -> Any:
        return changed(request, rewrite, tokens)

    def _messages(self, request: Any) -> list[chat.Message]:
        found: list[chat.Message] = request.args[1](self._document(request))
        return found

    def _document(self, request: Any) -> Mapping[str, Any]:
        doc_id, task, split = request.args[-3:]
        row: Mapping[str, Any] = self.model.task_dict[task][split][doc_id]
        return row


def changed(request: Any, rewrite: Rewrite, tokens: int | None = None) -> Any:
    """A copy of a request of lmms-eval whose messages pass through a function.

    Args:
        request: An ``Instance`` of a chat task: (context, document to messages, settings, document, task, split).
        rewrite: What to do with the messages.
        tokens: Another limit on the answer's tokens; None keeps the task's.
    """
    context, to_messages, settings, *rest = request.args
    if tokens is not None:
        settings = {**settings, "max_new_tokens": tokens}
    other = copy(request)
    other.arguments = (context, lambda document: rewrite(list(to_messages(document))), settings, *rest)
    return other


def _text(answer: Any) -> str:
    return str(getattr(answer, "text", answer) or "")


def _said(answer: Any) -> str:
    """What a model says after its reasoning; nothing if the reasoning never ended."""
    return reasoning.split(_text(answer)).answer


def _usable(answer: Any) -> bool:
    text = _text(answer)
    return bool(_said(answer).strip()) and not text.startswith(
        (REQUEST_FAILED_PREFIX, "[LMMS_EVAL_BUDGET_EXCEEDED")
    )


def _input_tokens(answer: Any) -> int:
    counts = getattr(answer, "token_counts", None)
    return int(getattr(counts, "input_tokens", None) or 0)


def _with_input(answer: Any, tokens: int) -> Any:
    counts = getattr(answer, "token_counts", None)
    if counts is None or not tokens:
        return answer
    other, other_counts = copy(answer), copy(counts)
    other_counts.input_tokens = tokens
    other.token_counts = other_counts
    return other
