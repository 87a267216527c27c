"""The six directions on SafeCoT's own recorded checkpoints (:mod:`safecot_eval.paper`), to stand beside the study's."""

from __future__ import annotations

from safecot_eval.paper.directions import BOTH, TEXTS, Direction
from safecot_eval.paper.findings import gather
from safecot_eval.util.errors import SafecotError


def outcomes() -> tuple[dict[str, dict[int, str]], str]:
    """What the recorded checkpoints say.

    Returns:
        Base model to direction to outcomes, by the two rulers of direction 6; and a sentence if nothing is recorded here.
    """
    try:
        paper = gather(None)
    except SafecotError as error:
        return {}, f"The recorded checkpoints are not at hand: {error}"
    told = {
        paper.title(base): {number: _outcome(paper.directions, base, number) for number in TEXTS}
        for base in paper.bases
    }
    return told, ""


def _outcome(directions: list[Direction], base: str, number: int) -> str:
    found = {d.ruler: d.outcome.value for d in directions if (d.base, d.number) == (base, number)}
    if None in found:
        return found[None]
    by = [found[ruler] for ruler in BOTH if ruler in found]
    return by[0] if len(set(by)) == 1 else " / ".join(by)


def lines() -> list[str]:
    """The table, each outcome by the 25 phrases and the recorded LLaMA-3 judge (both if they differ)."""
    told, missing = outcomes()
    if not told:
        return [missing, ""]
    rows = [
        "The same six on the authors' recorded checkpoints ([paper.md](paper.md): MSSBench and SIUO, all of it out of "
        f"distribution), by `{BOTH[0]}` / `{BOTH[1]}` where the two differ:",
        "",
        "| | " + " | ".join(told) + " |",
        "|--|" + "--|" * len(told),
    ]
    rows += [f"| {number} | " + " | ".join(by[number] for by in told.values()) + " |" for number in TEXTS]
    return [*rows, ""]
