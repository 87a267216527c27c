"""Everything that ``safecot paper`` shows, gathered once: the page, the Markdown and the CSV are made from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from safecot_eval.benchmarks.data import root
from safecot_eval.paper import differences, directions, manifest, question_sets, reproduction
from safecot_eval.paper.differences import Difference
from safecot_eval.paper.directions import Direction
from safecot_eval.paper.manifest import Entry
from safecot_eval.paper.measured import Measured, Metric, measure_all
from safecot_eval.paper.recorded import RecordedRun, parse_name, read_run
from safecot_eval.paper.reproduction import Figure
from safecot_eval.paper.rulers import Ruler
from safecot_eval.paper.trainings import CHAIN, Variant, chain, parse, sizes
from safecot_eval.scoring import refusal
from safecot_eval.stats.estimates import Estimate
from safecot_eval.util.errors import SafecotError

FOLDER = "safecot_runs"
TESTS = ("ood", "siuo")


@dataclass(frozen=True)
class Paper:
    """The recorded runs, measured and compared.

    Attributes:
        folder: Where they were read.
        entries: File name to what the manifest says about it.
        runs: Run name to the measured run, by base, variant and test set.
    """

    folder: Path
    entries: Mapping[str, Entry]
    runs: Mapping[str, Measured]

    @cached_property
    def groups(self) -> dict[tuple[str, str], dict[str, Measured]]:
        """(Test set, base) to training to run; MSSBench first, bases by their full names."""
        found: dict[tuple[str, str], dict[str, Measured]] = {}
        for test in TESTS:
            for base in self.bases:
                group = {
                    run.run.training: run
                    for run in self.runs.values()
                    if run.run.base == base and run.run.test.name == test
                }
                if group:
                    found[test, base] = group
        return found

    @cached_property
    def bases(self) -> list[str]:
        """The base models: those with the most variants first, then by name."""
        keys = {run.run.base for run in self.runs.values()}

        def rank(base: str) -> tuple[int, str]:
            trainings = [run.run.training for run in self.runs.values() if run.run.base == base]
            return -len(chain(trainings)), self.title(base).lower()

        return sorted(keys, key=rank)

    def title(self, base: str) -> str:
        """A base model's full name, where the manifest has it."""
        names = {
            entry.base
            for file, entry in self.entries.items()
            if entry.base and parse_name(Path(file))[0] == base
        }
        return names.pop() if len(names) == 1 else base

    def short(self, test: str) -> str:
        """A test set's title."""
        return next(run.run.test.title for run in self.runs.values() if run.run.test.name == test)

    def standing(self, test: str, base: str) -> dict[Variant, Measured]:
        """What stands for the base and each variant on a test set; a variant that was not recorded is not there."""
        group = self.groups.get((test, base), {})
        return {variant: group[key] for variant, key in chain(group).items()}

    def rate(self, run: str, ruler: str, metric: str) -> Estimate | None:
        """A rate by names, for texts."""
        return self.runs[run].rate(Ruler(ruler), Metric(metric))

    @cached_property
    def along_the_chain(self) -> list[Difference]:
        """Paired differences base → v0 → v1 → v2."""
        return differences.along_the_chain(self.groups)

    @cached_property
    def of_mixtures(self) -> list[Difference]:
        """Paired differences of other mixtures, sources and writers."""
        return differences.of_mixtures(self.groups)

    @cached_property
    def directions(self) -> list[Direction]:
        """The six directions of every base model that was trained at all."""
        found = []
        for base in self.bases:
            by_test = {test: group for (test, name), group in self.groups.items() if name == base}
            if any(set(chain(group)) - {Variant.BASE} for group in by_test.values()):
                found += directions.check(base, by_test)
        return found

    @cached_property
    def curves(self) -> dict[tuple[str, str, str], dict[int | None, Measured]]:
        """(Test set, base, training) to size (None: all) to run."""
        return {
            (test, base, stem): {size: group[key] for size, key in by_size.items()}
            for (test, base), group in self.groups.items()
            for stem, by_size in sizes(group).items()
        }

    @cached_property
    def figures(self) -> list[Figure]:
        """Every recorded figure against what comes out now."""
        return [
            figure
            for name, run in self.runs.items()
            if (entry := self.entries.get(f"{name}.jsonl")) is not None
            for figure in reproduction.compare(run, entry)
        ]

    @cached_property
    def answers(self) -> int:
        """All recorded answers."""
        return sum(len(run.run.answers) for run in self.runs.values())

    @cached_property
    def differently_matched(self) -> int:
        """Answers on which the 22 phrases decide differently as recorded (spelling, whole generation) and as we match."""
        as_recorded = refusal.load_list(Ruler.SAFECOT22.value)
        ours = refusal.RefusalList("22", "22", as_recorded.phrases)
        count = 0
        for run in self.runs.values():
            for answer in run.run.answers:
                count += (as_recorded.match(answer.text) is None) != (ours.match(answer.text) is None)
        return count


def read_folder(folder: Path) -> tuple[dict[str, Entry], list[RecordedRun]]:
    """Read and check all recorded runs of a folder.

    Raises:
        SafecotError: there are none, or one of them (or the manifest) is not as it should be.
    """
    if not folder.is_dir():
        raise SafecotError(f"{folder} is not a folder; name one with recorded runs, or leave --runs out.")
    paths = sorted(folder.glob("*.jsonl"))
    if not paths:
        raise SafecotError(f"{folder}: no recorded runs (<base>__<training>__<test>.jsonl) are here.")
    entries = manifest.read_manifest(folder)
    tests: dict[str, question_sets.QuestionSet] = {}
    runs = []
    for path in paths:
        name = parse_name(path)[2]
        if name not in TESTS:
            raise SafecotError(
                f"{path}: there is no recorded test set {name!r}; there are {' and '.join(TESTS)}."
            )
        if name not in tests:
            tests[name] = question_sets.load(name)
        run = read_run(path, tests[name])
        if path.name in entries:
            manifest.check(run, entries[path.name])
        runs.append(run)
    return entries, runs


def gather(folder: Path | None = None) -> Paper:
    """Read and measure recorded runs.

    Args:
        folder: A folder of recorded runs; None for the prepared ones.

    Raises:
        SafecotError: see :func:`read_folder`.
    """
    chosen = root(FOLDER) if folder is None else folder
    entries, runs = read_folder(chosen)
    ordered = sorted(runs, key=_order)
    return Paper(chosen, entries, measure_all(ordered))


def _order(run: RecordedRun) -> tuple[str, int, int, str, str]:
    training = parse(run.training)
    variant = CHAIN.index(training.variant) if training.variant else len(CHAIN)
    return run.base.lower(), TESTS.index(run.test.name), variant, run.training, run.name
