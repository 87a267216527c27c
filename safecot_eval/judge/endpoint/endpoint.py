"""Which judge: an OpenAI-compatible endpoint, its model and revision, and the id that verdicts carry."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from safecot_eval.util.errors import SafecotError
from safecot_eval.util.paths import slug

URL, MODEL, KEY = "SAFECOT_JUDGE_URL", "SAFECOT_JUDGE_MODEL", "SAFECOT_JUDGE_KEY"
MAX_TOKENS = "SAFECOT_JUDGE_MAX_TOKENS"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A judge behind HTTP.

    Attributes:
        url: Base address, ends in ``/v1``.
        model: The served name.
        key: Bearer token; never shown.
        max_tokens: Tokens of a reply at most; None for what each kind of reply needs.
        named_by: The options, recipe values or variables that address, model and key came from, to be named where it does not answer.
    """

    url: str
    model: str
    key: str | None = field(default=None, repr=False)
    max_tokens: int | None = None
    named_by: tuple[str, str, str] = field(default=(URL, MODEL, KEY), compare=False)

    @property
    def judge_id(self) -> str:
        """Model name without organisation, and the revision where the served name has one (``name@revision``).

        >>> Endpoint("http://h/v1", "meta-llama/Meta-Llama-3-8B-Instruct@5f0b02c75b57c5855da9").judge_id
        'Meta-Llama-3-8B-Instruct@5f0b02c75b57'
        """
        name, _, revision = self.model.partition("@")
        short = slug(name.rstrip("/").rsplit("/", 1)[-1]) or "judge"
        return f"{short}@{re.sub(r'[^0-9A-Za-z._-]+', '_', revision)[:12]}" if revision else short

    @property
    def leaves_machine(self) -> bool:
        """Whether prompts and answers are sent to another machine."""
        host = urlsplit(self.url).hostname or ""
        try:
            return not ipaddress.ip_address(host).is_loopback
        except ValueError:
            return host != "localhost"

    def described(self) -> str:
        """One line for people, without secrets; says so where texts leave this machine."""
        where = urlsplit(self.url)
        place = f"{where.scheme}://{where.hostname}" + (f":{where.port}" if where.port else "")
        warning = "; prompts and answers are sent to that host" if self.leaves_machine else ""
        return f"{self.judge_id} at {place}{warning}"


def configured(
    environment: Mapping[str, str] = os.environ,
    *,
    url: str | None = None,
    model: str | None = None,
    max_tokens: int | None = None,
    named_by: tuple[str, str] = ("--url", "--judge"),
) -> Endpoint | None:
    """The judge of the environment, or the one that was given; None where there is none.

    The model is the first that the endpoint lists where none is named.

    Args:
        environment: Of the process.
        url: Its address, instead of the environment's.
        model: Its model likewise.
        max_tokens: Of a reply, likewise.
        named_by: Where ``url`` and ``model`` were given, for messages.

    Raises:
        SafecotError: the address is none, or the endpoint does not answer while its model must be asked for.
    """
    address = url or environment.get(URL)
    if not address:
        return None
    origin, model_origin = named_by[0] if url else URL, named_by[1] if model else MODEL
    key = environment.get(KEY) or None
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.password:
        raise SafecotError(
            f"{origin} must be http://HOST:PORT/v1 or https://HOST/v1 without a user name; a key belongs in {KEY}."
        )
    wanted = model or environment.get(MODEL)
    if not wanted:
        from safecot_eval.util.model_lists import served_models

        listed = [name for name in served_models(address, key, origin) if "*" not in name]
        if not listed:
            raise SafecotError(f"{address} lists no models; name one with {named_by[1] if url else MODEL}.")
        wanted = max(listed, key=lambda name: "@" in name)
    room = max_tokens or _whole(environment.get(MAX_TOKENS))
    return Endpoint(address.rstrip("/"), wanted, key, room, (origin, model_origin, KEY))


def _whole(text: str | None) -> int | None:
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or not int(text):
        raise SafecotError(f"{MAX_TOKENS}={text[:40]} must be a whole number of tokens, at least 1.")
    return int(text)
