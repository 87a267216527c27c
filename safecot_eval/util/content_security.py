"""What a page's Content-Security-Policy says of its own scripts and styles."""

from __future__ import annotations

import base64
import hashlib


def source_of(text: str) -> str:
    """The hash by which a policy allows one inline script or style (CSP Level 3, section 2.3.1).

    >>> source_of("")
    'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='
    """
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
