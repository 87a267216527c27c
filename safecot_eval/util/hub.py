"""The Hugging Face hub that ``HF_ENDPOINT`` names, as the user who is logged in there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from safecot_eval.util.errors import SafecotError


@contextmanager
def uploading(repository: str) -> Iterator[Any]:
    """A client to upload with; what the hub refuses is one sentence.

    Args:
        repository: ``owner/name``.

    Raises:
        SafecotError: no such name, the package is not installed, nobody is logged in, or the hub refused.
    """
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", repository):
        raise SafecotError(f"--repo {repository}: write OWNER/NAME.")
    try:
        from huggingface_hub import HfApi
    except ImportError as error:
        raise SafecotError(
            "Uploading needs the package huggingface-hub: pip install 'safecot-eval[hub]'."
        ) from error
    try:
        yield HfApi(library_name="safecot-eval")
    except SafecotError:
        raise
    except Exception as error:  # the client raises errors of its own, of its HTTP library, and the system's
        said = " ".join(str(error).split())[:200]
        if type(error).__name__ == "OfflineModeIsEnabled":
            raise SafecotError(f"{repository}: HF_HUB_OFFLINE is set; unset it to upload.") from error
        raise SafecotError(
            f"{repository}: the hub refused ({type(error).__name__}: {said}); is `hf auth login` done, and may you write "
            "there?"
        ) from error
