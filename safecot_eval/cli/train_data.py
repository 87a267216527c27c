"""``safecot train data`` and ``safecot train cot``: the examples, and a variant's training file from them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from safecot_eval.util.errors import SafecotError
from safecot_eval.util.wording import agreeing, counted


@click.command("data")
@click.option(
    "--safety",
    "safety_specs",
    multiple=True,
    metavar="SOURCE",
    help="Triplets: FILE.jsonl, FILE.parquet, bench:NAME[:VARIANT]=DIR, vlguard=DIR, llava=FILE, hub=NAME.",
)
@click.option(
    "--general",
    "general_specs",
    multiple=True,
    metavar="SOURCE",
    help="General data: llava=FILE.json[@IMAGES], hub=NAME[@SPLIT], FILE.jsonl.",
)
@click.option(
    "--eval-set",
    "eval_specs",
    multiple=True,
    metavar="TASK=DIR",
    help="Evaluation set that must not be trained on.",
)
@click.option("--ratio", default="1:1", show_default=True, help="Safety parts : general parts.")
@click.option(
    "--size", type=click.IntRange(min=1), help="Number of examples; as many as possible by default."
)
@click.option(
    "--holdout",
    type=click.FloatRange(0, 0.95),
    default=0.0,
    show_default=True,
    help="Share of the safety sources' questions kept for evaluation.",
)
@click.option(
    "--seed",
    type=int,
    default=0,
    show_default=True,
    help="Seed of the split, the order and the refusals.",
)
@click.option("--refusal-list", default="gcg25", show_default=True, help="Phrases to learn to refuse with.")
@click.option(
    "--contamination",
    type=click.Choice(["stop", "drop"]),
    default="stop",
    show_default=True,
    help="What to do with training items found in an evaluation set.",
)
@click.option(
    "--on-bad",
    type=click.Choice(["stop", "drop"]),
    default="stop",
    show_default=True,
    help="What to do with rows that cannot be used (no picture, no answer …); the manifest counts them.",
)
@click.option(
    "--protocol",
    type=click.Choice(["safecot"]),
    help="v0, v1 and v2 as recorded by the SafeCoT code: sources, prompts, refusals, templates and order.",
)
@click.option(
    "--images",
    type=click.Choice(["copied", "names"]),
    default="copied",
    show_default=True,
    help="With --protocol: `names` looks for no images; such data can be compared, not trained on.",
)
@click.option(
    "--thoughts",
    type=click.Choice(["llama", "qwenvl", "llavaguard", "none"]),
    default="llama",
    show_default=True,
    help="With --protocol: whose recorded thoughts v2 gets; none leaves v2 to `safecot train cot`.",
)
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), required=True, help="Data folder to write."
)
def data(
    safety_specs: tuple[str, ...],
    general_specs: tuple[str, ...],
    eval_specs: tuple[str, ...],
    ratio: str,
    size: int | None,
    holdout: float,
    seed: int,
    refusal_list: str,
    contamination: str,
    on_bad: str,
    protocol: str | None,
    images: str,
    thoughts: str,
    out: Path,
) -> None:
    """Build the examples that all variants share: split, check, mix, order."""
    from safecot_training.data import dataset, drawing, sources, test_only
    from safecot_training.data.bad_rows import BadRows, OnBad
    from safecot_training.data.examples import Kind

    parts = _ratio(ratio)
    if not general_specs:
        parts = (1, 0)
    plan = drawing.Plan(parts, size, holdout, seed, refusal_list, drawing.OnContamination(contamination))
    eval_sets = [sources.read_eval_set(spec) for spec in eval_specs]
    if protocol:
        from safecot_training.recorded_data import build_recorded

        plan = replace(plan, protocol=protocol, by_name=images == "names")
        manifest = build_recorded(
            out, plan, safety=safety_specs, general=general_specs, thoughts=thoughts, eval_sets=eval_sets
        )
        _report(manifest, out)
        return
    if not safety_specs:
        raise SafecotError("Give at least one --safety SOURCE, or --protocol safecot.")
    if images != "copied" or thoughts != "llama":
        raise SafecotError("--images and --thoughts belong to --protocol safecot.")
    bad = BadRows(OnBad(on_bad))
    safety = [e for spec in safety_specs for e in sources.read_source(spec, Kind.SAFETY, out / "hub", bad)]
    general = [e for spec in general_specs for e in sources.read_source(spec, Kind.GENERAL, out / "hub", bad)]
    manifest = dataset.build(
        safety,
        general,
        out,
        plan,
        eval_sets=eval_sets,
        sources=[sources.describe(spec) for spec in (*safety_specs, *general_specs)],
        forbidden=test_only.eval_sets(),
        bad=bad,
    )
    _report(manifest, out)


def _report(manifest: dict[str, Any], out: Path) -> None:
    click.echo(f"{counted(manifest['size'], 'example')} in {out}: {_counts(manifest['counts']['kind'])}")
    bad = manifest["bad_rows"]
    if bad["dropped"]:
        click.echo(
            f"{counted(bad['dropped'], 'row')} cannot be used and {agreeing(bad['dropped'], 'was', 'were')} dropped; the first: {bad['first'][0]}"
        )
    checked = manifest["contamination"]["checked"]
    if checked:
        click.echo(
            f"Checked against {counted(len(checked), 'evaluation set')}; "
            f"{manifest['contamination']['dropped']} dropped."
        )
        for each in checked:
            if each["without_pictures"]:
                click.echo(
                    f"Of {each['set']}, {each['without_pictures']} of {counted(each['items'], 'item')} "
                    f"{agreeing(each['without_pictures'], 'has', 'have')} pictures that are not on "
                    "disk; these were compared by text alone."
                )
    else:
        click.echo("Not checked against any evaluation set (--eval-set); training will ask for that.")


@click.command("cot")
@click.option(
    "--data", "folder", type=click.Path(file_okay=False, path_type=Path), required=True, help="Data folder."
)
@click.option(
    "--variant",
    type=click.Choice(["v0", "v1", "v2"]),
    required=True,
    help="v0: direct refusals; v1: thoughts from templates; v2: thoughts written by a VLM.",
)
@click.option(
    "--marker",
    type=click.Choice(["safety_reasoning", "think"]),
    default="safety_reasoning",
    show_default=True,
    help="Tags around the chain of thought; scoring splits on the same ones.",
)
@click.option(
    "--reasons",
    type=click.Choice(["all", "safety", "refusals"]),
    default="all",
    show_default=True,
    help="Which examples get a chain of thought.",
)
@click.option(
    "--max-wordings",
    type=click.IntRange(min=1),
    help="Draw from at most this many wordings of a category's templates, and of the refusals.",
)
@click.option(
    "--templates", type=click.Path(dir_okay=False, path_type=Path), help="Template file instead of ours."
)
@click.option("--base-url", help="v2: OpenAI-compatible endpoint, up to and including /v1.")
@click.option(
    "--model", default="meta-llama/Llama-3.2-11B-Vision-Instruct", show_default=True, help="v2: the writer."
)
@click.option(
    "--temperature",
    type=float,
    default=0.7,
    show_default=True,
    help="v2: of each example's first attempt; later ones are sampled at a higher one.",
)
@click.option(
    "--attempts",
    type=click.IntRange(min=1),
    default=3,
    show_default=True,
    help="v2: texts to ask for until one passes the filter.",
)
@click.option(
    "--concurrency",
    type=click.IntRange(min=1),
    default=16,
    show_default=True,
    help="v2: requests under way at the same time.",
)
@click.option(
    "--retries",
    type=click.IntRange(min=0),
    default=4,
    show_default=True,
    help="v2: repetitions of a failed request.",
)
def cot(
    folder: Path,
    variant: str,
    marker: str,
    reasons: str,
    max_wordings: int | None,
    templates: Path | None,
    base_url: str | None,
    model: str,
    temperature: float,
    attempts: int,
    concurrency: int,
    retries: int,
) -> None:
    """Write a variant's training file (v0, v1, v2); v2 is resumable."""
    from safecot_training.cot.recorded import write_recorded
    from safecot_training.cot.targets import Marker, Reasons, Variant
    from safecot_training.cot.templates import TEMPLATES, load_templates
    from safecot_training.cot.variants import write_variant
    from safecot_training.cot.writer import WriterConfig
    from safecot_training.data.dataset import read_manifest

    recorded = bool(read_manifest(folder).get("protocol"))
    writer = None
    if variant == Variant.V2 and not (recorded and not base_url):
        if not base_url:
            raise SafecotError(
                "Variant v2 is written by a VLM; give its endpoint with --base-url http://HOST:PORT/v1."
            )
        writer = WriterConfig(
            base_url,
            model,
            temperature=temperature,
            attempts=attempts,
            concurrency=concurrency,
            retries=retries,
        )
    if recorded:
        from safecot_training.data.protocol import load_protocol

        if templates is not None or marker != "safety_reasoning" or reasons != "all" or max_wordings:
            raise SafecotError(
                f"{folder}: built with --protocol safecot, which has its own templates, no markers and thoughts in the "
                "safety half only; leave --templates, --marker, --reasons and --max-wordings out."
            )
        entry = write_recorded(folder, Variant(variant), load_protocol(), writer=writer or "llama")
    else:
        entry = write_variant(
            folder,
            Variant(variant),
            marker=Marker(marker),
            reasons=Reasons(reasons),
            templates=load_templates(templates or TEMPLATES),
            writer=writer,
            max_wordings=max_wordings,
        )
    click.echo(f"{folder / variant}.jsonl written.")
    told = entry.get("writer") or {}
    if "written" in told:
        click.echo(
            f"{counted(told['written'], 'text')} written, {told['template_instead']} replaced by a template."
        )
        click.echo(
            f"Dropped attempts: {_counts(told['dropped_attempts']) or 'none'}; see {folder / 'v2_review.jsonl'}."
        )


def _ratio(text: str) -> tuple[int, int]:
    try:
        safety, general = (int(part) for part in text.split(":"))
    except ValueError as error:
        raise SafecotError(f"--ratio {text}: write two whole numbers, safety:general, e.g. 1:1.") from error
    return safety, general


def _counts(counts: dict[str, Any]) -> str:
    return ", ".join(f"{number} {name}" for name, number in sorted(counts.items()))
