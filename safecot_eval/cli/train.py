"""``safecot train``: build SafeCoT data, write chains of thought, fine-tune, merge and score checkpoints."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from safecot_eval.util.errors import SafecotError


@click.group(name="train")
def command() -> None:
    """Build SafeCoT data, fine-tune, export and score checkpoints."""


@command.command("data")
@click.option(
    "--safety",
    "safety_specs",
    multiple=True,
    required=True,
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
    metavar="LEAF=DIR",
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
@click.option("--seed", type=int, default=0, show_default=True)
@click.option(
    "--refusal-list", default="safecot25", show_default=True, help="Phrases to learn to refuse with."
)
@click.option(
    "--contamination",
    type=click.Choice(["stop", "drop"]),
    default="stop",
    show_default=True,
    help="What to do with training items found in an evaluation set.",
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
    out: Path,
) -> None:
    """Build the examples that all variants share: split, check, mix, order."""
    from safecot_training.data import dataset, sources
    from safecot_training.data.examples import Kind

    safety = [e for spec in safety_specs for e in sources.read_source(spec, Kind.SAFETY, out / "hub")]
    general = [e for spec in general_specs for e in sources.read_source(spec, Kind.GENERAL, out / "hub")]
    parts = _ratio(ratio if general_specs else "1:0")
    plan = dataset.Plan(parts, size, holdout, seed, refusal_list, dataset.OnContamination(contamination))
    manifest = dataset.build(
        safety,
        general,
        out,
        plan,
        eval_sets=[sources.read_eval_set(spec) for spec in eval_specs],
        sources=[sources.describe(spec) for spec in (*safety_specs, *general_specs)],
    )
    click.echo(f"{manifest['size']} examples in {out}: {_counts(manifest['counts']['kind'])}")
    checked = manifest["contamination"]["checked"]
    if checked:
        click.echo(
            f"Checked against {len(checked)} evaluation sets; {manifest['contamination']['dropped']} dropped."
        )
    else:
        click.echo("Not checked against any evaluation set (--eval-set); training will ask for that.")


@command.command("cot")
@click.option(
    "--data", "folder", type=click.Path(file_okay=False, path_type=Path), required=True, help="Data folder."
)
@click.option("--variant", type=click.Choice(["v0", "v1", "v2"]), required=True)
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
    "--templates", type=click.Path(dir_okay=False, path_type=Path), help="Template file instead of ours."
)
@click.option("--base-url", help="v2: OpenAI-compatible endpoint, up to and including /v1.")
@click.option(
    "--model", default="meta-llama/Llama-3.2-11B-Vision-Instruct", show_default=True, help="v2: the writer."
)
@click.option("--temperature", type=float, default=0.7, show_default=True)
@click.option(
    "--attempts",
    type=click.IntRange(min=1),
    default=3,
    show_default=True,
    help="v2: texts to ask for until one passes the filter.",
)
@click.option("--concurrency", type=click.IntRange(min=1), default=16, show_default=True)
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
    templates: Path | None,
    base_url: str | None,
    model: str,
    temperature: float,
    attempts: int,
    concurrency: int,
    retries: int,
) -> None:
    """Write a variant's training file (v0, v1, v2); v2 is resumable."""
    from safecot_training.cot.targets import Marker, Reasons, Variant
    from safecot_training.cot.templates import TEMPLATES, load_templates
    from safecot_training.cot.variants import write_variant
    from safecot_training.cot.writer import WriterConfig

    writer = None
    if variant == Variant.V2:
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
    entry = write_variant(
        folder,
        Variant(variant),
        marker=Marker(marker),
        reasons=Reasons(reasons),
        templates=load_templates(templates or TEMPLATES),
        writer=writer,
    )
    click.echo(f"{folder / variant}.jsonl written.")
    if "writer" in entry:
        told = entry["writer"]
        click.echo(f"{told['written']} texts written, {told['template_instead']} replaced by a template.")
        click.echo(
            f"Dropped attempts: {_counts(told['dropped_attempts']) or 'none'}; see {folder / 'v2_review.jsonl'}."
        )


@command.command("sft")
@click.option(
    "--recipe", "path", type=click.Path(dir_okay=False, path_type=Path), required=True, help="Recipe (YAML)."
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Output folder.  [default: checkpoints/NAME-OF-THE-RECIPE-FILE]",
)
@click.option("--data", help="Data folder instead of the recipe's.")
@click.option("--variant", type=click.Choice(["v0", "v1", "v2"]), help="Variant instead of the recipe's.")
@click.option("--max-samples", type=click.IntRange(min=1), help="Train on the first N examples.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Any other recipe value.")
@click.option("--world-size", type=click.IntRange(min=1), help="Processes that were started; checked.")
def sft(
    path: Path,
    out: Path | None,
    data: str | None,
    variant: str | None,
    max_samples: int | None,
    settings: tuple[str, ...],
    world_size: int | None,
) -> None:
    """Fine-tune from a recipe; the same command goes on after an interruption."""
    import yaml

    from safecot_training.sft.recipe import load_recipe
    from safecot_training.sft.world import is_first_process, require_world_size

    require_world_size(world_size)
    overrides: dict[str, Any] = {}
    for setting in settings:
        key, separator, value = setting.partition("=")
        if not separator:
            raise SafecotError(f"--set {setting}: write KEY=VALUE.")
        overrides[key] = yaml.safe_load(value)
    named = {"data": data, "variant": variant, "max_samples": max_samples}
    recipe = load_recipe(path, {**overrides, **{k: v for k, v in named.items() if v is not None}})

    from safecot_training.sft.train import train

    result = train(recipe, out or Path("checkpoints") / path.stem, world_size=world_size)
    for reason in result.damaged:
        click.echo(f"Checkpoint not used: {reason}.", err=True)
    if result.resumed_from:
        click.echo(f"Resumed from {result.resumed_from}.", err=True)
    if is_first_process():
        click.echo(
            f"{result.folder}: {result.card.samples} examples, {result.world_size} "
            f"process{'es' if result.world_size > 1 else ''}, last loss "
            f"{result.card.train_loss:.4f}."
        )


@command.command("merge")
@click.option("--adapter", type=click.Path(exists=True, file_okay=False, path_type=Path), required=True)
@click.option("--base-model", help="Base instead of the card's.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True)
def merge(adapter: Path, base_model: str | None, out: Path) -> None:
    """Add an adapter to its base and save the whole model."""
    import dataclasses

    from safecot_training.sft.card import read_card
    from safecot_training.sft.export import merge as merge_adapter

    card = read_card(adapter)
    merge_adapter(adapter, out, dataclasses.replace(card, base_model=base_model or card.base_model))
    click.echo(f"{out}: merged.")


@command.command("eval", context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
@click.argument("checkpoint", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--tasks", default="safecot_mini", show_default=True, help="Our tasks, as for `safecot run`.")
@click.option(
    "--capability", is_flag=True, help="Measure general capability instead, by lmms-eval's own tasks."
)
@click.option("--capability-tasks", help="Instead of the recipe's capability_tasks, separated by commas.")
@click.option("--form", type=click.Choice(["merged", "adapter"]), default="merged", show_default=True)
@click.option("--name", default="", help="Name on the leaderboard instead of the recipe's.")
@click.option(
    "--output_path", "--output-path", type=click.Path(path_type=Path), default="runs", show_default=True
)
@click.option("--model_args", "--model-args", default="", help="Further key=value for safecot_hf.")
@click.option("--processes", type=click.IntRange(min=1), default=1, show_default=True, help="Data parallel.")
@click.pass_context
def evaluate(
    ctx: click.Context,
    checkpoint: Path,
    tasks: str,
    capability: bool,
    capability_tasks: str | None,
    form: str,
    name: str,
    output_path: Path,
    model_args: str,
    processes: int,
) -> None:
    """Score a checkpoint with the harness; other options go to `safecot run` (--limit, --batch_size …)."""
    from safecot_training import evaluate as harness

    found = harness.find_checkpoint(checkpoint, form, name)
    further = [part for part in model_args.split(",") if part]
    if not capability:
        harness.evaluate(found, tasks, output_path, processes=processes, options=ctx.args, model_args=further)
        return
    content = harness.capability(
        found,
        output_path,
        tasks=[part for part in (capability_tasks or "").split(",") if part],
        processes=processes,
        options=ctx.args,
        model_args=further,
    )
    for score in content["scores"]:
        click.echo(f"{found.name}  {score['task']}  {score['metric']} {score['value']:.4g}")


def _ratio(text: str) -> tuple[int, int]:
    try:
        safety, general = (int(part) for part in text.split(":"))
    except ValueError as error:
        raise SafecotError(f"--ratio {text}: write two whole numbers, safety:general, e.g. 1:1.") from error
    return safety, general


def _counts(counts: dict[str, Any]) -> str:
    return ", ".join(f"{number} {name}" for name, number in sorted(counts.items()))
