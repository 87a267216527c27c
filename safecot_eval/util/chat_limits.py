"""How many requests of a chat client may be in flight."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class AdaptiveLimit:
    """One more per round of successes, half as many after an overload.

    Args:
        most: The upper limit, and where it starts.
    """

    def __init__(self, most: int) -> None:
        self.most = max(1, most)
        self.limit = float(self.most)
        self.in_flight = 0
        self._lowered = -1e9
        self._changed = asyncio.Condition()

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Wait for a free place and hold it."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.in_flight < int(self.limit))
            self.in_flight += 1
        try:
            yield
        finally:
            async with self._changed:
                self.in_flight -= 1
                self._changed.notify_all()

    def succeeded(self) -> None:
        """Note a success."""
        self.limit = min(float(self.most), self.limit + 1.0 / self.limit)

    def overloaded(self) -> None:
        """Note a 429, a 503 or a timeout (those of one second count once)."""
        now = time.monotonic()
        if now - self._lowered >= 1.0:
            self._lowered = now
            self.limit = max(1.0, self.limit / 2)
