"""The official scorers of MultiTrust, SIUO, VLGuard and HADES on a hundred constructed answers each.

    python bench/official_scores.py [--clone thu-ml/MMTrustEval=PATH …]

Fetches the scorers at named commits (or reads them from local clones), runs them in a scratch folder on answers and judges'
replies that are our own invention, and writes answers and scores to ``bench/results/official_scores/``. The tests compare our
numbers with these (``tests/tasks/test_official_scores.py``). Nothing of the scorers is kept. Half a minute.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import hashlib
import io
import json
import random
import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from official_answers import hades_answers, multitrust_answers, siuo_answers, vlguard_answers

from safecot_eval.benchmarks.data import download

RESULTS = Path(__file__).parent / "results" / "official_scores"
COMMITS = {
    "thu-ml/MMTrustEval": "a06780166d4a262c643fe7464d40f4f9ea0c6656",
    "sinwang20/SIUO": "18974b65d238ad636d65d238541c7d75279ebb3e",
    "ys-zong/VLGuard": "a2f85c90e10345dc5e7eceecadd89c1ed982d04f",
    "RUCAIBox/HADES": "61bf7dfae178eb4a70c52d0064a3d54f22bed280",
}
Files = dict[str, str]


def files_of(repository: str, names: Iterable[str], clones: Mapping[str, str]) -> Files:
    """Upstream files at the named commit, by path."""
    commit, found = COMMITS[repository], {}
    for name in names:
        if repository in clones:
            command = ["git", "-C", clones[repository], "show", f"{commit}:{name}"]
            found[name] = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        else:
            with tempfile.TemporaryDirectory() as scratch:
                url = download.GITHUB_FILE.format(repository=repository, commit=commit, path=name)
                found[name] = download.fetch(url, Path(scratch) / "file").read_text(encoding="utf-8")
    return found


def functions_of(source: str, **known: Any) -> dict[str, Any]:
    """The functions of a script whose top level wants a network, a key or arguments; ``known`` is what they use."""
    tree = ast.parse(source)
    tree.body = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    found: dict[str, Any] = dict(known)
    exec(compile(tree, "<upstream>", "exec"), found)  # noqa: S102 - that is what this script is for
    return found


def lay_out(folder: Path, files: Mapping[str, str]) -> None:
    """Write files below a folder."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")


def python(folder: Path, *arguments: str) -> str:
    """Run Python in a folder, with what is there to import; returns what it prints."""
    command = [sys.executable, *arguments]
    environment = {"PYTHONPATH": str(folder), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"the official scorer failed:\n{done.stderr}")
    return done.stdout


_MULTITRUST = """
import json
from mmte.evaluators.rule_eval import RejectTemplateEvaluator, YesOrNoEvaluator
rows = json.load(open("answers.json"))
reject = RejectTemplateEvaluator("rule_reject_template_eval", {"pred_mean": {}})
yes = YesOrNoEvaluator("rule_yes_or_no_eval", {"pred_mean": {}})
matched, _, _ = reject.process([row["answer"] for row in rows], None, None)
samples = [{"harmbenchmodel_eval:pred_no_op": row["judge"] == "yes", "rule_reject_template_eval:pred_no_op": one}
           for row, one in zip(rows, matched)]
json.dump({"per_sample_results": samples}, open("logs/safety/s4-typographic-jailbreaking/toy/all.json", "w"))
acc = yes.eval([row["risk_reply"] for row in rows])["pred_mean"]
print(json.dumps({"RtA_of_description": float(sum(matched) / len(matched)), "acc": float(acc)}))
"""


def multitrust(files: Files, answers: list[dict[str, Any]], folder: Path) -> dict[str, Any]:
    """Refuse-to-answer and success of s4 to s6, accuracy of s2, refusals of s1 and s3."""
    empty = {f"mmte/{name}__init__.py": "" for name in ("", "utils/", "evaluators/")}
    log = "logs/safety/s4-typographic-jailbreaking/toy/all.json"
    lay_out(folder, {**files, **empty, "answers.json": json.dumps(answers), log: ""})
    values: dict[str, Any] = json.loads(python(folder, "-c", _MULTITRUST))
    script = next(name for name in files if "s4-" in name)
    python(folder, script, "--model_id", "toy")
    written = folder / "results/safety/s4-typographic-jailbreaking/toy/s4-typographic-jailbreaking.json"
    scores: dict[str, float] = json.loads(written.read_text(encoding="utf-8"))["scores"]["all"]
    return {**values, **scores}


def siuo(files: Files, answers: list[dict[str, Any]], _: Path) -> dict[str, Any]:
    """Safe, effective, both, by domain and over all; accuracy of the multiple choice."""
    reading = functions_of(files["eval/gpt-eval.py"], re=re, json=json)
    scoring = functions_of(files["eval/gen_score.py"], json=json, defaultdict=defaultdict)
    choosing = functions_of(files["eval/mcqa-eval.py"], random=random, np=np)
    rows = [
        {
            "question_id": number,
            "category": row["category"],
            "safetyness": [reading["extract_safety"](row["safe_reply"])],
            "helpfulness": [reading["extract_effectiveness"](row["effective_reply"])],
        }
        for number, row in enumerate(answers)
    ]
    found: dict[str, Any] = scoring["calculate_statistics"](rows)
    with contextlib.redirect_stdout(io.StringIO()):  # it prints what it weighs
        chosen = [choosing["parse_multi_choice_response"](row["choice"]) == row["correct"] for row in answers]
    return {**found, "mcqa": sum(chosen) / len(chosen)}


def vlguard(files: Files, answers: list[dict[str, Any]], _: Path) -> dict[str, Any]:
    """Attack success rate in percent, as ``VLGuard_eval.py`` rounds it."""
    succeeds: Callable[[str], bool] = functions_of(files["utils/utils.py"])["check_success_attack"]
    return {"ASR": round(float(np.mean([succeeds(row["answer"]) for row in answers])) * 100, 2)}


_MODERATION = """
class QAModeration:
    @classmethod
    def from_pretrained(cls, *args, **kwargs):
        return cls()
    def predict(self, question, answer, **kwargs):
        return [{"flagged": "[flagged]" in one} for one in answer]
"""


def hades(files: Files, answers: list[dict[str, Any]], folder: Path) -> dict[str, Any]:
    """Attack success rates in percent by scenario, and their average; the classifier is replaced by the labels."""
    (name, script) = next(iter(files.items()))
    lay_out(folder, {name: script, str(Path(name).parent / "moderation.py"): _MODERATION})
    for mode in ("abstract", "toxic", "white"):
        for scenario in sorted({row["scenario"] for row in answers}):
            rows = [
                {"instruction": "Look.", "keywords": "Look", "category": "object"}
                | {"response": row["answer"] + (" [flagged]" if row["flagged"] else "")}
                for row in answers
                if row["scenario"] == scenario
            ]
            lines = "".join(json.dumps(row) + "\n" for row in rows)
            lay_out(folder, {f"gen_results/{mode}/{scenario}.json": lines})
    python(folder, name, "--eval_dataset_path", "./gen_results/", "--model_path", "none")
    import pandas as pd

    table = pd.read_excel(folder / "eval_results/abstract/scores.xlsx")
    return {str(key): float(value) for key, value in table.iloc[0].items()}


SCORERS: dict[
    str, tuple[str, tuple[str, ...], Callable[[], list[dict[str, Any]]], Callable[..., dict[str, Any]]]
] = {
    "multitrust": (
        "thu-ml/MMTrustEval",
        (
            "mmte/evaluators/base.py",
            "mmte/evaluators/metrics.py",
            "mmte/evaluators/rule_eval.py",
            "mmte/utils/registry.py",
            "scripts/score/safefy/s4-typographic-jailbreaking.py",
        ),
        multitrust_answers,
        multitrust,
    ),
    "siuo": (
        "sinwang20/SIUO",
        ("eval/gpt-eval.py", "eval/gen_score.py", "eval/mcqa-eval.py"),
        siuo_answers,
        siuo,
    ),
    "vlguard": ("ys-zong/VLGuard", ("utils/utils.py",), vlguard_answers, vlguard),
    "hades": ("RUCAIBox/HADES", ("eval/evaluate/evaluate_for_hades.py",), hades_answers, hades),
}


def main() -> None:
    """Run every scorer and write what it says."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--clone", action="append", default=[], metavar="OWNER/NAME=PATH")
    clones = dict(one.split("=", 1) for one in parser.parse_args().clone)
    RESULTS.mkdir(parents=True, exist_ok=True)
    for name, (repository, names, constructed, scorer) in SCORERS.items():
        files = files_of(repository, names, clones)
        answers = constructed()
        with tempfile.TemporaryDirectory() as scratch:
            values = scorer(files, answers, Path(scratch))
        hashes = {path: hashlib.sha256(text.encode()).hexdigest() for path, text in files.items()}
        head = {"repository": repository, "commit": COMMITS[repository], "sha256": hashes, "values": values}
        rows = ",\n".join(f"  {json.dumps(row, ensure_ascii=True)}" for row in answers)
        text = json.dumps(head, indent=1)[:-2] + f',\n "answers": [\n{rows}\n ]\n}}\n'
        (RESULTS / f"{name}.json").write_text(text, encoding="utf-8")
        print(f"{name}: {len(answers)} answers, {json.dumps(values)[:160]}")


if __name__ == "__main__":
    main()
