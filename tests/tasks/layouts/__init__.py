"""Data folders of the official shapes with invented, mild records: one writer for each benchmark."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.tasks.layouts import images, pairs, texts

WRITERS: dict[str, Callable[[Path], None]] = {
    "figstep": images.figstep,
    "mm_safetybench": images.mmsafetybench,
    "siuo": images.siuo,
    "xstest": texts.xstest,
    "msts": texts.msts,
    "mossbench": pairs.mossbench,
    "multitrust": images.multitrust,
    "vlguard": images.vlguard,
    "mssbench": pairs.mssbench,
    "lvlm_safer": pairs.lvlm_safer,
    "holisafe": pairs.holisafe,
    "vlsbench": images.vlsbench,
    "jailbreakv28k": images.jailbreakv28k,
    "hades": images.hades,
    "spavl_eval": images.spavl_eval,
    "orbench": texts.orbench,
    "strongreject": texts.strongreject,
    "harmbench": texts.harmbench,
    "mm_harmfulbench": images.mm_harmfulbench,
    "vscbench": pairs.vscbench,
    "mis": pairs.mis,
    "salad": pairs.salad,
    "mtmcs": texts.mtmcs,
    "vlsu": pairs.vlsu,
    "safemt": texts.safemt,
    "comicjailbreak": images.comicjailbreak,
    "visualleakbench": images.visualleakbench,
    "mmsafety_plus": pairs.mmsafety_plus,
    "ood_mmsafe": images.ood_mmsafe,
    "protocols": texts.protocols,
}
