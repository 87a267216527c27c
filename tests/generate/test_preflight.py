"""Checks before the first token."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from safecot_eval.cli import cli
from safecot_eval.generate import preflight
from safecot_eval.generate.plan import Plan
from safecot_eval.util.errors import SafecotError


def planned(back_end: str, **arguments: str) -> Plan:
    return Plan(back_end, arguments, {"safecot_toy": 1}, (), {}, Path("runs"))


@pytest.fixture
def endpoint() -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            refused = self.headers.get("Authorization") != "Bearer right"
            body = json.dumps({"data": [{"id": "served"}]}).encode()
            self.send_response(401 if refused else 200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()


def test_endpoint(endpoint: str) -> None:
    preflight.check_model(planned("openai", base_url=endpoint, model="served", api_key="right"))
    preflight.check_model(planned("openai", base_url=endpoint, model="other", api_key="right"))  # a warning
    with pytest.raises(SafecotError, match="refuses the key") as caught:
        preflight.check_model(planned("openai", base_url=endpoint, model="served", api_key="wrong"))
    assert "wrong" not in str(caught.value)
    with pytest.raises(SafecotError, match="does not answer"):
        preflight.check_model(planned("openai", base_url="http://127.0.0.1:9/v1", model="m"))


def test_files(tmp_path: Path) -> None:
    with pytest.raises(SafecotError, match="needs --model_args responses="):
        preflight.check_model(planned("safecot_replay"))
    with pytest.raises(SafecotError, match="is not a file"):
        preflight.check_model(planned("safecot_replay", responses=str(tmp_path / "none.jsonl")))
    damaged = tmp_path / "damaged.jsonl"
    damaged.write_text('{"task": "t", "id": "1", "response": ""}\n{"task"\n', encoding="utf-8")
    with pytest.raises(SafecotError, match=r"damaged.jsonl, line 2: not a JSON object"):
        preflight.check_model(planned("safecot_replay", responses=str(damaged)))
    with pytest.raises(SafecotError, match="neither config.json"):
        preflight.check_model(planned("safecot_hf", pretrained=str(tmp_path)))
    with pytest.raises(SafecotError, match="is not a folder"):
        preflight.check_model(planned("safecot_hf", pretrained=str(tmp_path / "gone")))
    with pytest.raises(SafecotError, match="needs --model_args pretrained="):
        preflight.check_model(planned("safecot_hf"))
    preflight.check_model(planned("safecot_hf", pretrained="org/hub-model"))


def test_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    preflight.check_output(tmp_path / "new" / "folder")
    assert list(tmp_path.iterdir()) == []
    blocked = tmp_path / "file"
    blocked.touch()
    with pytest.raises(SafecotError, match="cannot be written to"):
        preflight.check_output(blocked / "below" / "it")
    with pytest.raises(SafecotError, match="cannot be written to"):
        preflight.check_output(tmp_path / ("x" * 300))
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=5 * 2**20))
    with pytest.raises(SafecotError, match="only 5 MiB free"):
        preflight.check_output(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["--model", "safecot_baseline", "--model_args", "policy=refuse", "--dry-run"], 0),
        (["--model", "safecot_hf"], 1),
        (["--model", "safecot_hf", "--model_args", "pretrained=./gone", "--dry-run"], 1),
        (["--models", "gpt-4o", "--dry-run"], 1),
    ],
)
def test_a_dry_run_or_a_mistake_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], status: int
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    done = CliRunner().invoke(cli, ["run", "--tasks", "safecot_mini_tiny", *arguments])
    assert done.exit_code == status, done.output
    assert list(tmp_path.iterdir()) == []
