"""Mutations of bytes, and of the values inside JSON and YAML: what random bytes alone never reach."""

from __future__ import annotations

import json
import random
from typing import Any

VALUES: list[Any] = [
    None, True, False, 0, -1, 1, 2**31, 2**63, 10**400, 1e308, -0.0, float("nan"), float("inf"), "", " ", "0", "x" * 3000,
    "\ud800", "\x00", "\x1b[2J", "=1+1", "../../etc/passwd", "<script>", "ok", "refuse", [], [[]], {}, {"": {}}, [None], [1],
    "safecot25@c6aa4b88", {"score": 2}, "1" * 16, "z" * 16, "٣" * 16, "-000000000000001",
]  # fmt: skip
TOKENS = (
    b"\n", b"\r", b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"{", b"}", b"[", b"]", b'"', b",", b":", b"-", b"&a ", b"*a",
    b"!!python/object/apply:os.system [id]", b"<<: ", b"---\n", b"NaN", b"Infinity", b"1e999", b"\\ud800", b"\xe2\x80\xae",
    b"[" * 2000, b'{"a":' * 2000, b"9" * 6000, b"</think>", b"<think>",
)  # fmt: skip


def mutate(data: bytes, draw: random.Random, others: list[bytes]) -> bytes:
    """One to four mutations of an input."""
    for _ in range(draw.choice((1, 1, 2, 4))):
        data = structured(data, draw) if draw.random() < 0.5 else raw(data, draw, others)
    return data[: 2**20]


def raw(data: bytes, draw: random.Random, others: list[bytes]) -> bytes:
    """A mutation that knows nothing of formats."""
    at = draw.randrange(len(data) + 1)
    end = min(len(data), at + draw.choice((1, 1, 2, 8, 64)))
    kind = draw.randrange(7)
    if kind == 0:
        return data[:at]
    if kind == 1:
        return data[:at] + data[end:]
    if kind == 2:
        return data[:at] + bytes(draw.randrange(256) for _ in range(end - at)) + data[end:]
    if kind == 3:
        return data[:at] + draw.choice(TOKENS) + data[at:]
    if kind == 4:
        return data[:at] + data[at:end] * draw.choice((2, 3, 50)) + data[end:]
    if kind == 5:
        other = draw.choice(others)
        return data[:at] + other[draw.randrange(len(other) + 1) :]
    flipped = bytearray(data)
    if flipped:
        flipped[at % len(data)] ^= 1 << draw.randrange(8)
    return bytes(flipped)


def structured(data: bytes, draw: random.Random) -> bytes:
    """Change, remove, double or move a value inside one JSON line (or the whole JSON); other bytes stay."""
    lines = data.split(b"\n")
    chosen = draw.randrange(len(lines))
    for whole, part in ((False, lines[chosen]), (True, data)):
        try:
            content = json.loads(part)
        except (ValueError, RecursionError):
            continue
        changed = json.dumps(_changed(content, draw)).encode()
        if whole:
            return changed
        lines[chosen] = changed
        if draw.random() < 0.1:
            lines.insert(draw.randrange(len(lines) + 1), changed)
        return b"\n".join(lines)
    return raw(data, draw, [data])


def _changed(value: Any, draw: random.Random) -> Any:
    if isinstance(value, dict) and value and draw.random() < 0.9:
        key = draw.choice(sorted(value))
        kind = draw.random()
        if kind < 0.15:
            return {k: v for k, v in value.items() if k != key}
        if kind < 0.25:
            other = draw.choice(sorted(value))
            return {**value, key: value[other], other: value[key]}
        if kind < 0.3:
            return {**value, str(draw.choice(VALUES)): draw.choice(VALUES)}
        return {**value, key: _changed(value[key], draw)}
    if isinstance(value, list) and value and draw.random() < 0.7:
        index = draw.randrange(len(value))
        if draw.random() < 0.2:
            return value[:index] + value[index + 1 :]
        return [*value[:index], _changed(value[index], draw), *value[index + 1 :]]
    return draw.choice(VALUES)
