"""The family matrix as a table: what pytest wrote down about tests/training/test_real_families.py, a row per family.

python -m pytest -m "full or not full" tests/training/test_real_families.py --junitxml families.xml
python bench/family_table.py families.xml --out bench/results/families.md
"""

from __future__ import annotations

import argparse
import platform
import re
import time
import xml.etree.ElementTree as ET
from importlib.metadata import version
from pathlib import Path

CHECKS = {
    "test_a_family_passes_the_check": "`train check`",
    "test_an_adapter_of_a_family_answers_like_its_merged_form": "3 steps of LoRA on rows with one picture, two and none; export, merge, the same answers",
    "test_a_family_learns_to_answer_and_to_stop": "24 examples by heart, 22 or more whole and ended",
    "test_vllm_answers_a_family_as_safecot_hf": "vLLM answers such rows as `safecot_hf`",
}
NOT_LOADED = "test_vllm_tells_that_it_does_not_load_a_family"


def outcomes(path: Path) -> dict[tuple[str, str], str]:
    """(family, check) to ``ok`` or what happened, with seconds."""
    found = {}
    for case in ET.parse(path).getroot().iter("testcase"):  # noqa: S314 (our own test run's file)
        name = re.fullmatch(r"(\w+)\[(\w+)\]", case.get("name", ""))
        if name is None or name[1] not in (*CHECKS, NOT_LOADED):
            continue
        kinds = {child.tag for child in case}
        if name[1] == NOT_LOADED and not kinds:
            found[name[2], "test_vllm_answers_a_family_as_safecot_hf"] = "vLLM does not load it"
            continue
        state = "skipped" if "skipped" in kinds else "**fails**" if kinds & {"failure", "error"} else "ok"
        found[name[2], name[1]] = (
            f"{state}, {float(case.get('time', 0)):.0f} s" if state != "skipped" else state
        )
    return found


def report(found: dict[tuple[str, str], str], families: list[str]) -> str:
    """The table as a page."""
    packages = ", ".join(f"{name} {version(name)}" for name in ("transformers", "trl", "peft", "torch"))
    shown = [check for check in CHECKS if any(key[1] == check for key in found)]
    rows = [
        f"| {family} | {' | '.join(found.get((family, check), 'not run') for check in shown)} |"
        for family in families
    ]
    return "\n".join(
        [
            "# Families",
            "",
            f"Made on {time.strftime('%Y-%m-%d')} by `bench/family_table.py` from a run of tests/training/test_real_families.py: tiny "
            f"random models of the real classes with published templates; {packages}; {platform.machine()}, one thread.",
            "",
            f"| family | {' | '.join(CHECKS[check] for check in shown)} |",
            "|---" * (len(shown) + 1) + "|",
            *rows,
            "",
            "The first check's seconds hold the imports of all, and the first of vLLM's its own. Llama-3.2-Vision (mllama) was in vLLM until "
            "0.10.2; its fallback to transformers' classes stops at that processor (`_get_num_multimodal_tokens`).",
            "",
        ]
    )


def main() -> None:
    """Read, and write the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", type=Path, nargs="+", help="JUnit files; later ones replace earlier ones")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    found: dict[tuple[str, str], str] = {}
    for path in given.files:
        found.update(outcomes(path))
    text = report(found, sorted({family for family, _ in found}))
    print(text)
    if given.out:
        given.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
