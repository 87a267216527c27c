"""Where recipe files are: the user's own, and those that are shipped, by name."""

from __future__ import annotations

from pathlib import Path

from safecot_eval.util.errors import SafecotError
from safecot_eval.util.near_names import near_names

_IN_A_CHECKOUT = Path("training/recipes")


def find_recipe(given: Path) -> Path:
    """The file that a user means: a file of that name, or a shipped recipe's name with or without its folder and ending.

    Raises:
        SafecotError: there is neither; shipped recipes of a like name are named.
    """
    if given.is_file():
        return given
    shipped = {path.stem: path for path in sorted(shipped_recipes().glob("*.yaml"))}
    if given.parent in (Path(), _IN_A_CHECKOUT) and given.suffix in ("", ".yaml") and given.stem in shipped:
        return shipped[given.stem]
    near = near_names(given.stem, shipped, cutoff=0.5)
    raise SafecotError(
        f"{given}: no such file, and no shipped recipe; {'like it are' if near else 'shipped are'} {', '.join(near or shipped)}."
    )


def shipped_recipes() -> Path:
    """The folder of shipped recipes: inside the wheel, or at the top of a source checkout."""
    packaged = Path(__file__).parents[1] / "_recipes"
    return packaged if packaged.is_dir() else Path(__file__).parents[3] / _IN_A_CHECKOUT
