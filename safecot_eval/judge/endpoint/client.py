"""The chat client of the judge: the failures and retries of every client here, with a pool for hundreds of requests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from safecot_eval.judge.endpoint.concurrency import RisingLimit
from safecot_eval.judge.endpoint.pool import ConnectionPool
from safecot_eval.util.chat_client import ChatClient


class JudgeClient(ChatClient):
    """A chat client whose requests in flight rise with the server's throughput.

    Args:
        base_url: Ends in ``/v1``.
        key: Sent as bearer token where given.
        most_in_flight: Upper limit of requests in flight.
        timeout_s: For one attempt.
        retries: Further attempts after the first.
        backoff_s: Wait before the first retry; doubles, with jitter.
    """

    def __init__(
        self,
        base_url: str,
        key: str | None,
        *,
        most_in_flight: int,
        timeout_s: float,
        retries: int,
        backoff_s: float,
    ) -> None:
        super().__init__(
            base_url,
            key,
            timeout_s=timeout_s,
            retries=retries,
            backoff_s=backoff_s,
            limit=RisingLimit(most_in_flight),
        )
        headers = {"authorization": f"Bearer {key}"} if key else {}
        self._pool = ConnectionPool(self.url, headers, timeout_s=timeout_s)

    async def _send(self, body: Mapping[str, Any]) -> tuple[int, str | None, bytes]:
        status, headers, content = await self._pool.post(orjson.dumps(body))
        return status, headers.get("retry-after"), content

    async def __aexit__(self, *details: object) -> None:
        self._pool.close()
        await super().__aexit__(*details)
