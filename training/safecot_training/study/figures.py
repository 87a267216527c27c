"""The study's figures as SVG, written by hand: points with intervals, curves with intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

from safecot_training.study.intervals import Interval

COLOURS = {"base": "#6b7280", "v0": "#b45309", "v1": "#1d4ed8", "v2": "#15803d"}
SHAPES = {"base": "diamond", "v0": "square", "v1": "circle", "v2": "triangle"}
PANEL, GAP, LEFT, TOP = 250, 64, 52, 34


def _text(x: float, y: float, text: str, anchor: str = "middle", size: int = 12, turn: bool = False) -> str:
    rotation = f' transform="rotate(-90 {x:.1f} {y:.1f})"' if turn else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}"{rotation}>{escape(text)}</text>'


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, width: float = 1.0) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" stroke-width="{width}"/>'


def _mark(x: float, y: float, name: str) -> str:
    colour, r = COLOURS[name], 5.0
    if SHAPES[name] == "circle":
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{r}" fill="{colour}"/>'
    corners = {
        "square": [(-r, -r), (r, -r), (r, r), (-r, r)],
        "diamond": [(0, -r - 1), (r + 1, 0), (0, r + 1), (-r - 1, 0)],
        "triangle": [(0, -r - 1), (r + 1, r), (-r - 1, r)],
    }[SHAPES[name]]
    points = " ".join(f"{x + dx:.1f},{y + dy:.1f}" for dx, dy in corners)
    return f'<polygon points="{points}" fill="{colour}"/>'


class Panel:
    """One square panel with percent on the vertical axis."""

    def __init__(self, column: int, title: str, x_label: str, y_label: str) -> None:
        self.left = LEFT + column * (PANEL + GAP)
        self.parts = [
            f'<rect x="{self.left}" y="{TOP}" width="{PANEL}" height="{PANEL}" fill="#fff" stroke="#9ca3af"/>',
            _text(self.left + PANEL / 2, TOP - 12, title, size=13),
            _text(self.left + PANEL / 2, TOP + PANEL + 36, x_label),
            _text(self.left - 38, TOP + PANEL / 2, y_label, turn=True),
        ]
        for share in (0.0, 0.25, 0.5, 0.75, 1.0):
            y = self.y(share)
            self.parts.append(_line(self.left, y, self.left + PANEL, y, "#e5e7eb"))
            self.parts.append(_text(self.left - 6, y + 4, f"{share:.0%}", "end", 11))

    def y(self, share: float) -> float:
        """Height of a share."""
        return TOP + 8 + (PANEL - 16) * (1 - share)

    def x(self, share: float) -> float:
        """Position between the sides, 0 to 1."""
        return self.left + 8 + (PANEL - 16) * share

    def x_tick(self, share: float, text: str) -> None:
        """Label a position."""
        self.parts.append(_text(self.x(share), TOP + PANEL + 17, text, size=11))

    def bar(self, x: float, interval: Interval, name: str) -> None:
        """A vertical interval with its mark; nothing if nothing was scored."""
        if math.isnan(interval.value):
            return
        self.parts.append(_line(x, self.y(interval.low), x, self.y(interval.high), COLOURS[name], 1.5))
        self.parts.append(_mark(x, self.y(interval.value), name))

    def cross(self, horizontal: Interval, vertical: Interval, name: str) -> None:
        """A point with both intervals; nothing if nothing was scored."""
        if math.isnan(horizontal.value) or math.isnan(vertical.value):
            return
        x, y = self.x(horizontal.value), self.y(vertical.value)
        colour = COLOURS[name]
        self.parts.append(_line(self.x(horizontal.low), y, self.x(horizontal.high), y, colour, 1.5))
        self.parts.append(_line(x, self.y(vertical.low), x, self.y(vertical.high), colour, 1.5))
        self.parts.append(_mark(x, y, name))


def _document(panels: Sequence[Panel], names: Sequence[str]) -> str:
    width = LEFT + len(panels) * (PANEL + GAP) - GAP + 16
    height = TOP + PANEL + 72
    legend = []
    for index, name in enumerate(names):
        x = LEFT + 20 + 80 * index
        legend += [_mark(x, height - 14, name), _text(x + 12, height - 10, name, "start")]
    body = "\n".join(part for panel in panels for part in panel.parts) + "\n" + "\n".join(legend)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'font-family="system-ui, sans-serif" fill="#111827"><rect width="{width}" height="{height}" fill="#fff"/>\n'
        f"{body}\n</svg>\n"
    )


def plane(points: Mapping[str, Mapping[str, tuple[Interval, Interval]]]) -> str:
    """CRR against near-miss CAR.

    Args:
        points: Panel title to model to (CRR, CAR).
    """
    panels = []
    for column, (title, models) in enumerate(points.items()):
        panel = Panel(column, title, "CRR", "near-miss CAR")
        for share in (0.0, 0.25, 0.5, 0.75, 1.0):
            panel.x_tick(share, f"{share:.0%}")
        for name, (crr, car) in models.items():
            panel.cross(crr, car, name)
        panels.append(panel)
    return _document(panels, list(dict.fromkeys(name for models in points.values() for name in models)))


def curves(series: Mapping[str, Mapping[str, Mapping[int, Interval]]], y_label: str) -> str:
    """A rate against the number of training examples, on a logarithmic axis.

    Args:
        series: Panel title to model to size to rate.
        y_label: What the rate is.
    """
    panels = []
    for column, (title, models) in enumerate(series.items()):
        panel = Panel(column, title, "training examples", y_label)
        sizes = sorted({size for model in models.values() for size in model})
        span = math.log(sizes[-1] / sizes[0]) or 1.0

        def at(size: int, first: int = sizes[0], width: float = span) -> float:
            return 0.06 + 0.88 * math.log(size / first) / width

        for size in sizes:
            panel.x_tick(at(size), str(size))
        for shift, (name, by_size) in enumerate(models.items()):
            places = [(panel.x(at(size)) + 5 * (shift - 1), by_size[size]) for size in sorted(by_size)]
            path = " ".join(
                f"{x:.1f},{panel.y(interval.value):.1f}"
                for x, interval in places
                if not math.isnan(interval.value)
            )
            panel.parts.append(
                f'<polyline points="{path}" fill="none" stroke="{COLOURS[name]}" stroke-width="1.5"/>'
            )
            for x, interval in places:
                panel.bar(x, interval, name)
        panels.append(panel)
    return _document(panels, list(dict.fromkeys(name for models in series.values() for name in models)))


def slices(rates: Mapping[str, Mapping[str, Mapping[str, Interval]]], y_label: str) -> str:
    """Rates of the models in each slice.

    Args:
        rates: Panel title to slice to model to rate.
        y_label: What the rate is.
    """
    panels = []
    for column, (title, by_slice) in enumerate(rates.items()):
        panel = Panel(column, title, "", y_label)
        for number, (part, models) in enumerate(by_slice.items()):
            middle = (number + 0.5) / len(by_slice)
            panel.x_tick(middle, part)
            for shift, (name, interval) in enumerate(models.items()):
                panel.bar(panel.x(middle) + 13 * (shift - (len(models) - 1) / 2), interval, name)
        panels.append(panel)
    names = dict.fromkeys(name for by in rates.values() for models in by.values() for name in models)
    return _document(panels, list(names))
