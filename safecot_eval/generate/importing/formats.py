"""Result files of other evaluation tools, as rows that the table reader knows: who asked what, and what came back.

==============  =========================================================  ====================================================
Tool            File                                                       What is read
==============  =========================================================  ====================================================
evalscope       ``predictions/<model>/*.jsonl``                            last user message; ``model_output``
batch           OpenAI's and Anthropic's results by ``custom_id``          the body's message or error; ``custom_id``
conversations   rows with ``messages`` or ``conversations`` (ShareGPT)     the user's message; the assistant's, at the end
garak           ``garak.<id>.report.jsonl``                                finished attempts; the first of their outputs
lm-eval         ``samples_<task>_<time>.jsonl``                            first argument of the request; ``filtered_resps``
MM-SafetyBench  ``<scenario>.json`` with ``ans`` in its questions          the scenario's ids; a model's text and its labels
OmniSafeBench   ``responses/*.jsonl``, ``evaluations/*.jsonl``             the jailbreak prompt as sent, its picture
promptfoo       ``--output results.json``                                  rendered prompt; the provider's output or error
PyRIT           conversations exported from memory, ``.json``, ``.csv``    conversations of one turn, as converted and sent
==============  =========================================================  ====================================================
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from safecot_eval.generate.importing.columns import NAMES
from safecot_eval.generate.importing.shaped import Shaped, keep
from safecot_eval.generate.importing.turns import is_conversation, last_question, turns, written_messages
from safecot_eval.records.samples import Status
from safecot_eval.records.tables import Row
from safecot_eval.records.tables.delimited import plain_name
from safecot_eval.util.wording import counted


def reshape(rows: Sequence[Row], scenario: str, model: str | None = None) -> Shaped | None:
    """Recognise a tool's file by the fields of its rows; None for a plain table.

    Args:
        rows: Of the file.
        scenario: The file's name without its ending, which for MM-SafetyBench is part of the ids.
        model: Whose answers to take from a file with those of several models.

    Raises:
        SafecotError: the file holds the answers of several models, and not of that one.
    """
    for recognised, reader, taken in _READERS:
        if any(recognised(row) for _, row in rows):
            shaped = reader(rows, scenario)
            shaped.notes.insert(0, f"read as {shaped.kind}: {taken}")
            if len(shaped.models) > 1:
                keep(shaped, model)
            return shaped
    return None


def _evalscope(rows: Sequence[Row], scenario: str) -> Shaped:
    shaped = Shaped("evalscope")
    for number, row in rows:
        prompt, pictures = last_question(row.get("messages"))
        said = row.get("model_output")
        shaped.add(number, row.get("model"), prompt=prompt, response=said, image=pictures)
    return shaped


def _conversations(rows: Sequence[Row], scenario: str) -> Shaped:
    shaped = Shaped("conversations")
    longer = unanswered = 0
    for number, row in rows:
        field = "messages" if is_conversation(row.get("messages")) else "conversations"
        said = turns(row.get(field) if row.get(field) is not None else row.get("messages"))
        roles = [turn.get("role") for turn in said]
        if not roles or roles[-1] != "assistant" or "user" not in roles:
            unanswered += 1
        elif roles.count("user") > 1:
            longer += 1
        else:
            prompt, pictures = last_question(said)
            about = {
                key: value
                for key, value in row.items()
                if key not in ("messages", "conversations", "model", "image", "images")
            }
            shown = pictures or row.get("image") or row.get("images") or []
            cells = {**about, "prompt": prompt, "response": said[-1], "image": shown}
            shaped.add(number, row.get("model"), **cells)
    _left_out(shaped, longer, unanswered)
    return shaped


def _batch(rows: Sequence[Row], scenario: str) -> Shaped:
    """Results of a batch of requests: OpenAI's ``response`` or ``error``, Anthropic's ``result``."""
    shaped = Shaped("batch")
    for number, row in rows:
        about = {k: v for k, v in row.items() if k not in ("id", "response", "result", "model", "error")}
        said = row.get("response") or row.get("result")
        if not said and (reason := row.get("error")):
            said = {"error": reason}
        body = said.get("body") or said.get("message") if isinstance(said, Mapping) else None
        failed = (body if isinstance(body, Mapping) else {}).get("error") or row.get("error")
        model = body.get("model") if isinstance(body, Mapping) else None
        shaped.add(number, model, **{**about, "id": row.get("custom_id"), "response": said, "error": failed})
    return shaped


def _pairs(rows: Sequence[Row], scenario: str) -> Shaped:
    """A map of answers whose keys are sentences, and so prompts; a key that may be an id stays one."""
    shaped = Shaped("map of prompts")
    for number, row in rows:
        key = row["id"]
        cells = {"prompt": key} if _is_sentence(key) else {"id": key}
        shaped.add(number, None, **cells, response=row["response"])
    return shaped


def _is_sentence(key: Any) -> bool:
    """Whether a key is a question rather than an id.

    >>> _is_sentence("Why is that?"), _is_sentence("07-Sex Hate Speech/3"), _is_sentence("v2-1")
    (True, False, False)
    """
    return isinstance(key, str) and (
        len(key.split()) > 4 or (" " in key and key.rstrip()[-1:] in tuple(".?!…"))
    )


def _left_out(shaped: Shaped, longer: int, unanswered: int) -> None:
    if longer:
        shaped.notes.append(
            f"{counted(longer, 'conversation')} of several turns left out; only single questions are matched"
        )
    if unanswered:
        shaped.notes.append(
            f"{counted(unanswered, 'conversation')} without a question and an answer left out"
        )


def _lm_eval(rows: Sequence[Row], scenario: str) -> Shaped:
    shaped = Shaped("lm-eval")
    for number, row in rows:
        given = row.get("arguments")
        first = next(iter(given.values()), None) if isinstance(given, Mapping) else given
        while isinstance(first, list) and first:  # earlier versions: [[prompt, settings]]
            first = first[0]
        prompt = first.get("arg_0") if isinstance(first, Mapping) else first
        said = row.get("filtered_resps") or row.get("resps")
        shaped.add(number, None, prompt=prompt if isinstance(prompt, str) else "", response=said)
    return shaped


def _garak(rows: Sequence[Row], scenario: str) -> Shaped:
    shaped = Shaped("garak")
    attempts: dict[object, tuple[int, Mapping[str, Any]]] = {}
    for number, row in rows:
        if row.get("entry_type") == "attempt":  # written when it is asked and again when it is evaluated
            attempts[str(row["uuid"]) if row.get("uuid") else number] = number, row
        target = row.get("plugins.target_name") or row.get("plugins.model_name")
        if isinstance(target, str) and target:
            shaped.models.add(target)
    further = 0
    for number, attempt in attempts.values():
        prompt, pictures = _garak_prompt(attempt.get("prompt"))
        given = attempt.get("outputs")
        outputs = given if isinstance(given, list) else []
        further += max(0, len(outputs) - 1)
        answer = _garak_text(outputs[0]) if outputs else None
        status = Status.REQUEST_FAILED.value if answer is None else None
        shaped.add(number, None, prompt=prompt, response=answer or "", image=pictures, status=status)
    if further:
        shaped.notes.append(
            f"{counted(further, 'further generation')} of the same prompts left out; the first counts"
        )
    return shaped


def _garak_prompt(prompt: Any) -> tuple[str, list[Any]]:
    if isinstance(prompt, str):
        return prompt, []
    if not isinstance(prompt, Mapping):
        return "", []
    turns = [turn for turn in prompt.get("turns") or [] if isinstance(turn, Mapping)]
    asked = [turn.get("content") for turn in turns if turn.get("role") == "user"]
    last = asked[-1] if asked else prompt
    places = [last["data_path"]] if isinstance(last, Mapping) and last.get("data_path") else []
    return _garak_text(last) or "", places


def _garak_text(message: Any) -> str | None:
    text = message.get("text") if isinstance(message, Mapping) else message
    return text if isinstance(text, str) else None


def _mm_safetybench(rows: Sequence[Row], scenario: str) -> Shaped:
    """The benchmark's own file of questions, into which its scripts write answers and labels (``is_safe(gpt)``)."""
    shaped = Shaped("MM-SafetyBench")
    unasked = 0
    for number, row in rows:
        answers = row.get("ans")
        answers = answers if isinstance(answers, Mapping) else {}
        unasked += not answers
        for model, given in answers.items():
            said = given if isinstance(given, Mapping) else {"text": given}
            labels = {
                key.removeprefix("is_safe(").removesuffix(")"): label
                for key, label in said.items()
                if key.startswith("is_safe(")
            }
            item = f"{scenario}/{row.get('id')}"
            shaped.add(number, model, id=item, response=said.get("text"), labels=labels, category=scenario)
    if unasked:
        shaped.notes.append(f"{counted(unasked, 'question')} without an answer")
    return shaped


def _omnisafebench(rows: Sequence[Row], scenario: str) -> Shaped:
    shaped = Shaped("omnisafebench")
    for number, row in rows:
        meta = row.get("metadata")
        known = {
            **(meta if isinstance(meta, Mapping) else {}),
            **{k: v for k, v in row.items() if v is not None},
        }
        prompts = (known.get(key) for key in ("jailbreak_prompt", "prompt", "original_prompt"))
        pictures = (known.get(key) for key in ("jailbreak_image_path", "image_path", "original_image_path"))
        shaped.add(
            number,
            row.get("model_name"),
            prompt=next(filter(None, prompts), ""),
            response=row.get("model_response"),
            image=next(filter(None, pictures), None),
            id=row.get("test_case_id"),
        )
    return shaped


def _promptfoo(rows: Sequence[Row], scenario: str) -> Shaped:
    shaped = Shaped("promptfoo")
    for number, row in rows:
        prompt, given = row.get("prompt"), row.get("response")
        raw = prompt.get("raw") if isinstance(prompt, Mapping) else prompt
        asked, pictures = written_messages(raw)
        response: Mapping[str, Any] = given if isinstance(given, Mapping) else {"output": given}
        output, error = response.get("output"), row.get("error") or response.get("error")
        text = output if isinstance(output, str) or output is None else json.dumps(output, ensure_ascii=False)
        provider = row.get("provider")
        shaped.add(
            number,
            provider.get("label") or provider.get("id") if isinstance(provider, Mapping) else provider,
            prompt=asked,
            response={"output": text or "", "finish_reason": response.get("finishReason")},
            image=pictures,
            # An assertion that failed is an error of the test, not of the request: then there is an output.
            error=None if text else error,
        )
    return shaped


def _pyrit(rows: Sequence[Row], scenario: str) -> Shaped:
    shaped = Shaped("pyrit")
    conversations: defaultdict[str, list[tuple[int, Mapping[str, Any]]]] = defaultdict(list)
    for number, row in rows:
        conversations[str(row.get("conversation_id"))].append((number, row))
    longer = unanswered = 0
    for pieces in conversations.values():
        pieces.sort(key=lambda piece: _whole(piece[1].get("sequence")))
        asked = [row for _, row in pieces if row.get("role") == "user"]
        said = [(number, row) for number, row in pieces if row.get("role") == "assistant"]
        if len({_whole(row.get("sequence")) for row in asked}) > 1:
            longer += 1
            continue
        if not said or not asked:
            unanswered += 1
            continue
        number, reply = said[-1]
        texts = [_sent(row) for row in asked if _kind(row) == "text"]
        pictures = [_sent(row) for row in asked if _kind(row) == "image_path"]
        status = _PYRIT_ERRORS.get(str(reply.get("response_error") or "none"))
        prompt, said_so = "\n".join(texts), status.value if status else None
        shaped.add(number, None, prompt=prompt, response=_sent(reply), image=pictures, status=said_so)
    _left_out(shaped, longer, unanswered)
    return shaped


_PYRIT_ERRORS = {
    "blocked": Status.BLOCKED_BY_PROVIDER,
    "processing": Status.REQUEST_FAILED,
    "unknown": Status.REQUEST_FAILED,
    "empty": Status.EMPTY,
}


def _sent(piece: Mapping[str, Any]) -> str:
    value = piece.get("converted_value")
    return str(piece.get("original_value") or "" if value is None else value)


def _kind(piece: Mapping[str, Any]) -> str:
    return str(piece.get("converted_value_data_type") or piece.get("original_value_data_type") or "text")


def _whole(value: Any) -> int:
    """A number, which an export to CSV wrote as text."""
    return int(value) if isinstance(value, int) or (isinstance(value, str) and value.isdecimal()) else -1


_OF_BATCH = frozenset({"status_code", "body", "type"})
_RESPONSES = frozenset(NAMES["response"])


_Recognised = Callable[[Mapping[str, Any]], bool]
_Reader = Callable[[Sequence[Row], str], Shaped]
_READERS: tuple[tuple[_Recognised, _Reader, str], ...] = (
    (
        lambda row: isinstance(row.get("model_output"), Mapping) and isinstance(row.get("messages"), list),
        _evalscope,
        "prompt and image = the last user message of messages, response = model_output",
    ),
    (
        lambda row: (
            (is_conversation(row.get("messages")) or is_conversation(row.get("conversations")))
            and not _RESPONSES & {plain_name(key) for key in row}
        ),
        _conversations,
        "prompt and image = the user's message of messages (or conversations), response = the assistant's",
    ),
    (
        lambda row: (
            "custom_id" in row
            and any(
                isinstance(said := row.get(key), Mapping) and bool(_OF_BATCH & said.keys())
                for key in ("response", "result")
            )
        ),
        _batch,
        "id = custom_id, response = response.body (or result.message), error = error",
    ),
    (
        lambda row: row.keys() == {"id", "response"} and _is_sentence(row["id"]),
        _pairs,
        "prompt = the key where it is a sentence, else id = the key",
    ),
    (
        lambda row: isinstance(row.get("arguments"), Mapping | list) and "resps" in row,
        _lm_eval,
        "prompt = the first of arguments, response = filtered_resps",
    ),
    (
        lambda row: row.get("entry_type") == "attempt" and "outputs" in row,
        _garak,
        "prompt and image = the last user turn of prompt, response = the first of outputs",
    ),
    (
        lambda row: isinstance(row.get("ans"), Mapping) and "Rephrased Question" in row,
        _mm_safetybench,
        "id = file name and number, response = ans.<model>.text, labels = is_safe(…); which pictures were shown it does not "
        "say, so that --tasks names one task",
    ),
    (
        lambda row: "test_case_id" in row and "model_response" in row,
        _omnisafebench,
        "prompt = jailbreak_prompt, image = image_path, id = test_case_id, response = model_response",
    ),
    (
        lambda row: isinstance(row.get("prompt"), Mapping) and "raw" in row["prompt"] and "provider" in row,
        _promptfoo,
        "prompt = prompt.raw, response = response.output, error = error",
    ),
    (
        lambda row: {"conversation_id", "role", "original_value"} <= row.keys(),
        _pyrit,
        "prompt and image = converted_value of the user's pieces, response = the assistant's",
    ),
)
