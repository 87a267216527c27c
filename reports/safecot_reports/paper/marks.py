"""Small drawings inside tables, and the curve over training sizes, as SVG."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from safecot_eval.paper.measured import Metric
from safecot_eval.stats.estimates import Estimate

BAR, HALF = 96, 80


def bar(found: Estimate) -> str:
    """A rate as a bar from 0 to 100 with its interval."""
    x, low, high = (BAR * value for value in (found.value, found.low, found.high))
    return (
        f'<svg class="bar" viewBox="0 0 {BAR} 12" width="{BAR}" height="12" aria-hidden="true"><path class="track" d="M0 3h{BAR}v6H0z"/>'
        f'<path class="fill" d="M0 3h{x:.1f}v6H0z"/><path class="whisker" d="M{low:.1f} 6H{high:.1f}"/></svg>'
    )


def change(value: float, low: float, high: float, *, sure: bool) -> str:
    """A difference from -100 to 100 as a point with its interval."""
    width, middle = 2 * HALF + 10, HALF + 5
    x, left, right = (middle + HALF * one for one in (value, low, high))
    cls = "sure" if sure else "unsure"
    return (
        f'<svg class="change {cls}" viewBox="0 0 {width} 14" width="{width}" height="14" aria-hidden="true">'
        f'<path class="axis" d="M0 7H{width}"/><path class="zero" d="M{middle} 0v14"/>'
        f'<path class="span" d="M{left:.1f} 7H{right:.1f}"/><circle cx="{x:.1f}" cy="7" r="3.6"/></svg>'
    )


def curve(by_size: Mapping[int | None, Mapping[Metric, Estimate]], *, label: str) -> str:
    """CRR and CAR over the number of examples, evenly spaced (each step is about a doubling).

    Args:
        by_size: Samples of each half (None: all) to the rates.
        label: What it shows, for who does not see it.
    """
    width, height, left, top, side = 560, 260, 44, 14, 196
    step = (width - left - 80) / max(len(by_size) - 1, 1)

    def y(share: float) -> float:
        return top + side * (1 - share)

    parts = []
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        parts.append(f'<path class="grid" d="M{left} {y(share):.1f}H{width - 56}"/>')
        parts.append(
            f'<text class="soft" x="{left - 8}" y="{y(share) + 4:.1f}" text-anchor="end" font-size="11">{100 * share:.0f}</text>'
        )
    for index, size in enumerate(by_size):
        told = "all" if size is None else f"{size:,}"
        parts.append(
            f'<text class="soft" x="{left + 12 + step * index:.1f}" y="{top + side + 20}" text-anchor="middle" font-size="11.5">{told}</text>'
        )
    parts.append(
        f'<text class="soft" x="{(left + width - 56) / 2}" y="{height - 8}" text-anchor="middle" font-size="12">examples of each half</text>'
    )
    for metric, shift in ((Metric.CRR, -3), (Metric.CAR, 3)):
        places = [
            (left + 12 + shift + step * index, found)
            for index, rates in enumerate(by_size.values())
            if (found := rates.get(metric)) is not None
        ]
        if not places:
            continue
        line = " ".join(f"{x:.1f},{y(found.value):.1f}" for x, found in places)
        parts.append(f'<polyline class="curve c-{metric}" points="{line}"/>')
        for x, found in places:
            parts.append(
                f'<path class="whisker c-{metric}" d="M{x:.1f} {y(found.low):.1f}V{y(found.high):.1f}"/>'
            )
            parts.append(
                f'<circle class="dot c-{metric}" cx="{x:.1f}" cy="{y(found.value):.1f}" r="4.5"><title>{metric.upper()} {100 * found.value:.1f}</title></circle>'
            )
        parts.append(
            f'<text class="name c-{metric}" x="{places[-1][0] + 12:.1f}" y="{y(places[-1][1].value) + 4:.1f}" font-size="12.5" font-weight="650">{metric.upper()}</text>'
        )
    return f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" aria-label="{escape(label)}">{"".join(parts)}</svg>'
