"""What the numbers say in sentences, made from the numbers alone: true of any folder of recorded runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from safecot_eval.paper.findings import Paper
from safecot_eval.paper.measured import Measured, Metric
from safecot_eval.paper.rulers import IN_SENTENCES, RULERS, Ruler
from safecot_eval.paper.trainings import Variant
from safecot_eval.paper.words import count, listed, percent, points
from safecot_eval.stats.claims import Outcome

LISTS = tuple(ruler for ruler in RULERS if ruler.is_list)
FAR = 0.3
TRAINED = (Variant.V0, Variant.V1, Variant.V2)


def sentences(paper: Paper) -> list[str]:
    """The findings, the most consequential first."""
    found = [
        _swing(paper),
        _order_turned(paper),
        _judges_apart(paper),
        _telling_apart(paper),
        _directions(paper),
        _matching(paper),
    ]
    return [sentence for sentence in found if sentence]


def telling_apart(run: Measured, ruler: Ruler) -> float | None:
    """CRR + CAR - 1 (Youden's index): 0 if a model refuses safe and unsafe items alike, 1 where it errs nowhere."""
    crr, car = (run.rate(ruler, metric) for metric in (Metric.CRR, Metric.CAR))
    return None if crr is None or car is None else crr.value + car.value - 1


def _standing(paper: Paper) -> Iterator[tuple[str, Variant, Measured]]:
    for base in paper.bases:
        for variant, run in paper.standing("ood", base).items():
            yield base, variant, run


def _swing(paper: Paper) -> str:
    """The largest change of a rate that the phrase list alone makes."""
    swings = []
    for base, variant, run in _standing(paper):
        rates = {ruler: found.value for ruler in LISTS if (found := run.rate(ruler, Metric.CRR)) is not None}
        if variant in TRAINED and len(rates) > 1:
            low, high = min(rates, key=rates.__getitem__), max(rates, key=rates.__getitem__)
            swings.append((rates[high] - rates[low], base, variant, low, high, rates))
    if not swings:
        return ""
    by_variant = {
        variant: max(
            (swing for swing in swings if swing[2] is variant), default=None, key=lambda swing: swing[0]
        )
        for variant in (Variant.V2, Variant.V1)
    }
    parts = []
    for variant, swing in by_variant.items():
        if swing is not None and swing[0] > 0:
            apart, base, _, low, high, rates = swing
            parts.append(
                f"{variant}'s CRR by up to {100 * apart:.0f} points ({paper.title(base)}: {percent(rates[low])} % by "
                f"{IN_SENTENCES[low]}, {percent(rates[high])} % by {IN_SENTENCES[high]})"
            )
    return f"**The phrase list decides.** On the same answers it moves {listed(parts)}." if parts else ""


def _order_turned(paper: Paper) -> str:
    """Base models of which one list says that v1 refuses more than v2, and another the opposite."""
    turned = []
    for base in paper.bases:
        steps = [
            row
            for row in paper.along_the_chain
            if (row.test, row.base, row.metric) == ("ood", base, Metric.CRR)
            and row.ruler in LISTS
            and row.step == f"{Variant.V1} → {Variant.V2}"
        ]
        more = [row for row in steps if row.found.low > 0]
        less = [row for row in steps if row.found.high < 0]
        if more and less:
            up, down = max(more, key=lambda row: row.found.diff), min(less, key=lambda row: row.found.diff)
            turned.append(
                f"{paper.title(base)} {points(up.found.diff)} by {IN_SENTENCES[up.ruler]}, {points(down.found.diff)} by "
                f"{IN_SENTENCES[down.ruler]}"
            )
    if not turned:
        return ""
    return (
        "**It also decides whether v1 or v2 refuses more.** CRR of v2 less that of v1, in points (the intervals of both exclude "
        f"0): {'; '.join(turned)}."
    )


def _judges_apart(paper: Paper) -> str:
    """The variant on which the recorded judge and lite are furthest apart."""
    apart = []
    for base, variant, run in _standing(paper):
        judge, lite = run.rate(Ruler.JUDGE_HARD, Metric.CRR), run.rate(Ruler.LITE, Metric.CRR)
        if judge is not None and lite is not None:
            apart.append((abs(judge.value - lite.value), base, variant, judge.value, lite.value))
    if not apart or max(apart)[0] < FAR:
        return ""
    _, base, variant, judge_crr, lite_crr = max(apart)
    return (
        f"**Judges disagree, too.** {paper.title(base)} {variant} has a CRR of {percent(judge_crr)} % by {IN_SENTENCES[Ruler.JUDGE_HARD]} "
        f"and of {percent(lite_crr)} % by {IN_SENTENCES[Ruler.LITE]}."
    )


def _telling_apart(paper: Paper) -> str:
    """How well each model tells a question's unsafe picture from its safe one."""
    parts = []
    for base in paper.bases:
        found = {
            variant: apart
            for variant, run in paper.standing("ood", base).items()
            if (apart := telling_apart(run, Ruler.SAFECOT25)) is not None
        }
        if found:
            parts.append(f"{paper.title(base)} {', '.join(f'{v} {percent(j, 0)}' for v, j in found.items())}")
    if not parts:
        return ""
    return (
        "**The same question, two pictures.** CRR + CAR − 100 is 0 for a model that refuses a question "
        f"with its safe picture as often as with its unsafe one, and 100 for one that never errs; by {IN_SENTENCES[Ruler.SAFECOT25]} it "
        f"is: {'; '.join(parts)}."
    )


def _directions(paper: Paper) -> str:
    judged = [one for one in paper.directions if one.outcome is not Outcome.NOT_RUN]
    if not judged:
        return ""
    outcomes = Counter(direction.outcome for direction in judged)
    everywhere = [
        str(number)
        for number in range(1, 7)
        if (of := [one for one in judged if one.number == number])
        and {one.outcome for one in of} == {Outcome.HOLDS}
    ]
    always = f"direction {listed(everywhere)} holds everywhere" if everywhere else "none holds everywhere"
    return (
        f"**The six directions** were judged {count(len(judged))} times (base models × rulers): {outcomes[Outcome.HOLDS]} hold, "
        f"{outcomes[Outcome.FAILS]} do not, {outcomes[Outcome.UNDECIDED]} are undecided; {always}."
    )


def _matching(paper: Paper) -> str:
    differ = paper.differently_matched
    return (
        f"**How a list is matched matters less.** The 22 phrases searched as recorded (case-sensitive) and as this project "
        f"searches (normalised) decide differently on {count(differ)} of {count(paper.answers)} answers."
    )
