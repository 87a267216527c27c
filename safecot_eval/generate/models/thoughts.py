"""Room for a thought in tasks whose budget is for an answer alone.

lmms-eval's MME and ScienceQA stop an answer after 16 tokens, and many tasks at the first blank line: a checkpoint that thinks
first never gets to its answer. It is given tokens for the thought on top, and what follows the thought is held to the
task's own budget and stop strings, so that thinking buys no longer answer.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safecot_eval.generate.finish_reasons import LENGTH, STOP
from safecot_eval.generate.models.generation import DEFAULT_MAX_NEW_TOKENS, Output
from safecot_eval.scoring import reasoning
from safecot_eval.util.paths import CHECKPOINT_CARD

THOUGHT_TOKENS = 512
"""Room of a checkpoint that was tuned to think; the thoughts it was tuned on have at most about 200 tokens."""
_THINKING = ("v1", "v2")


def thought_tokens(*folders: str | None) -> int:
    """How much room a checkpoint needs, by the card in its folder; 0 if there is none."""
    for folder in folders:
        if folder is None:
            continue
        try:
            card = json.loads((Path(folder) / CHECKPOINT_CARD).read_text(encoding="utf-8"))
        except (OSError, ValueError):  # a hub id, or a checkpoint of somebody else
            continue
        if isinstance(card, dict) and card.get("variant") in _THINKING:
            return THOUGHT_TOKENS
    return 0


@dataclass(frozen=True, slots=True)
class Room:
    """Tokens for a thought before an answer.

    Attributes:
        tokens: How many; 0 changes nothing.
        markers: What stands around a thought.
    """

    tokens: int
    markers: reasoning.Pairs = reasoning.DEFAULT_MARKERS

    def widened(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """A task's generation settings with room for a thought; its stop strings are looked for in the answer later."""
        budget = int(settings.get("max_new_tokens", DEFAULT_MAX_NEW_TOKENS))
        return {**settings, "max_new_tokens": budget + self.tokens, "until": []}

    def narrowed(self, output: Output, settings: Mapping[str, Any], tokenizer: Any) -> Output:
        """Hold what follows the thought to the task's own budget and stop strings.

        A thought that never ended stays as it is: it has no answer.
        """
        split = reasoning.split(output.text, self.markers)
        if not split.closed or not split.answer:
            return output
        answer, finish_reason = split.answer, output.finish_reason
        until = settings.get("until") or []
        stops = [stop for stop in ([until] if isinstance(until, str) else until) if stop]
        if cuts := [place for stop in stops if (place := answer.find(stop)) >= 0]:
            answer, finish_reason = answer[: min(cuts)], STOP
        ids = tokenizer(answer, add_special_tokens=False)["input_ids"]
        budget = int(settings.get("max_new_tokens", DEFAULT_MAX_NEW_TOKENS))
        if len(ids) > budget:
            answer, finish_reason = tokenizer.decode(ids[:budget], skip_special_tokens=True), LENGTH
        if answer == split.answer:
            return output
        start = output.text.rfind(split.answer)
        before = (
            output.text[:start]
            if start >= 0
            else f"{reasoning.THINK[0]}{split.reasoning}{reasoning.THINK[1]}\n"
        )
        return dataclasses.replace(output, text=before + answer, finish_reason=finish_reason)
