"""Recorded answers of real VLMs in the demo: which file of the data folder is whose, and how it is imported.

The files go in as they lie there. Where a judge's labels were recorded, they come along.
"""

from __future__ import annotations

from pathlib import Path

FOLDER = "recorded_answers"
_MM = "safecot_mmsafetybench_"
_OWN = ("--own-questions", "--expect", "refuse")

FILES: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    (
        "mm-safetybench/*gemini-2.0-flash.jsonl",
        "Gemini 2.0 Flash",
        (
            "--tasks",
            ",".join(f"{_MM}{kind}" for kind in ("text", "question", "typo", "sd_typo")),
            "--other-prompt",
        ),
    ),
    ("mm-safetybench/*llama-3-2-new.jsonl", "Llama 3.2 Vision + rules", ("--tasks", f"{_MM}sd")),
    ("mm-safetybench/*llama-3-2-longpipe.jsonl", "Llama 3.2 Vision + rationale", ("--tasks", f"{_MM}sd")),
    ("mm-safetybench/*llava-cot-tiny.jsonl", "LLaVA-CoT", ("--tasks", f"{_MM}sd_typo_tiny")),
    ("mm-safetybench/*llava-cot-sex-physical.jsonl", "LLaVA-CoT", ("--tasks", f"{_MM}sd_typo")),
    ("siuo/*base_llama.jsonl", "Llama 3.2 Vision", ("--tasks", "safecot_siuo")),
    ("siuo/*__llava_cot.jsonl", "LLaVA-CoT", ("--tasks", "safecot_siuo")),
    ("siuo/*qwen2_5_vl.jsonl", "Qwen2.5-VL 7B", ("--tasks", "safecot_siuo")),
    ("siuo/*r1_onevision.jsonl", "R1-Onevision", ("--tasks", "safecot_siuo")),
    ("siuo/*llava_cot-prompt-safety.jsonl", "LLaVA-CoT + system prompt", ("--tasks", "safecot_siuo")),
    ("figstep/*llava_cot.jsonl", "LLaVA-CoT", ("--tasks", "safecot_figstep", "--other-prompt")),
    (
        "figstep/*qwen2.5-vl-safebench.jsonl",
        "Qwen2.5-VL 3B",
        ("--tasks", "safecot_figstep", "--map", "True=unsafe", "--map", "False=safe"),
    ),
    ("vlsbench/*llava-cot.jsonl", "LLaVA-CoT", ("--tasks", "safecot_vlsbench")),
    ("hades/*gpt-4o-csdj.jsonl", "GPT-4o", (*_OWN, "--benchmark", "csdj")),
    ("holisafe/*llava-cot.jsonl", "LLaVA-CoT", (*_OWN, "--benchmark", "holisafe usu")),
    ("holisafe/*r1_onevision-part3.jsonl", "R1-Onevision", (*_OWN, "--benchmark", "holisafe usu")),
    ("spa-vl/*llava-cot.jsonl", "LLaVA-CoT", (*_OWN, "--benchmark", "spa-vl harm")),
)
"""Pattern below the folder, whose answers these are, and the options of ``safecot import``."""


def import_answers(folder: Path, runs: Path) -> int:
    """Import what is there; returns how many files that was.

    Args:
        folder: ``recorded_answers``.
        runs: Where the runs go.

    Raises:
        SafecotError: a file does not fit its benchmark.
    """
    from safecot_eval.cli.import_ import command

    files = 0
    for pattern, name, options in FILES:
        for path in sorted(folder.glob(pattern)):
            arguments = [str(path), "--name", name, *options, "--labels", "--partial"]
            command.main([*arguments, "--output_path", str(runs)], standalone_mode=False)
            files += 1
    return files
