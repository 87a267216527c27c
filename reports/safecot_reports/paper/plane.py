"""The plane as SVG: CRR to the right, CAR upwards, an arrow from the base model through v0 and v1 to v2."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

from safecot_eval.paper.trainings import Variant
from safecot_eval.stats.estimates import Estimate

SIDE = 300
LEFT, TOP, RIGHT, BOTTOM = 44, 12, 16, 40
WIDTH, HEIGHT = LEFT + SIDE + RIGHT, TOP + SIDE + BOTTOM
_RADIUS = 6.5
_LABEL = 12.5
_GAP = 28
_HEAD = 52

Rates = Mapping[Variant, tuple[Estimate, Estimate]]
"""Variant to (CRR, CAR)."""

STYLE = """
.frame{fill:#fff;stroke:#d9dedd}.grid{stroke:#e8ecec;fill:none}.blind{stroke:#b7c0c0;stroke-dasharray:2 5;fill:none;stroke-linecap:round}
.arrow{stroke:#56626a;stroke-width:1.8;fill:none}.head{fill:#56626a}text{fill:#1b2327}.soft{fill:#56626a}.paper{fill:#fbfbf9}
.v-base{fill:#7a858c;stroke:#7a858c}.v-v0{fill:#c2620a;stroke:#c2620a}.v-v1{fill:#2563c9;stroke:#2563c9}.v-v2{fill:#0b7a5e;stroke:#0b7a5e}
text.halo{stroke:#fff;stroke-width:3.5;paint-order:stroke;stroke-linejoin:round}
@media (prefers-color-scheme:dark){.frame{fill:#182024;stroke:#2f3b40}.grid{stroke:#263136}.blind{stroke:#4a585e}.paper{fill:#111618}
.arrow{stroke:#a3b1b6}.head{fill:#a3b1b6}text{fill:#e6ecec}.soft{fill:#a3b1b6}text.halo{stroke:#182024}
.v-base{fill:#9aa6ac;stroke:#9aa6ac}.v-v0{fill:#f0a35c;stroke:#f0a35c}.v-v1{fill:#7fb0ff;stroke:#7fb0ff}.v-v2{fill:#5ad1ac;stroke:#5ad1ac}}
""".replace("\n", "")
"""For a picture that stands alone; the page has its own."""


@dataclass(frozen=True, slots=True)
class Point:
    """One variant in the plane, in the drawing's units."""

    variant: Variant
    x: float
    y: float


def plane(rates: Rates, *, label: str) -> str:
    """One panel as an SVG element.

    Args:
        rates: CRR and CAR of the variants that have both, in the order of the arrow.
        label: What it shows, for who does not see it.
    """
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img" aria-label="{escape(label)}">'
        f"{_panel(rates)}</svg>"
    )


def picture(panels: Mapping[str, Rates], caption: Sequence[str]) -> str:
    """All panels in one file that stands alone, in a light and a dark dress.

    Args:
        panels: Title to rates.
        caption: Lines below.
    """
    columns = 2 if len(panels) > 1 else 1
    rows = math.ceil(len(panels) / columns)
    width = columns * WIDTH + (columns - 1) * _GAP + 32
    height = rows * (HEIGHT + _HEAD) + 24 + 19 * len(caption)
    parts = [f'<rect class="paper" width="{width}" height="{height}" rx="12"/>']
    for index, (title, rates) in enumerate(panels.items()):
        x = 16 + (index % columns) * (WIDTH + _GAP)
        y = (index // columns) * (HEIGHT + _HEAD)
        parts.append(
            f'<g transform="translate({x} {y + 44})"><text x="{LEFT}" y="-6" font-size="15" font-weight="600">{escape(title)}</text>'
            f"{_panel(rates)}</g>"
        )
    for number, line in enumerate(reversed(caption)):
        y = height - 18 - 19 * number
        parts.append(f'<text class="soft" x="{16 + LEFT}" y="{y}" font-size="13">{escape(line)}</text>')
    told = escape(" ".join(caption))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" '
        f'aria-label="{told}" font-family="system-ui, Segoe UI, Roboto, DejaVu Sans, sans-serif"><style>{STYLE}</style>'
        f"{''.join(parts)}</svg>\n"
    )


def _x(share: float) -> float:
    return LEFT + SIDE * share


def _y(share: float) -> float:
    return TOP + SIDE * (1 - share)


def _panel(rates: Rates) -> str:
    parts = [f'<rect class="frame" x="{LEFT}" y="{TOP}" width="{SIDE}" height="{SIDE}" rx="3"/>']
    for share in (0.25, 0.5, 0.75):
        parts.append(f'<path class="grid" d="M{_x(share):.0f} {TOP}v{SIDE}M{LEFT} {_y(share):.0f}h{SIDE}"/>')
    for share in (0.0, 0.5, 1.0):
        parts.append(_text(_x(share), TOP + SIDE + 16, f"{100 * share:.0f}", "soft", size=11))
        parts.append(_text(LEFT - 7, _y(share) + 4, f"{100 * share:.0f}", "soft", "end", 11))
    parts.append(_text(LEFT + SIDE / 2, TOP + SIDE + 33, "CRR, refuses what it should →", "soft", size=12))
    middle = TOP + SIDE / 2
    parts.append(
        f'<text class="soft" transform="translate(13 {middle}) rotate(-90)" text-anchor="middle" font-size="12">'
        "CAR, answers what it should →</text>"
    )
    parts.append(f'<path class="blind" d="M{_x(0)} {_y(1)}L{_x(1)} {_y(0)}"/>')
    points = [Point(variant, _x(crr.value), _y(car.value)) for variant, (crr, car) in rates.items()]
    for variant, (crr, car) in rates.items():
        parts.append(
            f'<path class="v-{variant}" fill="none" stroke-opacity=".45" stroke-width="2" d="M{_x(crr.low):.1f} {_y(car.value):.1f}H{_x(crr.high):.1f}'
            f'M{_x(crr.value):.1f} {_y(car.low):.1f}V{_y(car.high):.1f}"/>'
        )
    parts += [_arrow(first, second) for first, second in pairwise(points)]
    for point, (variant, (crr, car)) in zip(points, rates.items(), strict=True):
        told = f"{variant}: CRR {100 * crr.value:.1f}, CAR {100 * car.value:.1f}"
        parts.append(
            f'<circle class="v-{variant}" cx="{point.x:.1f}" cy="{point.y:.1f}" r="{_RADIUS}"><title>{told}</title></circle>'
        )
    parts += _labels(points)
    return "".join(parts)


def _text(x: float, y: float, text: str, cls: str, anchor: str = "middle", size: float = 12) -> str:
    return f'<text class="{cls}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}">{escape(text)}</text>'


def _arrow(first: Point, second: Point) -> str:
    """A slightly bent line from point to point, with its head outside the second mark."""
    dx, dy = second.x - first.x, second.y - first.y
    length = math.hypot(dx, dy)
    if length < 2 * _RADIUS + 8:
        return ""
    bend = 0.07 * length
    bent_x, bent_y = (
        (first.x + second.x) / 2 - bend * dy / length,
        (first.y + second.y) / 2 + bend * dx / length,
    )
    bent_x, bent_y = min(max(bent_x, LEFT + 4), LEFT + SIDE - 4), min(max(bent_y, TOP + 4), TOP + SIDE - 4)
    start_x, start_y = _towards(first.x, first.y, bent_x, bent_y, _RADIUS + 1)
    tip_x, tip_y = _towards(second.x, second.y, bent_x, bent_y, _RADIUS + 2)
    end_x, end_y = _towards(second.x, second.y, bent_x, bent_y, _RADIUS + 9)
    across_x, across_y = (end_y - tip_y) * 0.5, (tip_x - end_x) * 0.5
    return (
        f'<path class="arrow" d="M{start_x:.1f} {start_y:.1f}Q{bent_x:.1f} {bent_y:.1f} {end_x:.1f} {end_y:.1f}"/>'
        f'<path class="head" d="M{tip_x:.1f} {tip_y:.1f}L{end_x + across_x:.1f} {end_y + across_y:.1f}L{end_x - across_x:.1f} {end_y - across_y:.1f}z"/>'
    )


def _towards(x: float, y: float, to_x: float, to_y: float, distance: float) -> tuple[float, float]:
    length = math.hypot(to_x - x, to_y - y) or 1.0
    return x + (to_x - x) * distance / length, y + (to_y - y) * distance / length


def _labels(points: Sequence[Point]) -> list[str]:
    """Names beside the points, each where it covers least."""
    taken = [(point.x - _RADIUS, point.y - _RADIUS, point.x + _RADIUS, point.y + _RADIUS) for point in points]
    texts = []
    for point in points:
        width, best = 7.6 * len(point.variant), None
        for angle in (0, 315, 45, 180, 225, 135, 270, 90):
            turn = math.radians(angle)
            x = point.x + math.cos(turn) * (_RADIUS + 5 + width / 2)
            y = point.y + math.sin(turn) * (_RADIUS + 9)
            box = (x - width / 2, y - 7, x + width / 2, y + 7)
            cost = sum(_overlap(box, other) for other in taken)
            outside = (
                max(LEFT - box[0], 0)
                + max(box[2] - LEFT - SIDE, 0)
                + max(TOP - box[1], 0)
                + max(box[3] - TOP - SIDE, 0)
            )
            if best is None or cost + 40 * outside < best[0]:
                best = (cost + 40 * outside, x, y, box)
        if best is not None:
            taken.append(best[3])
            texts.append(
                f'<text class="v-{point.variant} halo" x="{best[1]:.1f}" y="{best[2] + 4.3:.1f}" text-anchor="middle" '
                f'font-size="{_LABEL}" font-weight="650">{point.variant}</text>'
            )
    return texts


def _overlap(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> float:
    return max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
