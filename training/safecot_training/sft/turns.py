r"""One training example as the model will be asked: the prompt of inference, then the answer, then a token that ends it.

Chat templates are written for asking. What they make of a finished conversation often differs from what a model is asked
with: LLaVA-OneVision's has ``assistant \n`` in one and ``assistant\n`` in the other, LLaVA's ends no answer at all, some
processors put a second ``<|begin_of_text|>`` before every answer. So a conversation is never rendered for training. The
prompt is encoded by the same function that asks the model (:func:`safecot_eval.generate.models.generation.encode`), and the
answer follows as tokens: what the template puts before an answer (a space, mostly), the answer, and an end token that
stops generation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image

from safecot_eval.generate.models.generation import Turn, encode, to_turn
from safecot_eval.util.errors import SafecotError

_QUESTION, _ANSWER = "QQQQ", "AAAA"


@dataclass(frozen=True, slots=True)
class AnswerShape:
    """What stands around an answer.

    Attributes:
        lead: Between the prompt and the answer.
        end: After the answer; one or two special tokens, the last of which stops generation.
        anchor: Last words of every prompt; an answer's tokens are those that it has behind them.
        follows: Whether the template's finished conversation begins with the prompt that it asks with.
        ends: Whether the template itself ends an answer with a token that stops generation.
    """

    lead: str
    end: str
    anchor: str
    follows: bool
    ends: bool


def stop_tokens(generation_config: Any, tokenizer: Any) -> set[int]:
    """Tokens that end an answer: the checkpoint's and the tokenizer's, which do not always agree."""
    configured = getattr(generation_config, "eos_token_id", None)
    found = [*(configured if isinstance(configured, list) else [configured]), tokenizer.eos_token_id]
    return {int(token) for token in found if token is not None}


def answer_shape(processor: Any, stops: set[int], base: str) -> AnswerShape:
    """Learn from the chat template how an answer begins and ends.

    An answer ends in the special token that the template puts after it. Where there is none, or it would not stop
    generation, the tokenizer's end token follows.

    Args:
        processor: Of the base.
        stops: See :func:`stop_tokens`.
        base: For the message.

    Raises:
        SafecotError: the template cannot render a question and an answer, or nothing can end an answer.
    """
    question = {"role": "user", "content": [{"type": "text", "text": _QUESTION}]}
    answer = {"role": "assistant", "content": [{"type": "text", "text": _ANSWER}]}
    try:
        asked = processor.apply_chat_template([question], tokenize=False, add_generation_prompt=True)
        told = processor.apply_chat_template([question, answer], tokenize=False)
    except Exception as error:  # a template is a program, and fails in any way
        reason = " ".join(str(error).split())[:200]
        raise SafecotError(
            f"{base}: its chat template cannot render a question and an answer ({reason})."
        ) from error
    if _QUESTION not in asked or _ANSWER not in told:
        raise SafecotError(
            f"{base}: its chat template leaves out the question or the answer; put the template of the model's own "
            "repository into chat_template.jinja."
        )
    follows = told.startswith(asked)
    lead = told[len(asked) : told.index(_ANSWER)] if follows else ""
    tail = told[told.rindex(_ANSWER) + len(_ANSWER) :]
    tokenizer = processor.tokenizer
    first = _first_special(tail, tokenizer)
    ends = first is not None and tokenizer.convert_tokens_to_ids(first) in stops
    end = first or ""
    if not ends:
        if tokenizer.eos_token is None:
            raise SafecotError(
                f"{base}: its chat template ends no answer and its tokenizer has no end token, so that a tuned model "
                'would never stop; name one in tokenizer_config.json ("eos_token").'
            )
        end += tokenizer.eos_token
    return AnswerShape(lead, end, asked[asked.rindex(_QUESTION) + len(_QUESTION) :], follows, ends)


def _first_special(text: str, tokenizer: Any) -> str | None:
    """The special token that a text begins with, white space aside."""
    text = text.lstrip()
    special = [token for token in tokenizer.all_special_tokens if token and text.startswith(token)]
    added = [str(token) for token in tokenizer.get_added_vocab() if text.startswith(str(token))]
    return max((*special, *added), key=len, default=None)


def prompt_inputs(
    processor: Any, messages: Sequence[Mapping[str, str]], images: Sequence[Image.Image]
) -> Any:
    """Tensors of one prompt, as the model is asked; its images stand before the first question.

    Args:
        processor: Of the base.
        messages: ``role`` and ``content`` (a text) of the turns so far; the last is the user's.
        images: In order.

    Returns:
        Of one row each: ``input_ids`` (1, tokens), and what the processor makes of the images.
    """
    return encode(processor, [prompt_turn(messages, images)])


def prompt_turn(messages: Sequence[Mapping[str, str]], images: Sequence[Image.Image]) -> Turn:
    """What one prompt shows the model; see :func:`prompt_inputs`."""
    turns: list[dict[str, Any]] = []
    shown: list[dict[str, Any]] = [{"type": "image", "url": image} for image in images]
    for message in messages:
        parts = [{"type": "text", "text": message["content"]}]
        if message["role"] == "user" and shown:
            parts, shown = [*shown, *parts], []
        turns.append({"role": message["role"], "content": parts})
    return to_turn(turns)


def answer_tokens(tokenizer: Any, shape: AnswerShape, answer: str) -> list[int]:
    """Tokens of an answer with its end.

    A tokenizer may begin a text with a space of its own (SentencePiece), so the answer is read behind the prompt's last
    words; only where it would melt into them is it read alone.
    """
    text = shape.lead + answer + shape.end
    before = tokenizer(shape.anchor, add_special_tokens=False)["input_ids"]
    both = tokenizer(shape.anchor + text, add_special_tokens=False)["input_ids"]
    if both[: len(before)] == before:
        return list(both[len(before) :])
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


@dataclass(frozen=True, slots=True)
class Fixed:
    """What :func:`fix_template` changed.

    Attributes:
        end: The template now ends an answer.
        beginning: The template now writes the beginning that it left to the tokenizer.
    """

    end: bool = False
    beginning: bool = False


def fix_template(processor: Any, stops: set[int], base: str) -> Fixed:
    """Put into the chat template what asking and tuning need and the published one lacks.

    Other programs then agree with us: vLLM adds no beginning of its own to a chat, and a template without an end token
    makes every later tuning unlearn to stop. Tokens of a prompt stay as they are.

    Raises:
        SafecotError: see :func:`answer_shape`.
    """
    shape = answer_shape(processor, stops, base)
    asked = _prompt_ids(processor)

    def changed(start: str, right: Callable[[], bool]) -> bool:
        plain, processor.chat_template = processor.chat_template, start + processor.chat_template
        if _prompt_ids(processor) == asked and right():
            return True
        processor.chat_template = plain
        return False

    ends_itself = shape.ends or shape.end != processor.tokenizer.eos_token
    begins_itself = asked == _prompt_ids(processor, add_special_tokens=False)
    return Fixed(
        end=not ends_itself and changed(_SUFFIX, lambda: answer_shape(processor, stops, base).ends),
        beginning=not begins_itself
        and changed(_BEGINNING, lambda: asked == _prompt_ids(processor, add_special_tokens=False)),
    )


_BEGINNING = "{{- bos_token -}}"
_SUFFIX = """\
{%- set safecot = namespace(turns=[], parts=[]) -%}
{%- for turn in messages -%}
  {%- if turn['role'] != 'assistant' -%}
    {%- set safecot.turns = safecot.turns + [turn] -%}
  {%- else -%}
    {%- set safecot.parts = [] -%}
    {%- for part in ([turn['content']] if turn['content'] is string else turn['content']) -%}
      {%- set text = part if part is string else part['text'] -%}
      {%- set safecot.parts = safecot.parts + [{'type': 'text', 'text': text + (eos_token if loop.last else '')}] -%}
    {%- endfor -%}
    {%- set safecot.turns = safecot.turns + [{'role': 'assistant', 'content': safecot.parts}] -%}
  {%- endif -%}
{%- endfor -%}
{%- set messages = safecot.turns -%}
"""


def _prompt_ids(processor: Any, *, add_special_tokens: bool | None = None) -> list[int]:
    """Tokens of a short question: as we ask it, or as a server does that adds none to the template's text."""
    turn = to_turn([{"role": "user", "content": [{"type": "text", "text": _QUESTION}]}])
    if add_special_tokens is None:
        return list(encode(processor, [turn])["input_ids"][0].tolist())
    text = processor.apply_chat_template(turn.messages, tokenize=False, add_generation_prompt=True)
    return list(processor.tokenizer(text, add_special_tokens=add_special_tokens)["input_ids"])
