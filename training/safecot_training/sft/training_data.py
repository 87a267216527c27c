"""From a data folder to the dataset that TRL's SFTTrainer takes, with every check that must stop training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from safecot_eval.benchmarks.images import image_size
from safecot_eval.records.json_files import enumerate_jsonl
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.files import sha256
from safecot_eval.util.wording import agreeing, counted
from safecot_training.data.dataset import clusters_of, read_manifest, require_hash
from safecot_training.sft.recipe import Recipe


def load_rows(recipe: Recipe) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Read a variant's rows, whole and verified.

    Returns:
        (rows, manifest); images are absolute paths.

    Raises:
        SafecotError: no such variant, files that changed, data that were never checked against an evaluation set, or
            fewer rows than asked for.
    """
    folder = Path(recipe.data).expanduser()
    manifest = read_manifest(folder)
    variant = recipe.variant.value
    if manifest.get("images") == "named":
        raise SafecotError(
            f"{folder}: its images are names only (--images names); build the data again where the images are."
        )
    if variant not in manifest["variants"]:
        raise SafecotError(
            f"{folder}: variant {variant} is not written yet; run `safecot train cot --data {folder} --variant {variant}`."
        )
    if not manifest["contamination"].get("checked") and not recipe.allow_unchecked:
        raise SafecotError(
            f"{folder}: checked against no evaluation set; build the data with --eval-set TASK=DIR, or set "
            "allow_unchecked: true in the recipe."
        )
    path = folder / f"{variant}.jsonl"
    require_hash(path, manifest["variants"][variant].get("sha256", ""))
    rows = [row for _, row in enumerate_jsonl(path)]
    wanted = recipe.max_samples or len(rows)
    if wanted > len(rows):
        raise SafecotError(
            f"{path}: max_samples is {wanted}, but there {agreeing(len(rows), 'is', 'are')} {counted(len(rows), 'example')}."
        )
    rows = rows[:wanted]
    for row in rows:
        row["images"] = [str(_verified(folder / name, row["id"])) for name in row["images"]]
    return rows, manifest


def split_validation(
    rows: list[dict[str, Any]], recipe: Recipe
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Take the last rows out for validation, and of them those whose source question is trained on.

    Raises:
        SafecotError: too few rows are left, on either side.
    """
    count = recipe.validation_samples
    if not count:
        return rows, []
    train = rows[:-count]
    clusters = clusters_of(Path(recipe.data).expanduser())
    seen = {clusters.get(row["id"]) for row in train}
    validation = [row for row in rows[-count:] if clusters.get(row["id"]) not in seen]
    if not train or not validation:
        raise SafecotError(
            f"{recipe.data}: of {counted(len(rows), 'example')}, validation_samples: {count} leaves {len(train)} to train on and "
            f"{len(validation)} of other source questions to validate on; give another number."
        )
    return train, validation


def _verified(path: Path, example_id: str) -> Path:
    if not path.is_file():
        raise SafecotError(f"{path}: the image of sample {example_id} is missing; build the data again.")
    if not sha256(path).startswith(path.stem):
        raise SafecotError(
            f"{path}: the image of sample {example_id} is not the one of the manifest; build the data again."
        )
    return path.resolve()


def image_sizes(rows: list[dict[str, Any]]) -> list[list[tuple[int, int]]]:
    """(height, width) in pixels of every row's images as they will be shown.

    Raises:
        SafecotError: a file is no image, or too large for one.
    """
    sizes = []
    for row in rows:
        try:
            sizes.append([image_size(Path(path)) for path in row["images"]])
        except SafecotError as error:
            raise SafecotError(f"Sample {row['id']}: {error}") from error
    return sizes


def require_fitting(rows: list[dict[str, Any]], lengths: list[int], limit: int) -> None:
    """Refuse examples over the token limit: cutting one would cut its answer.

    Raises:
        SafecotError: naming the longest.
    """
    longest = max(range(len(rows)), key=lambda index: lengths[index])
    if lengths[longest] > limit:
        raise SafecotError(
            f"Sample {rows[longest]['id']} has {lengths[longest]} tokens and max_tokens is {limit}; raise it, lower "
            "the processor's max_pixels, or take the sample out (nothing is ever cut)."
        )


def as_dataset(rows: list[dict[str, Any]], lengths: list[int]) -> Any:
    """Rows as a ``datasets.Dataset``; images are paths, opened when a batch is made.

    Every row has ``images`` (possibly empty): TRL tells a vision set by that column. ``length`` is what transformers sorts by.
    """
    import datasets

    texts = datasets.List(datasets.Value("string"))
    turns = datasets.List({"role": datasets.Value("string"), "content": datasets.Value("string")})
    features = datasets.Features(
        {
            "id": datasets.Value("string"),
            "images": texts,
            "prompt": turns,
            "completion": turns,
            "thoughts": texts,
            "replies": texts,
            "marker": datasets.Value("string"),
            "rejected": datasets.Value("string"),
            "desirable": datasets.Value("bool"),
            "expectation": datasets.Value("string"),
            "length": datasets.Value("int64"),
        }
    )
    plain = {
        "thoughts": [],
        "replies": [],
        "marker": "",
        "rejected": "",
        "desirable": True,
        "expectation": "",
    }
    return datasets.Dataset.from_list(
        [
            {key: {**plain, **row, "length": length}[key] for key in features}
            for row, length in zip(rows, lengths, strict=True)
        ],
        features=features,
    )
