"""What a run may cost: hard limits on requests and tokens, and an estimate before the start where prices are known."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from safecot_eval.records.samples import Item
from safecot_eval.util.errors import SafecotError

CHARACTERS_PER_TOKEN = 4
TOKENS_PER_IMAGE = 1100
"""A generous figure for one image of about a megapixel: providers count from 250 to 1,600."""

DEFAULT_MAX_NEW_TOKENS = 1024
"""As in the tasks' template; a test compares them."""

BUDGET_TEXT = "[LMMS_EVAL_BUDGET_EXCEEDED]"
"""lmms-eval's own mark; scoring gives it the status ``budget_exceeded``."""


@dataclass
class SpendGuard:
    """Counts what this process has asked for and says how much more it may ask.

    Attributes:
        max_requests: Requests at most; None for no limit.
        max_tokens: Input and output tokens at most, as the back end counts them; None for no limit.
        requests: Sent so far.
        tokens: Used so far.
    """

    max_requests: int | None = None
    max_tokens: int | None = None
    requests: int = 0
    tokens: int = 0

    def allowed(self, wanted: int, worst_case: int) -> int:
        """How many of the next requests may be sent.

        Args:
            wanted: How many there are.
            worst_case: Tokens that one of them can use at most, used until there is a mean to go by.
        """
        count = wanted
        if self.max_requests is not None:
            count = min(count, self.max_requests - self.requests)
        if self.max_tokens is not None:
            left = self.max_tokens - self.tokens
            mean = self.tokens / self.requests if self.requests and self.tokens else worst_case
            count = min(count, max(1, int(left / max(1.0, mean))) if left > 0 else 0)
        return max(0, count)

    def count(self, requests: int, tokens: int) -> None:
        """Note what was sent."""
        self.requests += requests
        self.tokens += tokens

    @property
    def limits_tokens(self) -> bool:
        """Whether tokens are limited, so that a back end that does not count them cannot be used."""
        return self.max_tokens is not None


@dataclass(frozen=True)
class Prices:
    """Dollars for a million input and a million output tokens."""

    input: float
    output: float


def parse_prices(text: str) -> Prices:
    """Read ``--prices INPUT,OUTPUT``.

    Raises:
        SafecotError: not two numbers of at least zero.

    >>> parse_prices("0.15,0.6")
    Prices(input=0.15, output=0.6)
    """
    try:
        first, second = (float(part) for part in text.split(","))
    except ValueError as error:
        raise SafecotError(
            f"--prices {text!r}: two numbers, dollars for a million input and a million output tokens, "
            "for example --prices 0.15,0.60."
        ) from error
    if not (0 <= first < float("inf") and 0 <= second < float("inf")):
        raise SafecotError(f"--prices {text!r}: prices are numbers of at least zero.")
    return Prices(first, second)


def estimate(items: Iterable[Item], max_new_tokens: int, prices: Prices | None) -> str:
    """One line on what asking these items costs at most.

    >>> from safecot_eval.records.samples import Expectation
    >>> item = Item("1", "x" * 400, "c", Expectation.REFUSE)
    >>> estimate([item] * 10, 100, Prices(1.0, 2.0))
    'cost    at most about 1,000 input and 1,000 output tokens: $0.003'
    """
    input_tokens = output_tokens = 0
    for item in items:
        input_tokens += len(item.prompt) // CHARACTERS_PER_TOKEN + TOKENS_PER_IMAGE * len(item.images)
        output_tokens += max_new_tokens
    line = f"cost    at most about {input_tokens:,} input and {output_tokens:,} output tokens"
    if prices is None:
        return line
    dollars = (input_tokens * prices.input + output_tokens * prices.output) / 1e6
    return f"{line}: ${dollars:.{2 if dollars >= 1 else 3}f}"


def estimate_of(
    task_names: Iterable[str], limit: str | None, options: Sequence[str], prices: str | None
) -> str:
    """The estimate for tasks, as ``safecot run`` prints it.

    Args:
        task_names: Our tasks.
        limit: ``--limit``: a count, or a share below 1.
        options: Further options of lmms-eval, among them ``--gen_kwargs``.
        prices: ``--prices``, unparsed.

    Raises:
        SafecotError: prices that are none.
    """
    from safecot_eval.benchmarks import catalogue

    parsed = None if prices is None else parse_prices(prices)
    given = next((options[i + 1] for i, part in enumerate(options[:-1]) if part == "--gen_kwargs"), None)
    chosen: list[Item] = []
    for task_name in task_names:
        items = catalogue.items_of(task_name)
        try:
            asked = float(limit) if limit is not None else len(items)
        except ValueError as error:
            raise SafecotError(f"--limit {limit!r} is not a number.") from error
        chosen += items[: int(asked if asked >= 1 else asked * len(items))]
    return estimate(chosen, limit_from_gen_kwargs(given, DEFAULT_MAX_NEW_TOKENS), parsed)


def worst_case_tokens(text: str, settings: Mapping[str, object], images: int = 1) -> int:
    """Tokens that one request can use at most, by the figures above."""
    limit = settings.get("max_new_tokens")
    answer = limit if isinstance(limit, int) else 1024
    return len(text) // CHARACTERS_PER_TOKEN + TOKENS_PER_IMAGE * images + answer


def limit_from_gen_kwargs(text: str | None, default: int) -> int:
    """``max_new_tokens`` of lmms-eval's ``--gen_kwargs``, or the default.

    >>> limit_from_gen_kwargs("temperature=0,max_new_tokens=64", 1024)
    64
    """
    for part in (text or "").split(","):
        key, _, value = part.partition("=")
        if key.strip() == "max_new_tokens":
            try:
                return int(json.loads(value))
            except (ValueError, TypeError):
                return default
    return default
