"""What the commands of ``safecot judge`` share: options that name a judge, and the judge and rubrics that they name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from safecot_eval.util.errors import SafecotError

if TYPE_CHECKING:
    from safecot_eval.judge.rubric import RubricSet
    from safecot_eval.judge.work import Judge


def _one_name(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """``lite`` however it is written: the page and the documentation call it safecot-lite."""
    return "lite" if value is not None and value.lower() in ("lite", "safecot-lite") else value


def judge_options(function: click.decorators.FC) -> click.decorators.FC:
    """Add the options that name a judge and say how to ask it."""
    for option in (
        click.option(
            "--max-tokens",
            type=click.IntRange(min=1),
            help="Tokens of a reply at most (default: a few for a label, 4096 for a judge that reasons).",
        ),
        click.option("--no-cache", is_flag=True, help="Neither read nor write the verdict cache."),
        click.option(
            "--concurrency",
            type=click.IntRange(min=1),
            default=512,
            show_default=True,
            help="Requests in flight at most.",
        ),
        click.option(
            "--official", is_flag=True, help="Use the benchmarks' own wording (protocols/judge_prompts.json)."
        ),
        click.option("--url", help="Endpoint, ending in /v1 (default: SAFECOT_JUDGE_URL)."),
        click.option(
            "--judge",
            "name",
            callback=_one_name,
            help="'lite', 'perspective' or 'alt-profanity-check' (toxicity), or the model to ask the endpoint for (default: SAFECOT_JUDGE_MODEL, or the first it serves).",
        ),
    ):
        function = option(function)
    return function


def chosen_rubrics(names: tuple[str, ...], official: bool, images: bool = False) -> dict[str, RubricSet]:
    """Rubrics by name or file; all of the wording if none is named; with ``images``, in wordings for judges that see.

    Raises:
        SafecotError: there is no such rubric, or none of them is for judges that see.
    """
    from safecot_eval.judge.pictures import with_authors_pictures, with_pictures
    from safecot_eval.judge.rubric_files import choose

    sets = choose(names, wording="official" if official else "own")
    if not images:
        return sets
    return with_authors_pictures(sets) if official else with_pictures(sets)


def for_judge(judge: Judge, sets: Mapping[str, RubricSet], *, asked: bool = False) -> dict[str, RubricSet]:
    """The rubrics as a judge is to be asked: a guard model in the form that it was trained on.

    Raises:
        SafecotError: a guard judges none of them, or one that was named is not among its own.
    """
    from safecot_eval.judge.guards import for_model

    endpoint = getattr(judge, "endpoint", None)
    return dict(sets) if endpoint is None else for_model(endpoint.model, sets, asked=asked)


def chosen_judge(
    name: str | None, url: str | None, concurrency: int, no_cache: bool, max_tokens: int | None
) -> Judge:
    """The judge that the options or the environment name.

    Raises:
        SafecotError: there is none, or it cannot be used.
    """
    if name == "lite":
        from safecot_eval.judge.lite.judge import LiteJudge

        return LiteJudge()
    if name is not None:
        from safecot_eval.judge import toxicity

        if (classifier := toxicity.named(name)) is not None:
            return classifier
    from safecot_eval.judge.endpoint.cache import default_path
    from safecot_eval.judge.endpoint.endpoint import configured
    from safecot_eval.judge.endpoint.remote import RemoteJudge

    endpoint = configured(url=url, model=name, max_tokens=max_tokens)
    if endpoint is None:
        raise SafecotError(
            "No judge: set SAFECOT_JUDGE_URL or give --url (`safecot judge serve` starts one), or use --judge lite."
        )
    click.echo(f"Judge: {endpoint.described()}", err=True)
    return RemoteJudge(endpoint, None if no_cache else default_path(), most_in_flight=concurrency)


def judge_id_of(judge: Judge, sets: Mapping[str, RubricSet]) -> str:
    """What verdicts carry: the judge, and what is special about the wording."""
    from safecot_eval.judge.rubric_files import wording_of

    return judge.id + wording_of(sets)


def say_advice(judge: Judge | None) -> None:
    """Say once what would help where replies of a judge were cut off."""
    advice = getattr(judge, "advice", lambda: None)()
    if advice:
        click.echo(advice, err=True)
