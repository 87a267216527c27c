"""``protocol.json``: what the recorded code says literally. The code is parsed, never run."""

from __future__ import annotations

import ast
import contextlib
import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safecot_eval.benchmarks.data.reading import read_text
from safecot_eval.benchmarks.data.safecot_history.layout import Files, file
from safecot_eval.benchmarks.data.safecot_history.training import TEMPLATES, TRAINING, examples
from safecot_eval.util import safe_yaml
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.files import write_bytes

CODE = {
    "prompts": "dataset/base.py",
    "judge": "src/eval_mllm.py",
    "phrases": "src/eval_template.py",
    "writer": "src/generating_training_data/generate_cot_data_unsafe_text.py",
}
"""Upstream source files whose literals are parameters of the method."""


def convert_protocol(files: Files, target: Path) -> Path:
    """Write ``protocol.json``: prompts, refusal sentences and the judge's message, taken from the recorded code and data.

    Raises:
        SafecotError: a file is missing, or does not say what it should.
    """
    prompts, judge, phrases, writer = (_literals(file(files, path)) for path in CODE.values())
    content = {
        "source": "github mjc-ma-01/mllm-safety-cot, eafa278 (2025-05-14). That it is the code of the SafeCoT paper "
        "(arXiv 2506.08399) is inferred.",
        "phrases": {"eafa278 (2025-05-14)": _said(phrases, "template_list", list)},
        "judge": {
            "model": "meta-llama/Meta-Llama-3-8B-Instruct, bf16",
            "system": _said(judge, "system_prompt", str),
            "user": _said(judge, "eval_prompt", str),
            "A": "the whole generation",
        },
        "prompt": {
            "system_part": _said(prompts, "system_prompt", str),
            "cot": _said(prompts, "user_cot_prompt_template", str),
            "plain": _said(prompts, "user_prompt_template", str),
        },
        "writer_prompt": _said(prompts, "generate_cot_prompt_template", str),
        "refusals_v0": _said(prompts, "rejection_templates", list),
        "refusals_v1": _refusals_after_templates(files),
        "refusals_v2": _said(writer, "rejection_templates", list),
    }
    path = target / "protocol.json"
    write_bytes(path, f"{json.dumps(content, indent=1, ensure_ascii=False)}\n".encode())
    return path


def _literals(path: Path) -> dict[str, Any]:
    """Module-level names that a source file gives a literal; the file is parsed, not run."""
    try:
        tree = ast.parse(read_text(path))
    except (SyntaxError, ValueError, RecursionError) as error:
        raise SafecotError(f"{path}: not readable Python ({error}); fetch it again.") from error
    found = {}
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        value = getattr(node, "value", None)
        for name in targets:
            if isinstance(name, ast.Name) and isinstance(value, ast.expr):
                with contextlib.suppress(ValueError):
                    found[name.id] = ast.literal_eval(value)
    return found


def _said(literals: Mapping[str, Any], name: str, kind: type) -> Any:
    if not isinstance(literals.get(name), kind):
        raise SafecotError(f"the recorded code has no {kind.__name__} {name}; is this the commit eafa278?")
    return literals[name]


def _refusals_after_templates(files: Files) -> list[str]:
    """What follows the template in the recorded v1 examples, the most usual sentence first."""
    path = file(files, TEMPLATES["cot_templates.yaml"])
    pools = safe_yaml.load(read_text(path))
    texts = [text for pool in pools.values() for text in pool] if isinstance(pools, dict) else []
    known = sorted((text for text in texts if isinstance(text, str)), key=len, reverse=True)
    after: Counter[str] = Counter()
    for example in examples(file(files, f"logs/cot_training_data/{TRAINING['v1']}.json")):
        rest = next(
            (example["target"][len(text) :] for text in known if example["target"].startswith(text)), None
        )
        if rest is not None:
            after[rest] += 1
    return [sentence for sentence, _ in after.most_common()]
