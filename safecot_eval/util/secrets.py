"""Keys, tokens and passwords: kept out of lmms-eval's arguments (it prints them) and out of every message."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import quote

VARIABLES = {
    "openai": "OPENAI_API_KEY",
    "async_openai": "OPENAI_API_KEY",
    "openai_compatible": "OPENAI_API_KEY",
    "safecot_openai": "OPENAI_API_KEY",
}
"""Environment variable from which a back end reads its key if it is not among the arguments."""


def keep_out_of_arguments(model: str, arguments: Mapping[str, str]) -> dict[str, str]:
    """Move ``api_key=`` from the model arguments to the environment of this process.

    Returns:
        The arguments without the key.

    >>> keep_out_of_arguments("openai", {"model": "m"})
    {'model': 'm'}
    """
    kept = dict(arguments)
    variable = VARIABLES.get(model)
    if variable and (key := kept.pop("api_key", None)):
        os.environ[variable] = key
    return kept


_WORD = "(?:key|api_?keys?|token|secret|sig|signature|password|passwd|auth|authorization|bearer|credentials?)"
_SECRET = re.compile(rf"(?:^|[_-]){_WORD}$", re.IGNORECASE)
_PAIR = re.compile(rf"(?<![\w-])((?:[\w-]*[_-])?{_WORD})=[^,&\s]+", re.IGNORECASE)
_SHORTEST = 4
_IN_ADDRESS = re.compile(r"(://)[^/@\s]+@")


def is_secret(key: str) -> bool:
    """Whether a model argument or a parameter of an address holds a key, a token or a password.

    >>> is_secret("api_key"), is_secret("hf_token"), is_secret("max_new_tokens"), is_secret("tokenizer")
    (True, True, False, False)
    """
    return bool(_SECRET.search(key))


def secret_free(arguments: Sequence[str]) -> list[str]:
    """Command-line arguments with the values of keys, tokens and passwords masked.

    >>> secret_free(["--model_args", "model=m,api_key=abc"])
    ['--model_args', 'model=m,api_key=***']
    >>> secret_free(["base_url=https://me:pw@host/v1?api-version=1&key=abc,max_new_tokens=64"])
    ['base_url=https://***@host/v1?api-version=1&key=***,max_new_tokens=64']
    """
    return [_IN_ADDRESS.sub(r"\1***@", _PAIR.sub(r"\1=***", argument)) for argument in arguments]


class Redactor:
    r"""Takes secrets out of texts, as they are and as an address or a header spells them.

    Args:
        secrets: Keys and passwords; those of three characters or less are no secret, and would be found in any word.

    >>> Redactor(["s3cr/t"])("no key s3cr/t at https://me:pw@host/?k=s3cr%2Ft\n")
    'no key *** at https://***@host/?k=***'
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        told = [secret for secret in secrets if len(secret) >= _SHORTEST]
        known = {spelled for secret in told for spelled in (secret, quote(secret, safe=""))}
        self._known = sorted(known, key=len, reverse=True)

    def __call__(self, text: str, limit: int | None = None) -> str:
        """The text on one line, without secrets and control characters, cut to a length."""
        plain = "".join(character if character.isprintable() else " " for character in text)
        for secret in self._known:
            plain = plain.replace(secret, "***")
        (plain,) = secret_free([plain])
        return " ".join(plain.split())[:limit]
