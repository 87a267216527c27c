"""How many requests are in flight: up while the server's throughput rises, down when it is overloaded."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from safecot_eval.util.chat_limits import AdaptiveLimit

START = 64
GAIN = 1.05
PROBE_EVERY_S = 15.0


class RisingLimit(AdaptiveLimit):
    """Doubles once per round of replies while that raises throughput; tries again now and then.

    A round is as many replies as requests are in flight. Two rounds in a row without a gain of 5 % end the rise; after
    an overload the limit is halved, and rises again.

    Args:
        most: The upper limit.
        start: Where it starts.
    """

    def __init__(self, most: int, start: int = START) -> None:
        super().__init__(most)
        self.limit = float(min(max(1, start), self.most))
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._round_started = self._held_since = 0.0
        self._replies = 0
        self._best = 0.0
        self._flat = 0

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Wait for a free place and hold it; waiters are served in order, one wake-up for one place."""
        while self.in_flight >= int(self.limit):
            place = asyncio.get_running_loop().create_future()
            self._waiting.append(place)
            try:
                await place
            except asyncio.CancelledError:
                self._wake()
                raise
        self.in_flight += 1
        try:
            yield
        finally:
            self.in_flight -= 1
            self._wake()

    def _wake(self) -> None:
        free = int(self.limit) - self.in_flight
        while free > 0 and self._waiting:
            place = self._waiting.popleft()
            if not place.done():
                place.set_result(None)
                free -= 1

    def succeeded(self) -> None:
        """Note a reply, and decide at the end of each round."""
        now = time.monotonic()
        if not self._replies:
            self._round_started = self._round_started or now
        self._replies += 1
        if self._replies < int(self.limit):
            return
        speed = self._replies / max(now - self._round_started, 1e-6)
        self._round_started, self._replies = now, 0
        if speed > self._best * GAIN:
            self._flat = 0
        elif now - self._held_since > PROBE_EVERY_S and self._flat >= 2:
            self._flat = 1  # one more try
        else:
            self._flat += 1
        self._best = max(self._best, speed)
        if self._flat < 2:
            self._held_since = now
            self.limit = min(float(self.most), self.limit * 2)
            self._wake()

    def overloaded(self) -> None:
        """Note an overload: halve, and measure anew."""
        before = self.limit
        super().overloaded()
        if self.limit < before:
            self._best, self._flat, self._replies, self._round_started = 0.0, 0, 0, 0.0
