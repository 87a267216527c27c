"""Names that begin with the one asked for are what was meant, before names that are spelled like it."""

from __future__ import annotations

import pytest

from safecot_eval.benchmarks import registry, selection
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.near_names import near_names


@pytest.mark.parametrize(
    ("asked", "known", "near"),
    [
        ("mss", ["moss", "mss_chat", "mss_embodied"], ["mss_chat", "mss_embodied"]),
        ("MSS", ["moss", "mss_chat"], ["mss_chat"]),
        ("mini_tniy", ["mini_tiny", "mini"], ["mini_tiny", "mini"]),
        ("qwen", [f"qwen{size}b" for size in (72, 7, 3, 32)], ["qwen7b", "qwen3b", "qwen72b"]),
        ("zzz", ["mini"], []),
        ("", ["mini"], []),
    ],
)
def test_beginnings_come_before_spellings(asked: str, known: list[str], near: list[str]) -> None:
    assert near_names(asked, known) == near


def test_a_benchmark_asked_for_by_its_name_gets_its_own_tasks_offered() -> None:
    """Many benchmarks have no task of their bare name; another benchmark's task is spelled more like it."""
    ours = set(registry.task_names())
    bare = [name for name in registry.names() if registry.TASK_PREFIX + name not in ours]
    assert len(bare) > 5
    for name in bare:
        with pytest.raises(SafecotError) as caught:
            selection.expand_tasks(registry.TASK_PREFIX + name, recorded=True)
        offered = str(caught.value).partition("did you mean ")[2].rstrip("?").split(" or ")
        own = [registry.load(name).task_name(variant) for variant in registry.load(name).variants]
        if any(task_name.startswith(registry.TASK_PREFIX + name) for task_name in own):
            assert set(offered) <= set(own), caught.value
