"""``safecot run``: lmms-eval with checks before, only our tasks loaded, and an honest exit status."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from safecot_eval.util.errors import SafecotError
from safecot_eval.util.exit_status import ExitStatus

PASS_ON = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": ["-h", "--help"]}


@click.command("run", context_settings=PASS_ON)
@click.option("--model", help="lmms-eval's model id: safecot_hf, safecot_openai, vllm, qwen2_5_vl …")
@click.option("--model_args", "--model-args", default="", help="key=value,key=value, as for lmms-eval.")
@click.option("--card", help="Instead of --model: a model card, by id or as a YAML file.")
@click.option(
    "--models", help="Several cards, or tag:NAME: a matrix of models and tasks. `list` shows the ids."
)
@click.option(
    "--preset",
    help="A prompting baseline (safety_system_prompt, zero_shot_cot, ecso), SafeCoT's own prompt (safecot_cot, "
    "safecot_plain), blank pictures (blind, for `safecot compare --blind`), or a YAML file.",
)
@click.option(
    "--decoding",
    help="How answers are drawn, if not greedily: safecot (sampled, 500 tokens, temperature 0.7), or a YAML file.",
)
@click.option(
    "--repeats",
    type=click.IntRange(min=1),
    help="Number of answers to each item, all scored (set --gen_kwargs temperature=…). With a sampled --decoding: number "
    "of runs, each with a seed and a row of its own.",
)
@click.option("--tasks", default="safecot", show_default=True, help="Tasks, wildcards, tags, or the group.")
@click.option(
    "--output_path",
    "--output-path",
    default="runs",
    show_default=True,
    type=click.Path(path_type=Path),
    help="Folder to write below: a folder per model.",
)
@click.option("--limit", default=None, help="At most this many items per task (for a trial run).")
@click.option(
    "--items",
    "items_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help='Run these items only: one id a line, or lines of {"task": TASK, "item_id": ID}.',
)
@click.option("--include_path", "--include-path", default=None, help="A further folder with lmms-eval tasks.")
@click.option(
    "--refusal-list",
    default=None,
    help="Phrase list for all tasks, instead of their own: a name or a YAML file.",
)
@click.option(
    "--reasoning-markers", default=None, help="Opening and closing marker of the reasoning, e.g. '<a>,</a>'."
)
@click.option(
    "--failure-texts",
    type=click.Path(path_type=Path),
    help="YAML: more texts that are failures and no answers.",
)
@click.option("--chunk", type=click.IntRange(min=1), help="Requests between two writes to the journal.")
@click.option("--no-journal", is_flag=True, help="Keep no answers: an interrupted run starts again.")
@click.option(
    "--fresh", is_flag=True, help="Forget this model's answers in the journal and ask for all again."
)
@click.option(
    "--max-requests", "--max_requests", type=click.IntRange(min=0), help="Send at most this many requests."
)
@click.option(
    "--max-tokens",
    "--max_tokens",
    type=click.IntRange(min=0),
    help="Use at most this many tokens (in and out).",
)
@click.option("--prices", help="INPUT,OUTPUT: dollars per million tokens, for an estimate before the start.")
@click.option("--dry-run", is_flag=True, help="Check and print the plan; generate nothing.")
@click.option("--per-task", is_flag=True, help="With --models: a process per task, not per model.")
@click.option(
    "--emit", type=click.Choice(["slurm"]), help="With --models: write job scripts instead of running."
)
@click.option(
    "--report", type=click.Path(path_type=Path), help="With --models: write the leaderboard here in the end."
)
@click.pass_context
def command(
    ctx: click.Context,
    model: str | None,
    model_args: str,
    card: str | None,
    models: str | None,
    preset: str | None,
    decoding: str | None,
    repeats: int | None,
    tasks: str,
    output_path: Path,
    limit: str | None,
    items_file: Path | None,
    include_path: str | None,
    refusal_list: str | None,
    reasoning_markers: str | None,
    failure_texts: Path | None,
    chunk: int | None,
    no_journal: bool,
    fresh: bool,
    max_requests: int | None,
    max_tokens: int | None,
    prices: str | None,
    dry_run: bool,
    per_task: bool,
    emit: str | None,
    report: Path | None,
) -> None:
    """Evaluate a model on our tasks. Every other option goes to lmms-eval unchanged.

    Answers are kept in OUTPUT/.journal as they come; the same command continues where an earlier one stopped. Exit
    status: 0 all answered, 3 written but some requests have no answer, 2 a mistake in the command, 1 lmms-eval failed.

    \b
    safecot run --model safecot_hf --model_args pretrained=Qwen/Qwen2.5-VL-3B-Instruct --tasks safecot_mini
    safecot run --model safecot_openai --model_args model=m,base_url=http://host:8000/v1 --tasks 'safecot_*'
    safecot run --models qwen2.5-vl-7b,gpt-4o --tasks safecot_core --report leaderboard.html
    """
    from collections import Counter

    from safecot_eval.benchmarks import foreign_tasks, item_list, selection
    from safecot_eval.generate import budget, plan, preflight, presets
    from safecot_eval.generate import closing as finishing
    from safecot_eval.generate import decoding as decodings
    from safecot_eval.generate.journal.session import FOLDER, Session, world_size
    from safecot_eval.generate.model_under_test import ModelUnderTest, model_under_test, repeats_of, settings
    from safecot_eval.generate.trained_on import trained_on
    from safecot_eval.scoring import refusal
    from safecot_eval.scoring.failure_texts import use

    use(failure_texts)
    if refusal_list:
        refusal.load_list(refusal_list)
        os.environ["SAFECOT_REFUSAL_LIST"] = refusal_list
    if reasoning_markers:
        os.environ["SAFECOT_REASONING_MARKERS"] = reasoning_markers
    if items_file is not None:
        item_list.load(items_file)
        os.environ[item_list.VARIABLE] = str(items_file.resolve())
    if models is not None:
        from safecot_eval.cli.run_matrix import run_matrix

        ctx.exit(run_matrix(ctx, models, tasks, output_path))
    if per_task or emit or report:
        raise SafecotError("--per-task, --emit and --report belong to --models.")
    from safecot_eval.generate import cards

    chosen = model_under_test(
        model,
        model_args,
        cards.find(card)[0][1] if card is not None else None,
        presets.load(preset) if preset is not None else None,
        decodings.load(decoding) if decoding is not None else None,
    )
    runs, rest = repeats_of(chosen, repeats, ctx.args)
    if len(runs) > 1 and world_size() > 1:
        raise SafecotError("--repeats: of several processes, start one command for each --seed instead.")
    model, arguments = chosen.model, dict(chosen.arguments)
    task_names, others, left_out = selection.expand_tasks(tasks, recorded=model in plan.RECORDED)
    foreign_tasks.require_known(others, Path(include_path) if include_path else None)
    if items_file is not None and not task_names:
        raise SafecotError(
            f"--items chooses items of our tasks, and {', '.join(others)} are lmms-eval's own; leave it out."
        )
    bad_images = [] if model in plan.RECORDED else plan.bad_images(task_names)

    def plan_of(one: ModelUnderTest, steps: Counter[str]) -> plan.Plan:
        options = [*rest, *one.generation_options()]
        notes = [finishing.evaluators_line(refusal_list, task_names)]
        if one.decoding is not None:
            notes.append(f"drawn   by {' '.join(one.generation_options())}")
        if one.display_name:
            notes.append(f"shown   as {one.display_name}")
        if items_file is not None:
            notes.append(f"items   those of {items_file}")
        notes += bad_images
        if prices or model in preflight.ENDPOINT_MODELS:
            notes.append(budget.estimate_of(task_names, limit, options, prices))
        return plan.Plan(
            model=model,
            model_args=arguments,
            task_names=task_names,
            other_tasks=others,
            left_out=left_out,
            output=one.folder(output_path) or finishing.output_folder(output_path, model, arguments),
            limit=limit,
            notes=tuple(notes),
            labels={
                **one.labels(settings(limit, refusal_list, reasoning_markers, options, items_file), steps),
                **trained_on(arguments, task_names),
            },
        )

    planned = [(one, steps, plan_of(one, steps)) for one, steps in ((one, Counter[str]()) for one in runs)]
    if not no_journal and any(part.split("=")[0] in ("--use_cache", "--use-cache") for part in ctx.args):
        raise SafecotError(
            "--use_cache: lmms-eval's cache stores failed requests as answers, and safecot run resumes without it; "
            "leave it out, or add --no-journal."
        )
    for _, _, one_plan in planned:
        preflight.check(one_plan)
        click.echo(one_plan.describe())
    if dry_run:
        return
    given = ["--model", model, "--tasks", planned[0][2].task_argument, "--log_samples"]
    if arguments:
        given += ["--model_args", ",".join(f"{key}={value}" for key, value in arguments.items())]
    if limit is not None:
        given += ["--limit", limit]
    if include_path:
        given += ["--include_path", include_path]

    from safecot_eval.generate import evaluation

    share = world_size()
    guard = budget.SpendGuard(
        None if max_requests is None else max_requests // share,
        None if max_tokens is None else max_tokens // share,
    )
    incomplete = False
    for one, steps, one_plan in planned:
        options = [*rest, *one.generation_options()]
        session = Session(
            folder=None if no_journal or model in plan.RECORDED else one_plan.output / FOLDER,
            model=model,
            arguments=one.counted_arguments,
            options=options,
            guard=guard,
            chunk=chunk,
            fresh=fresh,
        )
        asked = [*given, "--output_path", str(one_plan.output), *options]
        try:
            with presets.applied(one.preset, system_role=one.system_role, steps=steps):
                closing = evaluation.evaluate(one_plan, asked, session, sys.argv[1:])
        except RuntimeError as error:
            click.echo(f"safecot: {error}", err=True)
            ctx.exit(ExitStatus.FAILED)
        if closing is not None:
            click.echo(closing)
        incomplete = incomplete or bool(session.tally.failed or session.tally.blocked)
    if incomplete:
        ctx.exit(ExitStatus.INCOMPLETE)
