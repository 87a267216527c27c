"""What may go to a terminal: text of models, data sets and servers without the characters that move a cursor."""

from __future__ import annotations


def printable(text: str, limit: int = 200) -> str:
    r"""Text without control and direction-changing characters, cut to a length: safe for a terminal and a page.

    >>> printable("m\x1b[31m\u202eevil")
    'm[31mevil'
    """
    kept = "".join(character for character in text if character.isprintable() or character == " ")
    return kept[:limit]
