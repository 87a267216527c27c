"""The Hugging Face hub that ``HF_ENDPOINT`` names, as the user who is logged in there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from safecot_eval.util.errors import SafecotError

_PART = r"(?!.*(--|\.\.))(?![-.])[A-Za-z0-9_.-]{1,96}(?<![-.])"
_NAME = re.compile(rf"(?!.*\.git$){_PART}/{_PART}")
"""The hub's rules for names (``huggingface_hub.utils.validate_repo_id``)."""


def require_name(repository: str) -> None:
    """Refuse a name that the hub would not take, before anything is asked or read for it.

    Raises:
        SafecotError: it is not ``OWNER/NAME``, or has characters that the hub does not allow.
    """
    if not _NAME.fullmatch(repository):
        raise SafecotError(
            f"--repo {repository}: write OWNER/NAME: letters, digits, '-', '_' and '.', at most 96 characters each, no '--' or "
            "'..', none of '-' and '.' at either end, and no '.git' at the end."
        )


def why_nothing(error: BaseException) -> str:
    """Why the hub gave nothing, if an error is one of the hub's clients'; empty for other errors."""
    said = " ".join(str(error).split())[:200].rstrip(".")
    if isinstance(error, ConnectionError) and "on the Hub" in said:  # as `datasets` raises it
        return f"{said}; unset HF_HUB_OFFLINE where it is set, check the network, or load the set once while online"
    name = type(error).__name__
    theirs = type(error).__module__.startswith("huggingface_hub")
    if not theirs and name not in ("DatasetNotFoundError", "DataFilesNotFoundError"):
        return ""
    if name == "LocalTokenNotFoundError":
        return "lmms-eval asks for it as a user who is logged in; run `hf auth login` first"
    if name == "GatedRepoError":
        return "the hub gives it to those alone who have accepted its terms; accept them there, and run `hf auth login`"
    return f"{name}: {said}"


@contextmanager
def uploading(repository: str) -> Iterator[Any]:
    """A client to upload with; what the hub refuses is one sentence.

    Args:
        repository: ``owner/name``.

    Raises:
        SafecotError: no such name, the package is not installed, nobody is logged in, or the hub refused.
    """
    require_name(repository)
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
        if "Connect" in type(error).__name__ or "Timeout" in type(error).__name__:
            raise SafecotError(
                f"{repository}: the hub was not reached ({type(error).__name__}: {said}); check the network, and HF_ENDPOINT if it "
                "is set."
            ) from error
        raise SafecotError(
            f"{repository}: the hub refused ({type(error).__name__}: {said}); is `hf auth login` done, and may you write "
            "there?"
        ) from error
