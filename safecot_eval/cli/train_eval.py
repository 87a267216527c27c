"""``safecot train eval``: score a checkpoint with the harness."""

from __future__ import annotations

from pathlib import Path

import click

from safecot_eval.util.errors import SafecotError


@click.command("eval", context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
@click.argument("checkpoint", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--tasks", default="safecot_mini", show_default=True, help="Our tasks, as for `safecot run`.")
@click.option(
    "--capability", is_flag=True, help="Measure general capability instead, by lmms-eval's own tasks."
)
@click.option("--capability-tasks", help="Instead of the recipe's capability_tasks, separated by commas.")
@click.option(
    "--held-out",
    is_flag=True,
    help="Of benchmarks that were trained on, only questions that were kept from training.",
)
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    help="With --held-out: the data folder, instead of the one in the recipe.",
)
@click.option(
    "--form",
    type=click.Choice(["merged", "adapter"]),
    default="merged",
    show_default=True,
    help="Score the merged model, or the adapter on top of its base.",
)
@click.option("--name", default="", help="Name on the leaderboard instead of the recipe's.")
@click.option(
    "--output_path",
    "--output-path",
    type=click.Path(path_type=Path),
    default="runs",
    show_default=True,
    help="Folder to write below: a folder per model.",
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
    held_out: bool,
    data: Path | None,
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
    if data is not None and not held_out:
        raise SafecotError("--data belongs to --held-out.")
    if held_out and capability:
        raise SafecotError("--held-out is about our tasks; leave out --capability.")
    if not capability:
        options = list(ctx.args)
        if held_out:
            folder = data or Path(str(found.card.recipe["data"])).expanduser()
            options += [
                "--items",
                str(
                    harness.held_out_items(
                        folder, tasks, output_path / "held_out_items.jsonl", found.card.trained_clusters
                    )
                ),
            ]
        harness.evaluate(found, tasks, output_path, processes=processes, options=options, model_args=further)
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
