"""A stand-in that behaves as Ollama's server does, for a client that speaks OpenAI's API to it.

What it does as Ollama: lists models with their tag and answers to names without it; answers 404 to models that are not
pulled; takes images as base64 only, and none for a model without vision; ignores parameters that it does not know, so that
nothing constrains a judge's reply; sends reasoning apart, in ``reasoning``; says 503 when its queue is full; has a page at /.
"""

from __future__ import annotations

import base64
import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from tests.stand_in import JsonHandler, StandIn

VISION, TEXT = "llava:latest", "llama3.1:latest"


class OllamaServer(StandIn):
    """Serves the ``/v1`` part of Ollama on loopback; a context manager.

    Attributes:
        answer: Text of a model, given its name and the prompt.
        asked: Requests by model name, as they were sent.
        queue: Requests that are waited for at once; more are refused with 503.
    """

    def __init__(self, answer: Callable[[str, str], str], queue: int = 512) -> None:
        self.answer, self.queue = answer, queue
        self.asked: Counter[str] = Counter()
        self.busy = self.in_flight = 0
        self._lock = threading.Lock()
        outer = self

        class Handler(JsonHandler):
            def do_GET(self) -> None:
                if self.path == "/":
                    self.send(200, "Ollama is running")
                elif self.path == "/v1/models":
                    models = [
                        {"id": name, "object": "model", "created": 1, "owned_by": "library"}
                        for name in (VISION, TEXT)
                    ]
                    self.send(200, {"object": "list", "data": models})
                else:
                    self.send(404, "404 page not found")

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                self.send(
                    *(
                        outer.chat(body)
                        if self.path == "/v1/chat/completions"
                        else (404, "404 page not found")
                    )
                )

        super().__init__(Handler)

    def chat(self, body: dict[str, Any]) -> tuple[int, Any]:
        with self._lock:
            full = self.in_flight >= self.queue
            self.in_flight += not full
            self.busy += full
        if full:
            return _error(503, "server busy, please try again.  maximum pending requests exceeded")
        try:
            time.sleep(0.01)
            return self._chat(body)
        finally:
            with self._lock:
                self.in_flight -= 1

    def _chat(self, body: dict[str, Any]) -> tuple[int, Any]:
        name = body["model"] if ":" in body["model"] else f"{body['model']}:latest"
        if name not in (VISION, TEXT):
            return _error(404, f'model "{body["model"]}" not found, try pulling it first')
        with self._lock:
            self.asked[body["model"]] += 1
        content = body["messages"][-1]["content"]
        parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
        for part in parts:
            if part["type"] == "image_url":
                if name == TEXT:
                    return _error(500, "this model is missing data required for image input")
                head, _, data = part["image_url"]["url"].partition(",")
                if head not in ("data:image/png;base64", "data:image/jpeg;base64") or not base64.b64decode(
                    data
                ):
                    return _error(400, "invalid image input")
        text = self.answer(name, "".join(part.get("text", "") for part in parts))
        words = text.split(" ")
        cut = len(words) > body.get("max_tokens", 10**6)
        message = {"role": "assistant", "content": " ".join(words[: body.get("max_tokens")])}
        choice = {"index": 0, "message": message, "finish_reason": "length" if cut else "stop"}
        usage = {"prompt_tokens": 26, "completion_tokens": len(words), "total_tokens": 26 + len(words)}
        head = {
            "id": "chatcmpl-7",
            "object": "chat.completion",
            "created": 1,
            "system_fingerprint": "fp_ollama",
        }
        return 200, {**head, "model": body["model"], "choices": [choice], "usage": usage}


def _error(status: int, message: str) -> tuple[int, Any]:
    return status, {"error": {"message": message, "type": "api_error", "param": None, "code": None}}
