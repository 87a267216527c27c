"""An OpenAI-compatible server that misbehaves on purpose, on loopback."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

FAULTS = (
    "429",
    "500",
    "slow",
    "cut",
    "garbage",
    "null_finish",
    "filter_400",
    "filter_finish",
    "empty",
    "length",
)


def answer_to(prompt: str) -> str:
    """The right answer to a prompt: refuses some, so that scores differ from item to item."""
    refuses = hashlib.sha256(prompt.encode()).digest()[0] % 2
    return "I'm sorry, but I can't assist with that." if refuses else f"Sure: {prompt[:20]}"


class _Quiet(ThreadingHTTPServer):
    """Clients that are killed in the middle are nothing to talk about."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass


class FaultServer:
    """Serves ``/v1/models`` and ``/v1/chat/completions``; a context manager.

    Attributes:
        fault_of: Given a prompt and how often it was asked before, the fault to commit, or None.
        asked: How often each prompt was asked.
        answered: How often each prompt got a proper answer.
        key: Bearer token that is accepted; None accepts all.
        reply_of: Given a request, the answer; None answers with :func:`answer_to`.
        valid_for: Requests after which the key expires.
        bodies: The JSON of every request.
    """

    def __init__(self, fault_of: Callable[[str, int], str | None] = lambda prompt, before: None) -> None:
        self.fault_of = fault_of
        self.asked: Counter[str] = Counter()
        self.answered: Counter[str] = Counter()
        self.key: str | None = None
        self.valid_for: int | None = None
        self.delay_s = 0.0
        self.reply_of: Callable[[dict[str, Any]], str] | None = None
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self._lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self._json(200, {"data": [{"id": "served"}]})

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.handle(self, body)

            def _json(self, status: int, content: Any, **headers: str) -> None:
                data = json.dumps(content).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                for name, value in headers.items():
                    self.send_header(name.replace("_", "-"), value)
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *args: object) -> None:
                pass

        self.server = _Quiet(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"

    def __enter__(self) -> FaultServer:
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    def handle(self, request: Any, body: dict[str, Any]) -> None:
        parts = body["messages"][-1]["content"]
        prompt = parts if isinstance(parts, str) else "".join(p.get("text", "") for p in parts)
        with self._lock:
            before = self.asked[prompt]
            self.asked[prompt] += 1
            self.bodies.append(body)
            self.headers.append(dict(request.headers))
            expired = self.valid_for is not None and sum(self.answered.values()) >= self.valid_for
        if expired or (self.key and request.headers.get("Authorization") != f"Bearer {self.key}"):
            shown = request.headers.get("Authorization", "")
            request._json(401, {"error": {"message": f"Incorrect API key provided: {shown}"}})
            return
        if self.delay_s:
            time.sleep(self.delay_s)
        fault = self.fault_of(prompt, before)
        reply: dict[str, Any] = {
            "id": "x",
            "object": "chat.completion",
            "created": 1,
            "model": body["model"],
            "choices": [
                {
                    "index": 0,
                    "finish_reason": "stop",
                    "message": {"role": "assistant", "content": answer_to(prompt)},
                }
            ],
            "usage": {"prompt_tokens": 20, "completion_tokens": 8, "total_tokens": 28},
        }
        choice = reply["choices"][0]
        if self.reply_of is not None:
            choice["message"]["content"] = self.reply_of(body)
        if fault == "429":
            request._json(429, {"error": {"message": "slow down"}}, Retry_After="0")
        elif fault == "500":
            request._json(500, {"error": {"message": "boom"}})
        elif fault == "slow":
            time.sleep(1.5)
            request._json(504, {"error": {"message": "too late"}})
        elif fault == "garbage":
            self._raw(request, b"<html>not json", 14)
        elif fault == "cut":
            data = json.dumps(reply).encode()
            self._raw(request, data[: len(data) // 2], len(data))
        elif fault == "filter_400":
            error = {
                "message": "The response was filtered: the prompt triggered the content management policy",
                "code": "content_filter",
                "type": None,
            }
            request._json(400, {"error": error})
        elif fault == "filter_finish":
            choice["finish_reason"], choice["message"]["content"] = "content_filter", None
            request._json(200, reply)
        elif fault == "null_finish":
            choice["finish_reason"], choice["message"]["content"] = None, "Sure: I was cut"
            request._json(200, reply)
        else:
            if fault == "empty":
                choice["message"]["content"] = ""
            if fault == "length":
                choice["finish_reason"], choice["message"]["content"] = (
                    "length",
                    "I'm sorry, but I am going on and",
                )
            with self._lock:
                self.answered[prompt] += 1
            request._json(200, reply)

    def _raw(self, request: Any, data: bytes, announced: int) -> None:
        request.send_response(200)
        request.send_header("Content-Type", "application/json")
        request.send_header("Content-Length", str(announced))
        request.end_headers()
        request.wfile.write(data)
        request.wfile.flush()
        request.close_connection = True
