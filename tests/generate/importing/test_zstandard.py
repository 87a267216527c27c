"""Inspect's present logs are compressed with Zstandard; damaged and lying ones are one sentence."""

from __future__ import annotations

import json
import struct
import zlib
from pathlib import Path
from typing import Any

import pytest
import zstandard

from safecot_eval.generate.importing import read
from safecot_eval.util.errors import SafecotError
from tests.generate.importing.test_reading import sample

ZSTANDARD = 93


def write(path: Path, members: dict[str, Any], **lies: int) -> Path:
    """A zip file of Zstandard members, which Python's own module cannot write yet."""
    body, directory = b"", b""
    for name, content in members.items():
        plain = json.dumps(content).encode()
        packed = zstandard.compress(plain)
        crc = lies.get("crc", zlib.crc32(plain))
        size = len(plain) + lies.get("more", 0)
        common = struct.pack("<HHHHHLLLHH", 20, 0, ZSTANDARD, 0, 33, crc, len(packed), size, len(name), 0)
        directory += b"PK\x01\x02" + struct.pack("<H", 20) + common
        directory += struct.pack("<HHHLL", 0, 0, 0, 0, len(body)) + name.encode()
        body += b"PK\x03\x04" + common + name.encode() + packed
    end = struct.pack("<HHHHLLH", 0, 0, len(members), len(members), len(directory), len(body), 0)
    path.write_bytes(body + directory + b"PK\x05\x06" + end)
    return path


def members() -> dict[str, Any]:
    log = {f"samples/{n}_epoch_1.json": sample(n) for n in (1, 2)}
    return {**log, "header.json": {"version": 2, "eval": {"model": "openai/gpt-x"}}}


def test_the_field_report(data_dir: Path) -> None:
    source = read(data_dir / "field_reports/inspect-zstd/log.eval")
    assert source.kind == "inspect"
    assert source.answers
    assert all(answer.prompt for answer in source.answers)


def test_a_log_of_our_own(tmp_path: Path) -> None:
    source = read(write(tmp_path / "log.eval", members()))
    assert (source.model, [answer.item_id for answer in source.answers]) == ("openai/gpt-x", ["1", "2"])


@pytest.mark.parametrize("lie", [{"crc": 7}, {"more": 5}, {"more": -5}])
def test_a_lying_directory(tmp_path: Path, lie: dict[str, int]) -> None:
    with pytest.raises(SafecotError, match="log.eval, header.json: not JSON, or damaged"):
        read(write(tmp_path / "log.eval", members(), **lie))


def test_damaged_bytes(tmp_path: Path) -> None:
    path = write(tmp_path / "log.eval", members())
    content = bytearray(path.read_bytes())
    for place in range(60, 90):
        content[place] ^= 0x5A
    path.write_bytes(bytes(content))
    with pytest.raises(SafecotError, match="log.eval"):
        read(path)
