"""Which models an endpoint lists, and whether one of them is meant: lists name models, requests name deployments.

Ollama lists ``llava:latest`` and answers to ``llava``; Gemini lists ``models/gemini-…``; LiteLLM lists ``openai/*``; Azure lists
base models and answers to deployments. A name that is not on a list is therefore no mistake yet.
"""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

import orjson

from safecot_eval.util import http_client
from safecot_eval.util.addresses import base_address
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.near_names import near_names
from safecot_eval.util.proxies import proxy_for

_TIMEOUT_S = 10.0
_SHOWN = 5


def served_models(base_url: str, key: str | None, origin: str) -> list[str]:
    """Ids that an OpenAI-compatible endpoint lists.

    Args:
        base_url: Ends in ``/v1``.
        key: Sent as bearer token if given.
        origin: The option to name in the message.

    Returns:
        The ids; empty if the endpoint answers but does not list models.

    Raises:
        SafecotError: it does not answer, refuses the key, or cannot be asked.
    """
    import aiohttp

    try:
        address = base_address(base_url, key)
        proxy = proxy_for(address.join("models"), keyed=address.keyed)
    except SafecotError as error:
        raise SafecotError(f"{origin}: {error}") from error
    try:
        response = http_client.get(address.join("models"), address.headers, timeout_s=_TIMEOUT_S, proxy=proxy)
    except (aiohttp.ClientError, OSError, ValueError, http_client.TooLong) as error:
        raise SafecotError(f"{origin}: {address.shown} does not answer ({type(error).__name__}).") from error
    if response.status in (401, 403):
        raise SafecotError(f"{origin}: {address.shown} refuses the key (status {response.status}).")
    try:
        return [str(entry["id"]) for entry in orjson.loads(response.content)["data"]]
    except (ValueError, KeyError, TypeError):
        return []


def is_listed(wanted: str, listed: Sequence[str]) -> bool:
    """Whether a list names a model, in its own spelling.

    >>> is_listed("llava", ["llava:latest"]), is_listed("openai/gpt-4o", ["openai/*"]), is_listed("a", ["models/a"])
    (True, True, True)
    >>> is_listed("llava", ["llava:13b"])
    False
    """
    name = _bare(wanted)
    return any(name == _bare(entry) or fnmatchcase(name, _bare(entry)) for entry in listed)


def not_listed(url: str, wanted: str, listed: Sequence[str]) -> str:
    """A warning that names the entries of the list that are nearest."""
    near = near_names(wanted, listed, most=_SHOWN, cutoff=0.4) or list(listed[:_SHOWN])
    more = f" and {len(listed) - len(near)} more" if len(listed) > len(near) else ""
    return (
        f"{url} lists {', '.join(near)}{more}, not {wanted!r}. It is asked for {wanted!r} all the same; if it refuses, set "
        "model= to a name that it knows."
    )


def _bare(name: str) -> str:
    return name.casefold().removeprefix("models/").removesuffix(":latest")
