"""Numbers in recipes; true and false are none."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field


def a_number(value: Any) -> Any:
    """Refuse true and false, which Python takes for 1 and 0."""
    if isinstance(value, bool):
        raise ValueError("Input should be a number")
    return value


Count = Annotated[int, BeforeValidator(a_number), Field(ge=1, le=10_000_000)]
Number = Annotated[float, BeforeValidator(a_number), Field(allow_inf_nan=False)]
