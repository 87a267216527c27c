"""HTTP for everything here, on aiohttp: sessions for endpoints, single small requests, downloads.

No session reads the environment by itself: :mod:`safecot_eval.util.proxies` decides for each address. Endpoints are asked
without following redirects, so that a key is sent to nobody else.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urljoin, urlsplit

from safecot_eval.util.proxies import proxy_for

if TYPE_CHECKING:
    import aiohttp
    from yarl import URL

CONNECT_TIMEOUT_S = 30.0
MAX_REDIRECTS = 10
# Servers close a connection that was idle for some time (uvicorn and Node after 5 s); a request that is sent at that very
# moment is lost. So ours are given up first.
KEEP_ALIVE_S = 4.0
_REDIRECTS = (301, 302, 303, 307, 308)
Result = TypeVar("Result")


class TooLong(Exception):
    """A reply is over the limit."""


@dataclass(frozen=True, slots=True)
class Response:
    """What came back.

    Attributes:
        status: HTTP status.
        headers: Names in any case.
        content: The body.
    """

    status: int
    headers: Mapping[str, str]
    content: bytes


def open_session(headers: Mapping[str, str], timeout_s: float) -> aiohttp.ClientSession:
    """A session for many requests at once, as many connections as they need; to be closed by the caller.

    Args:
        headers: Sent with every request.
        timeout_s: For a whole request.
    """
    import aiohttp

    return aiohttp.ClientSession(
        headers=headers,
        timeout=aiohttp.ClientTimeout(total=timeout_s, sock_connect=min(CONNECT_TIMEOUT_S, timeout_s)),
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_ALIVE_S),
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
    )


def exact(url: str) -> URL:
    """The address as it is written: aiohttp would spell ``%3A`` as a colon, which is another file to some servers."""
    from yarl import URL

    return URL(url, encoded=url.isascii() and " " not in url)


async def read(response: aiohttp.ClientResponse, most: int) -> bytes:
    """The whole body.

    Raises:
        TooLong: it is over ``most`` bytes.
    """
    parts, size = [], 0
    async for part in response.content.iter_any():
        size += len(part)
        if size > most:
            raise TooLong(f"the reply is longer than {most // 2**20} MiB")
        parts.append(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def get(
    url: str, headers: Mapping[str, str], *, timeout_s: float, proxy: str | None, most: int = 2**22
) -> Response:
    """Get something small, without following redirects.

    Raises:
        aiohttp.ClientError, TimeoutError, TooLong, ValueError: nothing came back.
    """

    async def ask() -> Response:
        async with (
            open_session(headers, timeout_s) as session,
            session.get(exact(url), proxy=proxy, allow_redirects=False) as response,
        ):
            return Response(response.status, response.headers, await read(response, most))

    return run(ask())


def download(url: str, partial: Path, *, timeout_s: float) -> int:
    """Get a file, from where an earlier download of it ended if the server can.

    Args:
        url: What to get; redirects are followed, each by the rule for its own host.
        partial: Where it goes; what is there already is kept.
        timeout_s: For a connection, and between two pieces.

    Returns:
        The status of the response: 200 or 206 for a file; of others nothing is written.

    Raises:
        aiohttp.ClientError, TimeoutError, OSError, SafecotError: it could not be got; what came is kept.
    """
    import aiohttp

    have = partial.stat().st_size if partial.is_file() else 0
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=timeout_s, sock_read=timeout_s)

    async def fetch() -> int:
        async with (
            aiohttp.ClientSession(headers=headers, timeout=timeout, auto_decompress=False) as session,
            _followed(session, url) as response,
        ):
            if response.status in (200, 206):
                with partial.open("ab" if response.status == 206 else "wb") as stream:
                    async for chunk in response.content.iter_any():
                        stream.write(chunk)
            return response.status

    return run(fetch())


@asynccontextmanager
async def _followed(session: aiohttp.ClientSession, url: str) -> AsyncIterator[aiohttp.ClientResponse]:
    import aiohttp

    for _ in range(MAX_REDIRECTS):
        proxy = proxy_for(url, keyed=False)
        async with session.get(exact(url), proxy=proxy, allow_redirects=False) as response:
            target = response.headers.get("Location", "")
            if response.status not in _REDIRECTS or not target:
                yield response
                return
        url = urljoin(url, target)
        if urlsplit(url).scheme not in ("http", "https"):
            break
    raise aiohttp.ClientError("redirected without end")


def run(work: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine to its end; in a thread of its own if this one has an event loop already."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    outcome: list[Result] = []
    trouble: list[BaseException] = []

    def inside() -> None:
        try:
            outcome.append(asyncio.run(work))
        except BaseException as error:  # handed to the caller below
            trouble.append(error)

    thread = threading.Thread(target=inside)
    thread.start()
    thread.join()
    if trouble:
        raise trouble[0]
    return outcome[0]
