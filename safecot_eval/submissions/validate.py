"""Is a submission what it claims to be? Shape, hash, counts, recomputed rates, the benchmark's own items, plausibility."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from safecot_eval.aggregate.columns import STATUSES
from safecot_eval.records.evaluator import PHRASE_LABELS, Evaluator, Kind, phrase_labels
from safecot_eval.records.samples import SCORED, Status
from safecot_eval.submissions.blocks import CODES, columns_of, identity, rates
from safecot_eval.submissions.document import content_hash
from safecot_eval.submissions.shape import problems, schema
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.terminal import printable
from safecot_eval.util.wording import agreeing, counted

MOST_SHOWN = 20
FIRST_YEAR = 2023
MANY_INVALID = 0.1
SAME = 1e-9
SAME_INTERVAL = 1e-6


@dataclass
class Findings:
    """What was found.

    Attributes:
        errors: What makes the file unacceptable.
        warnings: What a reviewer should look at.
        checked: Tasks whose samples were compared with the benchmark's own items.
    """

    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    checked: list[str] = field(default_factory=list)


def validate(document: Mapping[str, Any], *, data: bool = True, now: datetime | None = None) -> Findings:
    """Check a submission.

    Args:
        document: As :func:`safecot_eval.submissions.load` returns it.
        data: Compare the samples with the benchmark's items, where its data are on this machine.
        now: The time; that of the clock if not given.
    """
    found = Findings()
    for problem in problems(document, schema("schema")):
        found.errors.append(printable(problem))
        if len(found.errors) >= MOST_SHOWN:
            break
    if found.errors:
        return found
    if content_hash(document) != document["sha256"]:
        found.errors.append(
            "sha256: the content is not the one that was sealed; write the file again with `safecot submit`"
        )
    for name, ours in CODES.items():
        theirs = document["codes"][name]
        if len(set(theirs)) != len(theirs) or not set(theirs) <= set(ours):
            found.errors.append(f"codes.{name}: a name is unknown or occurs twice")
    if printable(document["model"]) != document["model"] or not document["model"].strip():
        found.errors.append("model: the name has control characters or is blank")
    names = [block["task"] for block in document["tasks"]]
    found.errors += [f"{name}: occurs twice" for name in sorted({n for n in names if names.count(n) > 1})]
    if found.errors:
        return found
    moment = now or datetime.now(UTC)
    if _created(document) > moment + timedelta(days=1):
        found.errors.append(f"created: {document['created']} is in the future")
    for block in document["tasks"]:
        errors = [f"{block['task']}: {problem}" for problem in _count_problems(block, document["codes"])]
        found.errors += errors[:MOST_SHOWN]
        if not errors:
            _check_rates(document, block, found)
            _check_plausible(document, block, found, moment)
            if data:
                _check_items(document, block, found)
    return found


def _created(document: Mapping[str, Any]) -> datetime:
    try:
        return datetime.strptime(document["created"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        return datetime.max.replace(tzinfo=UTC) - timedelta(days=2)


def _count_problems(block: Mapping[str, Any], codes: Mapping[str, Any]) -> Iterator[str]:
    """Lists of different lengths, codes without a name, samples that occur twice, outcomes where there can be none."""
    columns = block["columns"]
    size = len(columns["id"])
    if len(set(columns["id"])) != size:
        yield "a sample occurs twice"
    uneven = [name for name, values in columns.items() if len(values) != size]
    if uneven:
        yield f"{uneven[0]} has {len(columns[uneven[0]])} entries for {size} samples"
        return
    limits = {"category": len(block["categories"]), **{name: len(given) for name, given in codes.items()}}
    for name, limit in limits.items():
        if max(columns[name]) >= limit:
            yield f"{name} has a code without a name"
    for name in ("cluster", "pair"):
        if max(columns[name]) >= size:
            yield f"{name} has a number beyond the {size} samples"
    names = [entry["name"] for entry in block["evaluators"]]
    if len(set(names)) != len(names):
        yield "an evaluator occurs twice"
    if not any(Evaluator.parse(name).kind is Kind.PHRASES for name in names):
        yield "no phrase list among the evaluators"
    scored = [name in SCORED for name in codes["status"]]
    answered = [scored[code] for code in columns["status"]]
    for entry in block["evaluators"]:
        yield from _evaluator_problems(entry, answered)


def _evaluator_problems(entry: Mapping[str, Any], answered: list[bool]) -> Iterator[str]:
    name, size = printable(entry["name"]), len(answered)
    if len(entry["codes"]) != size or (entry["weights"] is not None and len(entry["weights"]) != size):
        yield f"{name} has {len(entry['codes'])} outcomes for {size} samples"
        return
    if max(entry["codes"]) >= len(entry["labels"]):
        yield f"{name} has an outcome without a label"
    if len(set(entry["labels"])) != len(entry["labels"]):
        yield f"{name} has a label twice"
    evaluator = Evaluator.parse(entry["name"])
    if evaluator.is_list and tuple(entry["labels"]) not in [
        phrase_labels(unread=one) for one in (False, True)
    ]:
        yield f"{name}: the labels of a phrase list are {' and '.join(PHRASE_LABELS)}"
    if evaluator.is_list:
        wrong = sum((code >= 0) != there for code, there in zip(entry["codes"], answered, strict=True))
        if wrong:
            yield f"{name} has {wrong} outcomes that do not go with the answers' status"
    if any(entry[key] != value for key, value in identity(evaluator).items()):
        yield f"{name} is not made of its judge and rubric"


def _check_rates(document: Mapping[str, Any], block: Mapping[str, Any], found: Findings) -> None:
    ours = {
        (r["metric"], r["evaluator"]): r
        for r in rates(columns_of(document["model"], block, document["codes"]))
    }
    theirs = {(r["metric"], r["evaluator"]): r for r in block["rates"]}
    task = block["task"]
    for name in sorted(ours.keys() | theirs.keys()):
        shown = f"{task}: {name[0]} {printable(name[1])}".rstrip()
        if name not in ours or name not in theirs:
            here = "is not among the rates" if name in ours else "cannot be worked out from the samples"
            found.errors.append(f"{shown} {here}")
            continue
        mine, other = ours[name], theirs[name]
        if (mine["n"], mine["n_total"]) != (other["n"], other["n_total"]) or not _near(
            mine, other, "value", SAME
        ):
            found.errors.append(
                f"{shown} is {_percent(mine)} by the samples, and {_percent(other)} in the file"
            )
        elif not (_near(mine, other, "low", SAME_INTERVAL) and _near(mine, other, "high", SAME_INTERVAL)):
            found.warnings.append(
                f"{shown} has another interval by this version ({document['safecot_eval']} wrote the file)"
            )


def _near(mine: Mapping[str, Any], other: Mapping[str, Any], key: str, tolerance: float) -> bool:
    if mine[key] is None or other[key] is None:
        return mine[key] is other[key]
    return bool(abs(mine[key] - other[key]) <= tolerance * max(1.0, abs(mine[key])))


def _percent(numbers: Mapping[str, Any]) -> str:
    value = "nothing" if numbers["value"] is None else f"{numbers['value']:.6g}"
    return f"{value} (n {numbers['n']} of {numbers['n_total']})"


def _check_plausible(
    document: Mapping[str, Any], block: Mapping[str, Any], found: Findings, moment: datetime
) -> None:
    from safecot_eval.benchmarks.registry import task_parts
    from safecot_eval.scoring.refusal import available_lists, current_id, load_list

    task, source = block["task"], block["provenance"]
    try:
        run_at = datetime.strptime(block["stamp"], "%Y%m%d_%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        found.errors.append(f"{task}: the timestamp {block['stamp']} is not a time")
        return
    if run_at > moment + timedelta(days=1):
        found.errors.append(f"{task}: the timestamp {block['stamp']} is in the future")
    if run_at.year < FIRST_YEAR:
        found.warnings.append(f"{task}: the timestamp {block['stamp']} is older than the benchmark harness")
    try:
        benchmark, _ = task_parts(task)
    except SafecotError:
        found.warnings.append(f"{task}: no benchmark of this version of safecot-eval has this task")
    else:
        if benchmark.version != block["version"]:
            found.warnings.append(f"{task}: version {block['version']}; {benchmark.version} is current")
        if benchmark.revision != block["data_revision"]:
            found.warnings.append(f"{task}: its data are another revision ({block['data_revision'][:80]})")
    ours = {load_list(name).id for name in available_lists()}
    for entry in block["evaluators"]:
        evaluator = Evaluator.parse(entry["name"])
        if evaluator.kind is Kind.PHRASES and current_id(evaluator.id) not in ours:
            found.warnings.append(
                f"{task}: {printable(entry['name'])} is not one of the phrase lists that ship"
            )
        if entry["judge"] == document["model"]:
            found.warnings.append(f"{task}: the model is its own judge")
    if source["limit"] is not None:
        found.warnings.append(f"{task}: only a part of the items was asked (--limit {source['limit']})")
    if source["imported"] is not None:
        found.warnings.append(f"{task}: the answers were imported, not generated by this run")
    elif source["command"] is None or source["lmms_eval"] is None:
        found.warnings.append(f"{task}: the command or the version of lmms-eval is not known")
    columns = columns_of(document["model"], block, document["codes"])
    invalid = int((~columns.scored).sum())
    if invalid > MANY_INVALID * len(block["columns"]["id"]):
        found.warnings.append(
            f"{task}: {invalid} of {len(block['columns']['id'])} answers could not be scored"
        )
    limit = source["max_new_tokens"]
    truncated = STATUSES.index(Status.TRUNCATED)
    if limit is not None and bool(((columns.tokens > limit) & (columns.status != truncated)).any()):
        found.warnings.append(f"{task}: an answer is longer than max_new_tokens and is not called truncated")


def _check_items(document: Mapping[str, Any], block: Mapping[str, Any], found: Findings) -> None:
    """Samples, expectations, categories, sources and pairs are the benchmark's own."""
    from safecot_eval.benchmarks.documents import documents

    task = block["task"]
    try:
        docs = {doc["sample_id"]: doc for doc in documents(task)}
    except SafecotError:
        return
    columns, names = block["columns"], document["codes"]["expectation"]
    unknown = [name for name in columns["id"] if name not in docs]
    if unknown:
        found.errors.append(
            f"{task}: {len(unknown)} of {len(columns['id'])} samples are not the benchmark's (the first is {unknown[0]}); "
            "were prompts or pictures changed, or are the data here another revision?"
        )
        return
    checks: dict[str, Callable[[int, Mapping[str, Any]], bool]] = {
        "expectation": lambda row, doc: names[columns["expectation"][row]] == doc["expectation"],
        "category": lambda row, doc: block["categories"][columns["category"][row]] == doc["category"],
        "core": lambda row, doc: columns["core"][row] == (-1 if doc["core"] is None else int(doc["core"])),
    }
    for what, holds in checks.items():
        wrong = sum(not holds(row, docs[name]) for row, name in enumerate(columns["id"]))
        if wrong:
            found.errors.append(
                f"{task}: {counted(wrong, 'sample')} {agreeing(wrong, 'has', 'have')} another {what} than the benchmark gives"
            )
    for what, key in (("cluster", "cluster_id"), ("pair", "pair_id")):
        if not _same_groups(columns[what], [docs[name][key] for name in columns["id"]]):
            found.errors.append(f"{task}: the samples are not grouped by {what} as the benchmark groups them")
    if len(columns["id"]) < len(docs):
        found.warnings.append(f"{task}: {len(columns['id'])} of the benchmark's {len(docs)} items")
    found.checked.append(task)


def _same_groups(numbers: list[int], names: list[str | None]) -> bool:
    """Whether two labellings split the samples alike; -1 goes with None."""
    if any((number < 0) != (name is None) for number, name in zip(numbers, names, strict=True)):
        return False
    pairs = set(zip(numbers, names, strict=True))
    return len(pairs) == len(set(numbers)) == len(set(names))
