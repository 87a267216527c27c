"""A matrix as Slurm job arrays: one script per number of accelerators, one array task per model."""

from __future__ import annotations

import shlex
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from safecot_eval.generate.cards import ModelCard
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.files import replacing

TEMPLATE = """\
#!/bin/bash
#SBATCH --job-name=safecot-{gpus}gpu
#SBATCH --array=0-{last}
#SBATCH --ntasks=1
#SBATCH --cpus-per-task={cpus}
#SBATCH --time={time}
#SBATCH --output={folder}/%x-%A_%a.log
{gres}# Written by `safecot run --emit slurm`. Each array task runs one model; what is done already is skipped, so that the same
# submission continues after a time limit. Add partition, account and environment as your cluster needs them.
set -euo pipefail
cards=({cards})
exec {safecot} run --models "${{cards[$SLURM_ARRAY_TASK_ID]}}" {options}
"""


def write(
    cards: Sequence[tuple[str, ModelCard]],
    folder: Path,
    options: Sequence[str],
    *,
    cpus: int = 8,
    time: str = "24:00:00",
    safecot: str = "safecot",
) -> list[Path]:
    """Write the scripts.

    Args:
        cards: What ``--models`` calls each model, and its card.
        folder: Where the scripts and the jobs' logs belong.
        options: Further arguments of ``safecot run``.
        cpus: Cores per job.
        time: Time limit per job.
        safecot: The command, as the compute nodes know it.

    Returns:
        The scripts, fewest accelerators first.

    Raises:
        SafecotError: the folder cannot be written to.
    """
    by_gpus: dict[int, list[str]] = defaultdict(list)
    for asked, card in cards:
        by_gpus[card.gpus].append(asked)
    written = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for gpus in sorted(by_gpus):
            text = TEMPLATE.format(
                gpus=gpus,
                last=len(by_gpus[gpus]) - 1,
                cpus=cpus,
                time=time,
                folder=folder.resolve(),
                gres=f"#SBATCH --gres=gpu:{gpus}\n" if gpus else "",
                cards=" ".join(map(shlex.quote, by_gpus[gpus])),
                safecot=safecot,
                options=shlex.join(options),
            )
            path = folder / f"safecot-{gpus}gpu.sh"
            with replacing(path) as scratch:
                scratch.write_text(text, encoding="utf-8")
                scratch.chmod(0o755)
            written.append(path)
    except OSError as error:
        raise SafecotError(f"{folder}: the job scripts cannot be written ({error.strerror}).") from error
    return written
