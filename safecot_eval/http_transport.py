"""HTTP/1.1 for one endpoint and hundreds of requests in flight: an httpx transport with one plain connection pool.

httpx's own pool looks at every connection for every request; with 256 connections that costs 19 ms of CPU per request on
this project's test machine, against 0.4 ms here (``benchmarks/bench_judge.py``). Parsing is h11's, as in httpx.
"""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass

import h11
import httpx

MAX_BODY_BYTES = 32 * 2**20
_CHUNK = 2**16


@dataclass(slots=True, eq=False)
class _Connection:
    """One connection; ``used`` once it has carried a whole exchange."""

    state: h11.Connection
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    used: bool = False


class _Stale(Exception):
    """The server closed an idle connection before it saw our request."""


class PooledTransport(httpx.AsyncBaseTransport):
    """Keeps as many connections as were ever needed at once; the last one returned is used first.

    Args:
        max_body_bytes: Replies over this size are a :class:`httpx.RemoteProtocolError`.
    """

    def __init__(self, max_body_bytes: int = MAX_BODY_BYTES) -> None:
        self._idle: dict[tuple[str, str, int], list[_Connection]] = {}
        self._tls: ssl.SSLContext | None = None
        self._max_body_bytes = max_body_bytes

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request on an idle or a new connection.

        Raises:
            httpx.ConnectError, httpx.ConnectTimeout, httpx.ReadTimeout, httpx.ReadError,
            httpx.RemoteProtocolError: as httpx's own transport does.
        """
        timeouts = request.extensions.get("timeout", {})
        body = await request.aread()
        url = request.url
        place = (url.scheme, url.host, url.port or (443 if url.scheme == "https" else 80))
        while True:
            idle = self._idle.get(place)
            connection = idle.pop() if idle else await self._open(place, timeouts.get("connect"))
            keep = False
            try:
                async with asyncio.timeout(timeouts.get("read")):
                    response, keep = await self._exchange(connection, request, body)
                return response
            except _Stale:
                continue
            except TimeoutError as error:
                raise httpx.ReadTimeout("the reply did not come in time", request=request) from error
            except (h11.RemoteProtocolError, h11.LocalProtocolError) as error:
                raise httpx.RemoteProtocolError(str(error), request=request) from error
            except OSError as error:
                raise httpx.ReadError(type(error).__name__, request=request) from error
            finally:
                if keep:
                    self._idle.setdefault(place, []).append(connection)
                else:
                    connection.writer.close()

    async def _open(self, place: tuple[str, str, int], timeout: float | None) -> _Connection:
        scheme, host, port = place
        if scheme == "https" and self._tls is None:
            self._tls = httpx.create_ssl_context(trust_env=False)
        try:
            async with asyncio.timeout(timeout):
                reader, writer = await asyncio.open_connection(
                    host, port, ssl=self._tls if scheme == "https" else None, limit=2**20
                )
        except TimeoutError as error:
            raise httpx.ConnectTimeout(f"{host}:{port} does not answer") from error
        except OSError as error:
            raise httpx.ConnectError(f"{host}:{port}: {type(error).__name__}") from error
        return _Connection(h11.Connection(h11.CLIENT), reader, writer)

    async def _exchange(
        self, connection: _Connection, request: httpx.Request, body: bytes
    ) -> tuple[httpx.Response, bool]:
        state = connection.state
        if connection.used:
            state.start_next_cycle()
        head = h11.Request(
            method=request.method, target=request.url.raw_path, headers=list(request.headers.raw)
        )
        parts = [state.send(head), state.send(h11.Data(data=body)), state.send(h11.EndOfMessage())]
        received = False
        try:
            connection.writer.write(b"".join(part for part in parts if part))
            await connection.writer.drain()
        except OSError as error:
            if connection.used:
                raise _Stale from error
            raise
        answer: h11.Response | None = None
        content, size = [], 0
        while True:
            event = state.next_event()
            if event is h11.NEED_DATA:
                try:
                    data = await connection.reader.read(_CHUNK)
                except OSError as error:
                    if connection.used and not received:
                        raise _Stale from error
                    raise
                if not data and connection.used and not received:
                    raise _Stale
                received = True
                state.receive_data(data)
            elif isinstance(event, h11.Response):
                answer = event
            elif isinstance(event, h11.Data):
                content.append(bytes(event.data))
                size += len(event.data)
                if size > self._max_body_bytes:
                    raise h11.RemoteProtocolError(
                        f"the reply is longer than {self._max_body_bytes // 2**20} MiB"
                    )
            elif event is h11.PAUSED or isinstance(event, h11.EndOfMessage | h11.ConnectionClosed):
                break
        if answer is None or not isinstance(event, h11.EndOfMessage):
            raise h11.RemoteProtocolError("the connection was closed before the reply was whole")
        connection.used = True
        response = httpx.Response(
            answer.status_code, headers=list(answer.headers), content=b"".join(content), request=request
        )
        return response, state.our_state is h11.DONE and state.their_state is h11.DONE

    async def aclose(self) -> None:
        """Close the idle connections."""
        for connections in self._idle.values():
            for connection in connections:
                connection.writer.close()
        self._idle.clear()
