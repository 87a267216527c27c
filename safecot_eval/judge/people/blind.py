"""Turn a draw into what annotators see (rows) and what they must not see (the key)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from safecot_eval.benchmarks.images import open_image
from safecot_eval.judge.people.sampling import Drawn
from safecot_eval.judge.people.sheet import Key, KeyEntry, Row
from safecot_eval.judge.pictures import QUALITY, pictures_of
from safecot_eval.records.run import Run
from safecot_eval.util.errors import SafecotError


def blind_sample(
    runs: Sequence[Run], drawn: Sequence[Drawn], rubric: str, seed: int, images: Path | None = None
) -> tuple[list[Row], Key]:
    """Fetch the texts of the drawn answers and separate them from where they come from.

    Args:
        runs: The runs that the candidates' ``run`` points into.
        drawn: In the order of the sheet.
        rubric: What is labelled.
        seed: Of the draw; kept in the key.
        images: Folder for copies of the pictures, named by row; None if annotators see none.

    Raises:
        SafecotError: a samples file changed while it was read, or a picture is not on this machine.
    """
    texts: dict[tuple[int, str], tuple[str, str]] = {}
    seen: dict[tuple[int, str], tuple[Path, ...]] = {}
    wanted = {(d.candidate.run, d.candidate.sample_id) for d in drawn}
    for number in sorted({run for run, _ in wanted}):
        for record in runs[number].samples():
            place = (number, record["sample_id"])
            if place in wanted and place not in texts:
                texts[place] = (record["prompt"], record["answer"])
                seen[place] = pictures_of(record) if images is not None else ()
    if missing := wanted - texts.keys():
        path = runs[min(missing)[0]].samples_path
        raise SafecotError(
            f"{path}: changed while it was read; wait until the evaluation is over and export again."
        )
    width = max(4, len(str(len(drawn))))
    rows: list[Row] = []
    entries: dict[str, KeyEntry] = {}
    for position, (candidate, weight) in enumerate(((d.candidate, d.weight) for d in drawn), start=1):
        name, run = f"{position:0{width}d}", runs[candidate.run]
        place = (candidate.run, candidate.sample_id)
        copies = copied(seen[place], images, name) if images is not None else ()
        rows.append(Row(name, *texts[place], images=copies))
        entries[name] = KeyEntry(
            model=candidate.model,
            task=candidate.task,
            stamp=run.timestamp,
            folder=str(run.folder.resolve()),
            sample_id=candidate.sample_id,
            weight=weight,
            stratum=candidate.stratum,
        )
    return rows, Key(rubric, seed, entries)


def copied(paths: Sequence[Path], folder: Path, name: str) -> tuple[str, ...]:
    """Copies of a row's pictures, under names that tell nothing; returns their paths as a sheet beside the folder has them."""
    folder.mkdir(parents=True, exist_ok=True)
    names = [f"{name}-{number}.jpg" for number in range(1, len(paths) + 1)]
    for path, copy in zip(paths, names, strict=True):
        open_image(path).save(folder / copy, "JPEG", quality=QUALITY)
    return tuple(f"{folder.name}/{copy}" for copy in names)
