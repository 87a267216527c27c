"""A calibrated jury: any set of verdicts, combined by a model that was fitted on labelled answers.

Each member's verdict is a vote of +1 or -1 (its log-odds where it gives a probability), or 0 where it gives no label; beside
the votes the jury takes the answer's own signs (:mod:`signs`) where there are enough labels for them. The model is a
logistic regression with a ridge penalty. Its decision threshold is chosen on answers of models that the fit did not see, and
the figures that a jury carries are nested: model and prompt both left out.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from safecot_eval.judge.jury import signs
from safecot_eval.judge.jury.logistic import Array, Flags, Logistic, fit, sigmoid
from safecot_eval.records.verdicts import outcome_of
from safecot_eval.stats import kappa_of_table
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.files import sha256_of, unreadable, write_text

SCHEMA = 1
LEAST, LEAST_PER_MEMBER = 20, 10
"""Labels of the rarer kind that a jury needs: ten for each member, and twenty at least."""
LEAST_FOR_SIGNS = 100
SHRINK_VOTES, SHRINK_SIGNS = 0.06, 0.02
"""Ridge penalty for each answer of the fit. A judge that is right about one model's answers may be wrong about another's,
so that on left-out models its vote is worth less than on those of the fit, and needs the stronger penalty."""
PROMPT_FOLDS = 5
_SURE = 4.0
"""Largest log-odds of a member's own probability; a vote without one counts as 1."""
_THRESHOLDS = np.linspace(0.06, 0.8, 38)
_SMOOTH = 5
_LEAST_SLOPE = 0.05


Names = NDArray[np.str_]


@dataclass(frozen=True, slots=True)
class Ballot:
    """One answer with its members' verdicts.

    Attributes:
        model: Who answered.
        prompt: What was asked.
        cluster: Groups answers to the same question.
        answer: The answer, without reasoning.
        votes: One per member: yes, no, or None for no label.
        chances: The members' own probability of their label; None where not known.
        wanted: What people say; None where nobody labelled it.
    """

    model: str
    prompt: str
    cluster: str
    answer: str
    votes: tuple[bool | None, ...]
    chances: tuple[float | None, ...] = ()
    wanted: bool | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """How a jury did on answers that its fit had not seen, model and prompt left out.

    Attributes:
        n: Answers.
        positive: Those that people call yes.
        kappa: Cohen's kappa with people, with its interval.
        calibration_error: Mean distance between probability and frequency, in ten bins.
        members: Each member's own kappa on the same answers.
        worst: The model with the lowest kappa, and that kappa.
    """

    n: int
    positive: int
    kappa: tuple[float, float, float]
    calibration_error: float
    members: Mapping[str, float]
    worst: tuple[str, float] | None


@dataclass(frozen=True, slots=True)
class Jury:
    """A calibrated jury.

    Attributes:
        rubric: What is judged.
        members: Judge ids, in the order of the votes.
        uses_signs: Whether it looks at the answer as well.
        centre: Subtracted from each column.
        scale: Divides each column.
        model: The fitted weights.
        threshold: Probability from which it says yes.
        held: Its figures on left-out answers.
        calibrated_on: Where the labels came from.
    """

    rubric: str
    members: tuple[str, ...]
    uses_signs: bool
    centre: Array
    scale: Array
    model: Logistic
    threshold: float
    held: Held
    calibrated_on: str

    @property
    def id(self) -> str:
        """``jury-<hash>`` over everything that a verdict depends on."""
        content = json.dumps(self._content(), sort_keys=True).encode()
        return f"jury-{sha256_of(content)[:8]}"

    def probability(self, ballots: Sequence[Ballot]) -> Array:
        """Probability of yes for each answer, shape (n,)."""
        columns = (_columns(ballots, self.uses_signs) - self.centre) / self.scale
        return self.model.probability(columns)

    def weights(self) -> list[tuple[str, float]]:
        """Log-odds of each member's vote (a change from no vote to a plain yes), and of each sign by one deviation."""
        columns = [*self.members, *(signs.names() if self.uses_signs else ())]
        votes = np.arange(len(columns)) < len(self.members)
        per_unit = self.model.weights / np.where(votes, self.scale, 1.0)
        return list(zip(columns, per_unit.tolist(), strict=True))

    def _content(self) -> dict[str, Any]:
        return {
            "schema": SCHEMA,
            "rubric": self.rubric,
            "members": list(self.members),
            "uses_signs": self.uses_signs,
            "signs": list(signs.names()) if self.uses_signs else [],
            "centre": [round(v, 6) for v in self.centre.tolist()],
            "scale": [round(v, 6) for v in self.scale.tolist()],
            "weights": [round(v, 6) for v in self.model.weights.tolist()],
            "intercept": round(self.model.intercept, 6),
            "threshold": round(self.threshold, 4),
        }

    def save(self, path: Path) -> None:
        """Write the jury as JSON.

        Raises:
            SafecotError: the file cannot be written.
        """
        content = self._content() | {"held": asdict(self.held), "calibrated_on": self.calibrated_on}
        write_text(path, json.dumps(content, indent=1) + "\n")


def load(path: Path) -> Jury:
    """Read a jury.

    Raises:
        SafecotError: the file cannot be read, or is no jury of this version.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["schema"] != SCHEMA or content["signs"] not in ([], list(signs.names())):
            raise SafecotError(f"{path}: a jury of another version; calibrate it again.")
        held = content["held"]
        jury = Jury(
            rubric=str(content["rubric"]),
            members=tuple(map(str, content["members"])),
            uses_signs=bool(content["uses_signs"]),
            centre=np.array(content["centre"], dtype=float),
            scale=np.array(content["scale"], dtype=float),
            model=Logistic(np.array(content["weights"], dtype=float), float(content["intercept"])),
            threshold=float(content["threshold"]),
            held=Held(
                **{**held, "kappa": tuple(held["kappa"]), "worst": held["worst"] and tuple(held["worst"])}
            ),
            calibrated_on=str(content["calibrated_on"]),
        )
    except OSError as error:
        raise unreadable(path, error) from error
    except (ValueError, KeyError, TypeError) as error:
        raise SafecotError(f"{path}: not a jury written by `safecot judge jury`.") from error
    width = len(jury.members) + (len(signs.names()) if jury.uses_signs else 0)
    if not jury.members or any(len(part) != width for part in (jury.centre, jury.scale, jury.model.weights)):
        raise SafecotError(f"{path}: not a jury written by `safecot judge jury`.")
    return jury


def calibrate(
    ballots: Sequence[Ballot],
    members: Sequence[str],
    rubric: str,
    *,
    calibrated_on: str,
    use_signs: bool = True,
) -> Jury:
    """Fit a jury on labelled answers.

    Args:
        ballots: Answers; those without a label are passed over.
        members: Judge ids, in the order of the votes.
        rubric: What is judged.
        calibrated_on: Where the labels come from.
        use_signs: Look at the answers as well, where there are labels enough.

    Raises:
        SafecotError: too few labels, or nothing to combine.
    """
    labelled = [ballot for ballot in ballots if ballot.wanted is not None]
    wanted = np.array([bool(ballot.wanted) for ballot in labelled])
    _check(wanted, labelled, members, rubric)
    rarer = int(min(wanted.sum(), (~wanted).sum()))
    signed = use_signs and rarer >= LEAST_FOR_SIGNS
    columns = _columns(labelled, signed)
    models = np.array([ballot.model for ballot in labelled])
    folds = np.array([zlib.crc32(ballot.cluster.encode()) % PROMPT_FOLDS for ballot in labelled])
    held = _held(columns, wanted, models, folds, members)
    centre, scale, model, threshold = _calibrated(columns, wanted, models, folds, len(members))
    return Jury(rubric, tuple(members), signed, centre, scale, model, threshold, held, calibrated_on)


def _check(wanted: Flags, labelled: Sequence[Ballot], members: Sequence[str], rubric: str) -> None:
    yes, no = int(wanted.sum()), int((~wanted).sum())
    needed = max(LEAST, LEAST_PER_MEMBER * len(members))
    if len(members) < 2:
        raise SafecotError("A jury has at least two members; name them with --members A,B,C.")
    if min(yes, no) < needed:
        outcome = outcome_of(rubric)[0] or "yes"
        raise SafecotError(
            f"Too few labels to calibrate a jury of {len(members)}: {yes} answers labelled {outcome} and {no} not, where "
            f"{needed} of either kind are needed. Label more (`safecot label export`), or name fewer members."
        )
    for number, member in enumerate(members):
        if all(ballot.votes[number] is None for ballot in labelled):
            raise SafecotError(
                f"{member} gave no verdict on {rubric!r} to any labelled answer; judge with it first."
            )


def _columns(ballots: Sequence[Ballot], signed: bool) -> Array:
    votes = np.array([_votes(ballot) for ballot in ballots], dtype=float).reshape(len(ballots), -1)
    if not signed:
        return votes
    return np.hstack([votes, signs.signs([b.answer for b in ballots], [b.prompt for b in ballots])])


def _votes(ballot: Ballot) -> list[float]:
    chances = ballot.chances or (None,) * len(ballot.votes)
    return [_vote(vote, chance) for vote, chance in zip(ballot.votes, chances, strict=True)]


def _vote(vote: bool | None, chance: float | None) -> float:
    if vote is None:
        return 0.0
    side = 1.0 if vote else -1.0
    if chance is None:
        return side
    kept = min(max(chance, 1e-6), 1 - 1e-6)
    return side * float(np.clip(np.log(kept / (1 - kept)), -_SURE, _SURE)) / 2


def _parts(models: Names, folds: Array, *, prompts: bool) -> Iterator[tuple[Flags, Flags]]:
    """Training and test masks: each model left out, with its questions where ``prompts``; by question alone for one model."""
    several = np.unique(models)
    if len(several) == 1:
        for fold in np.unique(folds):
            yield folds != fold, folds == fold
        return
    for name in several:
        if not prompts:
            yield models != name, models == name
            continue
        for fold in np.unique(folds):
            yield (models != name) & (folds != fold), (models == name) & (folds == fold)


def _fit(columns: Array, wanted: Flags, members: int) -> tuple[Array, Array, Logistic]:
    """Centre and deviation of each column, and the model of the columns so scaled."""
    centre, scale = columns.mean(axis=0), columns.std(axis=0)
    scale = np.where(scale > 1e-9, scale, 1.0)
    shrink = np.where(np.arange(columns.shape[1]) < members, SHRINK_VOTES, SHRINK_SIGNS)
    penalties = len(wanted) * shrink
    return centre, scale, fit((columns - centre) / scale, wanted, penalties)


def _calibrated(
    columns: Array, wanted: Flags, models: Names, folds: Array, members: int
) -> tuple[Array, Array, Logistic, float]:
    """A fit whose probabilities hold on models that it did not see, and the threshold with the highest kappa there.

    The penalty makes the fit too unsure and a new model's answers make it too sure; both are mended by a straight line
    through the log-odds of cross-fitted answers (Platt).
    """
    logits = np.full(len(wanted), np.nan)
    for train, test in _parts(models, folds, prompts=False):
        if 0 < wanted[train].sum() < train.sum():
            centre, scale, model = _fit(columns[train], wanted[train], members)
            logits[test] = model.logit((columns[test] - centre) / scale)
    known = ~np.isnan(logits)
    line = fit(logits[known, None], wanted[known], np.array([1e-3]))
    slope, shift = max(float(line.weights[0]), _LEAST_SLOPE), line.intercept
    probability = sigmoid(slope * logits[known] + shift)
    kappas = np.array([_kappa(probability >= threshold, wanted[known])[0] for threshold in _THRESHOLDS])
    smooth = np.convolve(np.nan_to_num(kappas, nan=-1.0), np.ones(_SMOOTH) / _SMOOTH, mode="valid")
    centre, scale, model = _fit(columns, wanted, members)
    model = Logistic(slope * model.weights, slope * model.intercept + shift)
    return centre, scale, model, float(_THRESHOLDS[int(smooth.argmax()) + _SMOOTH // 2])


def _held(columns: Array, wanted: Flags, models: Names, folds: Array, members: Sequence[str]) -> Held:
    probability = np.full(len(wanted), np.nan)
    said = np.zeros(len(wanted), dtype=bool)
    for train, test in _parts(models, folds, prompts=True):
        if not test.any():
            continue
        if not 0 < wanted[train].sum() < train.sum():
            probability[test] = wanted[train].mean()
            continue
        centre, scale, model, threshold = _calibrated(
            columns[train], wanted[train], models[train], folds[train], len(members)
        )
        probability[test] = model.probability((columns[test] - centre) / scale)
        said[test] = probability[test] >= threshold
    own = {}
    for number, member in enumerate(members):
        voted = columns[:, number] != 0
        own[member] = round(_kappa(columns[voted, number] > 0, wanted[voted])[0], 4)
    of_models = {
        str(name): _kappa(said[models == name], wanted[models == name])[0]
        for name in np.unique(models)
        if min(wanted[models == name].sum(), (~wanted[models == name]).sum()) >= 5
    }
    worst = min(of_models.items(), key=lambda item: item[1]) if len(of_models) > 1 else None
    kappa = _kappa(said, wanted)
    return Held(
        n=len(wanted),
        positive=int(wanted.sum()),
        kappa=(round(kappa[0], 4), round(kappa[1], 4), round(kappa[2], 4)),
        calibration_error=round(calibration_error(probability, wanted), 4),
        members=own,
        worst=(worst[0], round(worst[1], 4)) if worst else None,
    )


def _kappa(said: Flags, wanted: Flags) -> tuple[float, float, float]:
    counts = [
        [int((wanted & said).sum()), int((wanted & ~said).sum())],
        [int((~wanted & said).sum()), int((~wanted & ~said).sum())],
    ]
    found = kappa_of_table(counts)
    return found.value, found.low, found.high


def calibration_error(probability: Array, wanted: Flags, bins: int = 10) -> float:
    """Mean distance between probability and frequency over bins of equal width, weighted by their size."""
    index = np.minimum((probability * bins).astype(int), bins - 1)
    gaps = (
        abs(probability[index == b].mean() - wanted[index == b].mean()) * float(np.mean(index == b))
        for b in np.unique(index)
    )
    return float(sum(gaps))
