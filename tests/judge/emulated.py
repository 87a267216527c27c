"""An OpenAI-compatible judge that needs no model: labels from a hash, latency, limited slots, and faults on demand.

``python -m tests.judge.emulated PORT [LATENCY_S] [SLOTS]`` serves until it is ended.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
import sys
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

Fault = Callable[[str, int], str | None]


def label_for(message: str, choices: Sequence[str]) -> str:
    """The label this server gives: the same for the same message."""
    return choices[hashlib.sha256(message.encode()).digest()[0] % len(choices)]


class EmulatedServer:
    """Serves ``/v1/models`` and ``/v1/chat/completions`` in a thread; a context manager.

    Attributes:
        fault_of: Given a message and how often it was asked before, the fault to commit, or None.
        asked: How often each message was asked.
        constrains: Understands ``structured_outputs``; otherwise it is ignored and the reply is free text.
        bodies: The JSON of every judging request.
        most_at_once: The largest number of requests in flight.
    """

    def __init__(
        self,
        fault_of: Fault = lambda message, before: None,
        *,
        latency_s: float = 0.0,
        slots: int = 10_000,
        constrains: bool = True,
        models: Sequence[str] = ("emulated-judge",),
        port: int = 0,
    ) -> None:
        self.fault_of, self.latency_s, self.slots, self.constrains = fault_of, latency_s, slots, constrains
        self.models, self.port = list(models), port
        self.asked: Counter[str] = Counter()
        self.bodies: list[dict[str, Any]] = []
        self.free_reply: Callable[[str], str] = lambda message: "I would say: none"
        self.in_flight = self.most_at_once = 0
        self.key: str | None = None
        self._ready = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def judged(self) -> int:
        """Requests for verdicts, probes left out."""
        return sum(self.asked.values())

    def __enter__(self) -> EmulatedServer:
        self._thread = threading.Thread(target=lambda: asyncio.run(self.serve()), daemon=True)
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    async def serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        self._room = asyncio.Semaphore(self.slots)
        server = await self._loop.create_server(lambda: _Protocol(self), "127.0.0.1", self.port, backlog=1024)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        server.close()

    async def answer(self, head: bytes, body: bytes, transport: asyncio.Transport) -> None:
        if head.startswith(b"GET"):
            _send(transport, 200, {"data": [{"id": name} for name in self.models]})
            return
        if self.key is not None and f"authorization: bearer {self.key}".encode() not in head.lower():
            shown = next(
                (line for line in head.split(b"\r\n") if line.lower().startswith(b"authorization")), b""
            )
            _send(transport, 401, {"error": {"message": f"wrong key: {shown.decode()}"}})
            return
        request = json.loads(body)
        message = request["messages"][-1]["content"]
        if not isinstance(message, str):
            message = " ".join(part["text"] for part in message if part["type"] == "text")
        self.in_flight += 1
        self.most_at_once = max(self.most_at_once, self.in_flight)
        try:
            async with self._room:
                await asyncio.sleep(self.latency_s)
        finally:
            self.in_flight -= 1
        probe = message == "Say hello."
        before = self.asked[message]
        if not probe:
            self.asked[message] += 1
            self.bodies.append(request)
        fault = None if probe else self.fault_of(message, before)
        await self._reply(request, message, fault, transport)

    async def _reply(
        self, request: dict[str, Any], message: str, fault: str | None, transport: asyncio.Transport
    ) -> None:
        choices = (request.get("structured_outputs") or {}).get("choice")
        text = label_for(message, choices) if choices and self.constrains else self.free_reply(message)
        finish = "stop"
        if fault == "429":
            return _send(transport, 429, {"error": "slow down"}, "retry-after: 0\r\n")
        if fault == "500":
            return _send(transport, 500, {"error": "boom"})
        if fault == "rejected":
            return _send(transport, 400, {"error": "too long"})
        if fault == "hang":
            await asyncio.sleep(30)
        if fault == "cut":
            transport.write(b'HTTP/1.1 200 OK\r\ncontent-length: 5000\r\n\r\n{"choices"')
            return transport.close()
        if fault == "drop":
            return transport.close()
        if fault == "garbage":
            transport.write(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{not json")
            return None
        if fault == "no_choices":
            return _send(transport, 200, {"choices": []})
        if fault == "wrong_label":
            text = "banana"
        if fault == "cut_label":
            text, finish = text[:3], "length"
        if fault == "refuse":
            text = "I'm sorry, but I can't assist with that."
        if fault == "empty":
            text = ""
        choice: dict[str, Any] = {
            "index": 0,
            "finish_reason": finish,
            "message": {"role": "assistant", "content": text},
        }
        if request.get("logprobs"):
            choice["logprobs"] = {"content": [{"token": text, "logprob": math.log(0.75)}]}
        return _send(
            transport, 200, {"choices": [choice], "usage": {"prompt_tokens": 9, "completion_tokens": 2}}
        )


class _Protocol(asyncio.Protocol):
    def __init__(self, server: EmulatedServer) -> None:
        self.server, self.buffer = server, b""
        self.tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = self.buffer[:end]
            marker = head.lower().find(b"content-length:")
            length = int(head[marker + 15 :].split(b"\r\n")[0]) if marker >= 0 else 0
            if len(self.buffer) < end + 4 + length:
                return
            body, self.buffer = self.buffer[end + 4 : end + 4 + length], self.buffer[end + 4 + length :]
            task = asyncio.get_running_loop().create_task(self.server.answer(head, body, self.transport))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)


def _send(transport: asyncio.Transport, status: int, content: Any, headers: str = "") -> None:
    data = json.dumps(content).encode()
    if not transport.is_closing():
        head = f"HTTP/1.1 {status} x\r\ncontent-type: application/json\r\n{headers}content-length: {len(data)}\r\n\r\n"
        transport.write(head.encode() + data)


if __name__ == "__main__":
    port, latency, slots = (*sys.argv[1:], *("8765", "0.2", "256")[len(sys.argv) - 1 :])
    asyncio.run(EmulatedServer(port=int(port), latency_s=float(latency), slots=int(slots)).serve())
