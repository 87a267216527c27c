"""Keep keys out of lmms-eval's arguments: it prints them."""

from __future__ import annotations

import os
from collections.abc import Mapping

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
