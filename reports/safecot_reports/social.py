"""The picture that a link to the page shows elsewhere: 1200 x 630 pixels, the best models and their two rates."""

from __future__ import annotations

import io
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from safecot_eval.aggregate.leaderboard import POOLED
from safecot_eval.records.evaluator import Evaluator, Kind
from safecot_reports.export import plain

SIZE = (1200, 630)
_INK, _SOFT, _GROUND, _TRACK, _BAR, _SECOND = "#1b2327", "#56626a", "#fbfbf9", "#e3e7e6", "#0b6362", "#ae8e1d"
_ROWS = 6
_ORDER = {Kind.JUDGE: 0, Kind.PHRASES: 1, Kind.PEOPLE: 2}


def card(data: dict[str, Any]) -> bytes:
    """The picture as PNG: title, what is compared, and up to six models by their balanced rate."""
    image = Image.new("RGB", SIZE, _GROUND)
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, SIZE[0], 12), fill=_BAR)
    draw.text((60, 46), _fitted(plain(data["title"]), 50, 1080), fill=_INK, font=_font(50))
    models, tasks = len(data["models"]), len(data["tasks"])
    about = (
        data.get("description") or f"{models} models on {tasks} benchmark {'task' if tasks == 1 else 'tasks'}"
    )
    draw.text((60, 116), _fitted(plain(about), 28, 1080), fill=_SOFT, font=_font(28))
    rows = best(data)
    for k, (model, crr, car) in enumerate(rows):
        y = 190 + k * 62
        draw.text((60, y + 4), _fitted(plain(model), 26, 440), fill=_INK, font=_font(26))
        for value, colour, dy in ((crr, _BAR, 2), (car, _SECOND, 24)):
            draw.rounded_rectangle((520, y + dy, 1020, y + dy + 16), 8, fill=_TRACK)
            if value > 0:
                draw.rounded_rectangle((520, y + dy, 520 + max(16, 500 * value), y + dy + 16), 8, fill=colour)
            draw.text((1036, y + dy - 5), f"{100 * value:.1f} %", fill=_INK, font=_font(20))
    if rows:
        for x, colour, text in ((520, _BAR, "refuses harmful"), (760, _SECOND, "answers harmless")):
            draw.rounded_rectangle((x, 582, x + 22, 598), 8, fill=colour)
            draw.text((x + 32, 576), text, fill=_SOFT, font=_font(22))
    draw.text((60, 576), "safecot-eval", fill=_SOFT, font=_font(22))
    stream = io.BytesIO()
    image.save(stream, "PNG", optimize=True)
    return stream.getvalue()


def best(data: dict[str, Any]) -> list[tuple[str, float, float]]:
    """Up to six models with both rates, best balanced first: by the task and evaluator that know most models."""
    reference = {model["name"] for model in data["models"] if model["reference"]}
    groups: dict[tuple[str, str], dict[str, dict[str, float]]] = {}
    for c in data["cells"]:
        if c["metric"] in ("crr", "car") and c["value"] is not None and c["model"] not in reference:
            groups.setdefault((c["task"], c["evaluator"]), {}).setdefault(c["model"], {})[c["metric"]] = c[
                "value"
            ]
    both = {
        place: [(m, r["crr"], r["car"]) for m, r in of.items() if len(r) == 2] for place, of in groups.items()
    }
    if not any(both.values()):
        return []

    def weight(entry: tuple[tuple[str, str], list[Any]]) -> tuple[int, bool, int, str]:
        (task, evaluator), rows = entry
        return len(rows), task == POOLED, -_ORDER.get(Evaluator.parse(evaluator).kind, 9), evaluator

    chosen = max(both.items(), key=weight)[1]
    return sorted(chosen, key=lambda row: (-(row[1] + row[2]), row[0]))[:_ROWS]


def _font(size: int) -> Any:
    return ImageFont.load_default(size)


def _fitted(text: str, size: int, width: int) -> str:
    """The text, shortened to a width; letters that the built-in font lacks become question marks."""
    text = text.encode("latin-1", "replace").decode("latin-1").replace("\n", " ")
    font = _font(size)
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + "...") > width:
        text = text[:-1]
    return text + "..."
