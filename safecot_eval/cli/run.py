"""``safecot run``: lmms-eval with checks before, only our tasks loaded, and an honest exit status."""

from __future__ import annotations

import os
from pathlib import Path

import click

PASS_ON = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": ["-h", "--help"]}


@click.command("run", context_settings=PASS_ON)
@click.option("--model", required=True, help="lmms-eval's model id: safecot_hf, openai, vllm, qwen2_5_vl …")
@click.option("--model_args", "--model-args", default="", help="key=value,key=value, as for lmms-eval.")
@click.option("--tasks", default="safecot", show_default=True, help="Leaves, wildcards, or the group.")
@click.option(
    "--output_path", "--output-path", default="runs", show_default=True, type=click.Path(path_type=Path)
)
@click.option("--limit", default=None, help="At most this many items per task (for a trial run).")
@click.option("--include_path", "--include-path", default=None, help="A further folder with lmms-eval tasks.")
@click.option(
    "--refusal-list", default=None, help="Phrase list for template matching: a name or a YAML file."
)
@click.option(
    "--reasoning-markers", default=None, help="Opening and closing marker of the reasoning, e.g. '<a>,</a>'."
)
@click.option("--dry-run", is_flag=True, help="Check and print the plan; generate nothing.")
@click.pass_context
def command(
    ctx: click.Context,
    model: str,
    model_args: str,
    tasks: str,
    output_path: Path,
    limit: str | None,
    include_path: str | None,
    refusal_list: str | None,
    reasoning_markers: str | None,
    dry_run: bool,
) -> None:
    r"""Evaluate a model on our tasks. Every other option goes to lmms-eval unchanged.

    \b
    safecot run --model safecot_hf --model_args pretrained=Qwen/Qwen2.5-VL-3B-Instruct --tasks safecot_mini
    safecot run --model openai --model_args model=m,base_url=http://host:8000/v1 --tasks 'safecot_*'
    """
    from safecot_eval import refusal
    from safecot_eval.running import finishing, plan, preflight

    if refusal_list:
        refusal.load_list(refusal_list)
        os.environ["SAFECOT_REFUSAL_LIST"] = refusal_list
    if reasoning_markers:
        os.environ["SAFECOT_REASONING_MARKERS"] = reasoning_markers
    arguments = plan.parse_model_args(model_args)
    leaves, others, left_out = plan.expand_tasks(tasks, recorded=model in plan.RECORDED)
    planned = plan.Plan(
        model=model,
        model_args=arguments,
        leaves=leaves,
        other_tasks=others,
        left_out=left_out,
        output=finishing.output_folder(output_path, model, arguments),
        limit=limit,
        notes=(finishing.evaluators_line(refusal_list),),
    )
    preflight.check(planned)
    click.echo(planned.describe())
    if dry_run:
        return
    given = [
        "--model",
        model,
        "--tasks",
        planned.task_argument,
        "--output_path",
        str(planned.output),
        "--log_samples",
    ]
    if model_args:
        given += ["--model_args", model_args]
    if limit is not None:
        given += ["--limit", limit]
    if include_path:
        given += ["--include_path", include_path]

    from safecot_eval.running import host

    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    try:
        results = host.evaluate([*given, *ctx.args], only_ours=not others)
    except RuntimeError as error:
        click.echo(f"safecot: {error}", err=True)
        ctx.exit(1)
    if results is not None:
        click.echo(finishing.finish(planned, results))
