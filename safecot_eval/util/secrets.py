"""Keep keys out of lmms-eval's arguments: it prints them."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence

VARIABLES = {
    "openai": "OPENAI_API_KEY",
    "async_openai": "OPENAI_API_KEY",
    "openai_compatible": "OPENAI_API_KEY",
    "safecot_openai": "OPENAI_API_KEY",
}
"""Environment variable from which a back end reads its key where it is not among the arguments."""


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


_SECRET = re.compile(
    r"(?:^|_)(?:key|api_?keys?|token|secret|password|passwd|auth|authorization|bearer|credentials?)$",
    re.IGNORECASE,
)


_PAIR = re.compile(r"([\w-]+)=([^,\s]+)")


def is_secret(key: str) -> bool:
    """Whether a model argument holds a key, a token or a password.

    >>> is_secret("api_key"), is_secret("hf_token"), is_secret("max_new_tokens"), is_secret("tokenizer")
    (True, True, False, False)
    """
    return bool(_SECRET.search(key))


def secret_free(arguments: Sequence[str]) -> list[str]:
    """Command-line arguments with the values of keys, tokens and passwords masked.

    >>> secret_free(["--model_args", "model=m,api_key=abc"])
    ['--model_args', 'model=m,api_key=***']
    >>> secret_free(["base_url=https://me:pw@host/v1,max_new_tokens=64"])
    ['base_url=https://***@host/v1,max_new_tokens=64']
    """

    def masked(found: re.Match[str]) -> str:
        return f"{found[1]}=***" if is_secret(found[1]) else found[0]

    in_address = re.compile(r"(://)[^/@\s]+@")
    return [in_address.sub(r"\1***@", _PAIR.sub(masked, argument)) for argument in arguments]
