"""Base addresses of OpenAI-compatible endpoints as people write them: with a query, a user name, a pasted full path."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from safecot_eval.util.errors import SafecotError
from safecot_eval.util.proxies import host_of
from safecot_eval.util.secrets import Redactor, is_secret

_PASTED = re.compile(r"/(chat/completions|completions|responses|models)$")


@dataclass(frozen=True, slots=True)
class BaseAddress:
    """Where an endpoint is and what it is told with every request.

    Attributes:
        parts: The address without user name and fragment.
        headers: Those that carry the key.
        redactor: Takes everything secret out of a text.
    """

    parts: SplitResult
    headers: dict[str, str] = field(repr=False)
    redactor: Redactor = field(repr=False)
    keyed: bool = False

    def join(self, path: str) -> str:
        """Address of a resource: the path goes before the query, which stays.

        >>> base_address("https://h/openai/v1?api-version=2024-10-21").join("chat/completions")
        'https://h/openai/v1/chat/completions?api-version=2024-10-21'
        """
        return self.parts._replace(path=f"{self.parts.path.rstrip('/')}/{path}").geturl()

    @property
    def host(self) -> str:
        """Host, lower-case."""
        return host_of(self.parts)

    @property
    def shown(self) -> str:
        """The address for people, without secrets."""
        return self.redactor(self.parts.geturl())


def base_address(text: str, key: str | None = None) -> BaseAddress:
    """Read a base address.

    Args:
        text: ``http://HOST:PORT/v1``, perhaps with a query that every request carries, or with the path of a resource
            after it.
        key: Bearer token. Azure's hosts are sent it as ``api-key``, too.

    Raises:
        SafecotError: no address of http or https, or a key that no header can carry.
    """
    try:
        parts = urlsplit(text.strip())
        host, _ = parts.hostname or "", parts.port
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
    except ValueError:
        host = ""
    if not host or parts.scheme not in ("http", "https") or not re.fullmatch(r"[\w.:%-]+", host):
        raise SafecotError(
            f"{Redactor([key or ''])(text)!r} is not an address of an endpoint (http://HOST:PORT/v1)."
        )
    if key and not re.fullmatch(r"[!-~]+", key):
        raise SafecotError(
            f"The key for {host} is malformed: it has spaces, line ends or characters outside ASCII."
        )
    headers = {}
    if key:
        headers["Authorization"] = f"Bearer {key}"
        if host.endswith(".azure.com"):
            headers["api-key"] = key
    elif user or password:
        encoded = base64.b64encode(f"{user}:{password}".encode()).decode()
        headers["Authorization"] = f"Basic {encoded}"
    in_query = [value for name, value in parse_qsl(parts.query) if is_secret(name)]
    secrets = [key or "", password, *in_query, *(value.rpartition(" ")[2] for value in headers.values())]
    bare = parts._replace(
        netloc=parts.netloc.rpartition("@")[2], path=_PASTED.sub("", parts.path.rstrip("/")), fragment=""
    )
    return BaseAddress(bare, headers, Redactor(secrets), bool(headers or in_query))
