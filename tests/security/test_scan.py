"""The secret scan finds planted keys and leaves ordinary text alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.security import scan


@pytest.mark.parametrize(
    "text",
    [
        "sk-" + "aB3" * 16,
        "hf_" + "Zx9" * 12,
        "ghp_" + "a1B" * 13,
        "AKIA" + "ABCDEFGHIJKLMNOP",
        "-----BEGIN " + "PRIVATE KEY-----",
        "https://user" + ":hunter2hunter2@host/",
        'api_key = "' + "q8Zr1LkPz0WmXy7VbNc4TdGh" + '"',
    ],
)
def test_planted_keys_are_found(tmp_path: Path, text: str) -> None:
    path = tmp_path / "file.py"
    path.write_text(f"fine\n{text}\n")
    assert [number for number, _ in scan.findings(path)] == [2]
    path.write_text(f"{text}  # not a key\n")
    assert not list(scan.findings(path))


def test_ordinary_text_is_not(tmp_path: Path) -> None:
    path = tmp_path / "file.py"
    path.write_text(
        'api_key = os.environ["OPENAI_API_KEY"]\nsha256:'
        + "ab12" * 16
        + '\nkey="aaaaaaaaaaaaaaaaaaaaaaaaaaaa"\n'
    )
    assert not list(scan.findings(path))
