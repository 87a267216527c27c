"""``--split``: a folder for GitHub Pages or a Space, with the samples of each run in a shard of their own."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from safecot_eval.aggregate.reading import read
from safecot_eval.submissions.submitted import newest
from safecot_reports.page import page_html
from safecot_reports.pictures import thumbnails
from safecot_reports.selection import samples_of

ROBOTS = "User-agent: *\nDisallow: /\n"


def write_split(
    data: dict[str, Any],
    paths: Sequence[str],
    folder: Path,
    *,
    samples: bool,
    images: bool = False,
    logo: str = "",
) -> None:
    """Write ``index.html``, ``card.png`` (for links to it), ``robots.txt`` and ``samples/<number>.json``.

    Shards are numbered, not named: model names never become paths. One run is in memory at a time.

    Args:
        data: What :func:`safecot_reports.build.build` returned.
        paths: The same run folders.
        folder: Where to write.
        samples: Write shards at all.
        images: Put small copies of the images into their shards.
        logo: A data URI of a picture before the title.
    """
    folder.mkdir(parents=True, exist_ok=True)
    shards = []
    if samples:
        (folder / "samples").mkdir(exist_ok=True)
        for number, run in enumerate(run for run in newest(paths) if run.has_texts):
            name = f"samples/{number}.json"
            with (folder / name).open("w", encoding="utf-8") as stream:
                rows = samples_of(run, read(run), None)
                kept = list(rows) if images else []
                stream.write('{"samples": [')
                for count, sample in enumerate(kept or rows):
                    stream.write((",\n" if count else "\n") + json.dumps(sample))
                stream.write(f'],\n"pictures": {json.dumps(thumbnails(kept))}}}\n')
            shards.append({"model": run.model, "task": run.task, "file": name})
    page = page_html({**data, "shards": shards}, connect=True, logo=logo, social_card="card.png")
    from safecot_reports.social import card  # imports Pillow, which a page in one file does not need

    (folder / "card.png").write_bytes(card(data))
    (folder / "index.html").write_text(page, encoding="utf-8")
    (folder / "robots.txt").write_text(ROBOTS, encoding="utf-8")
