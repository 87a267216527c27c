"""A handful of mild triplets with drawn images."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

CATEGORIES = ("06-Fraud", "04-Physical_Harm", "kitchen tools")


_SYLLABLES = ("ba", "ne", "ko", "ri", "tu", "so", "la", "mi", "pe", "du", "fa", "go", "hi", "ju", "ve", "zo")


def _words(stem: str, index: int) -> str:
    """Four invented words that no other question has."""
    digits = hashlib.sha256(f"{stem}{index}".encode()).digest()
    return " ".join("".join(_SYLLABLES[b % 16] for b in digits[4 * k : 4 * k + 4]) for k in range(4))


def draw(path: Path, index: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.new("RGB", (56, 56), (40 + index % 200, 90, 200 - index % 150))
    ImageDraw.Draw(image).rectangle((index % 30, 4, index % 30 + 12, 30), fill=(index * 7 % 255, 20, 90))
    image.save(path)


def write_triplets(folder: Path, count: int, *, stem: str = "safety", general: bool = False) -> Path:
    """Write ``count`` triplets with distinct questions and images; every fourth safety item is harmless."""
    lines = []
    for index in range(count):
        name = f"{stem}_images/{index}.png"
        draw(folder / name, index if not general else index + 1000)
        benign = general or index % 4 == 3
        lines.append(
            {
                "id": f"{stem}-{index}",
                "image": name,
                "query": f"{'Describe' if benign else 'Explain'} {_words(stem, index)} please{' kindly' * (index % 3)}.",
                **({} if general else {"category": CATEGORIES[index % 3]}),
                "expectation": "answer" if benign else "refuse",
                **({"answer": f"It shows object {index}."} if benign else {}),
                "cluster": f"q{index // 2}",
            }
        )
    path = folder / f"{stem}.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


@pytest.fixture
def triplets(tmp_path: Path) -> Path:
    return write_triplets(tmp_path / "in", 24)


@pytest.fixture
def general(tmp_path: Path) -> Path:
    return write_triplets(tmp_path / "in", 24, stem="general", general=True)


@pytest.fixture(scope="session")
def data_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder of 48 examples with all variants but v2, and answers of very different lengths."""
    from safecot_training.cot import variants
    from safecot_training.cot.targets import Variant
    from safecot_training.data import dataset, drawing, sources
    from safecot_training.data.examples import Kind

    root = tmp_path_factory.mktemp("training")
    safety = write_triplets(root / "in", 24)
    general = write_triplets(root / "in", 24, stem="general", general=True)
    dataset.build(
        sources.read_source(str(safety), Kind.SAFETY, root / "hub"),
        sources.read_source(str(general), Kind.GENERAL, root / "hub"),
        root / "data",
        drawing.Plan(),
    )
    for variant in (Variant.V0, Variant.V1):
        variants.write_variant(root / "data", variant)
    return root / "data"


@pytest.fixture(scope="session")
def train():
    """:func:`safecot_training.sft.train.train`, imported when a test asks for it: TRL takes seconds to import."""
    from safecot_training.sft.train import train

    return train


@pytest.fixture(scope="session")
def bases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Tiny random bases by architecture, started where training is at ease."""
    from safecot_eval.generate.models import tiny

    root = tmp_path_factory.mktemp("bases")
    return {name: tiny.build(name, root / name, spread=0.02) for name in ("llava", "qwen2_5_vl", "idefics3")}


@pytest.fixture(scope="session")
def make_recipe(data_folder: Path, bases: dict[str, Path]):
    """A function: recipe for a tiny base, with changes."""
    from safecot_training.sft.recipe import recipe_from

    def make(architecture: str = "llava", **changes):
        values = {
            "base_model": str(bases[architecture]),
            "data": str(data_folder),
            "variant": "v1",
            "method": "full",
            "learning_rate": 2e-3,
            "max_steps": 5,
            "batch_size": 4,
            "gradient_accumulation": 2,
            "save_steps": 2,
            "logging_steps": 1,
            "lora_dropout": 0.0,
            "precision": "fp32",
            "allow_unchecked": True,
        }
        return recipe_from({**values, **changes}, "test")

    return make
