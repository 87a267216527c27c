"""Every family by every objective: it trains on rows with a picture, two and none, or one sentence says why it does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from safecot_eval.util.errors import SafecotError
from tests.training.test_real_families import family_bases, mixed_data  # noqa: F401
from tests.training.tiny_families import FAMILIES

pytestmark = [
    pytest.mark.full,
    pytest.mark.slow,
    pytest.mark.xdist_group("training"),
    # transformers 5.19 calls its own mllama and glm4v by ways that it and numpy warn of
    pytest.mark.filterwarnings("ignore:`hidden_state` is deprecated:FutureWarning"),
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]
NOT_BY = {
    "mllama": ("dpo", "kto", "grpo"),
    "llava_onevision": ("grpo",),
    "gemma3n": ("grpo",),
    "llama4": ("dpo", "kto", "grpo"),
    "mistral3": ("grpo",),
}
"""What TRL cannot do; GRPO alone: with rows of different numbers of pictures, or with what a processor returns."""


@pytest.mark.parametrize("objective", ["dpo", "kto", "grpo"])
@pytest.mark.parametrize("name", list(FAMILIES))
def test_a_family_by_an_objective(
    name: str,
    objective: str,
    family_bases,  # noqa: F811
    mixed_data: Path,  # noqa: F811
    make_recipe,
    tmp_path: Path,
    train,
) -> None:
    recipe = make_recipe(
        base_model=str(family_bases(name)),
        data=str(mixed_data),
        variant="v0",
        objective=objective,
        method="lora",
        max_steps=2,
        batch_size=4,
        gradient_accumulation=1,
        generations=2,
        max_completion_tokens=6,
    )
    if objective in NOT_BY.get(name, ()):
        with pytest.raises(SafecotError, match=r"safecot train (sft|dpo)"):
            train(recipe, tmp_path / "out")
        return
    card = train(recipe, tmp_path / "out").card
    assert card.steps == 2
    assert len(card.loss_history) == 2
