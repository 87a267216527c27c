"""``make demo``: from nothing to a leaderboard, offline.

Builds two tiny randomly initialised VLMs of real architectures, evaluates them and the two baselines on
``safecot_mini`` through the real ``lmms-eval`` command, fine-tunes and evaluates the SafeCoT variants in miniature, has
the embedded judge read every answer, and writes one HTML file. Where ``SAFECOT_DATA_DIR`` is set, published answers of sixteen
real models join the page, with the human labels that came with them, and so do other people's recorded answers with their
judges' labels; where SafeCoT's own recorded runs are there, they come first, with a page of their own.

    python -m safecot_eval.cli.demo --out demo

A stage that was finished is not run again after an interruption; once the page is written, the next demo begins anew.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import yaml

from safecot_eval import __version__
from safecot_eval.benchmarks.data.roots import present
from safecot_eval.cli import demo_recorded
from safecot_eval.util import environment, paths
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.exit_status import ExitStatus
from safecot_eval.util.files import read_json, write_json

TINY = ("llava", "qwen2_5_vl")
POLICIES = ("refuse_all", "answer_all")
RECORDED = ("msts", "mossbench", "xstest")
LABELLED = ("msts", "xstest")
"""Recorded answers that came with people's labels."""


class Stages:
    """The demo's steps: timed, and those that an earlier demo of the same kind finished are left as they are."""

    def __init__(self, out: Path, kind: Sequence[object]) -> None:
        self.started = time.monotonic()
        self.place = out / "stages.json"
        self.kind = [str(part) for part in kind]
        self.done: list[str] = []
        try:
            kept = read_json(self.place)
        except SafecotError:
            kept = {}
        if kept.get("kind") == self.kind and isinstance(kept.get("done"), list):
            self.done = kept["done"]

    def say(self, text: str) -> None:
        """Print what begins now, with the minutes so far."""
        print(f"[{(time.monotonic() - self.started) / 60:4.1f} min] {text}", flush=True)

    def take(self, name: str, text: str, work: Callable[[], object]) -> None:
        """Do a step and remember that it is done."""
        if name in self.done:
            self.say(f"{text}: done before")
            return
        self.say(text)
        work()
        self.done.append(name)
        write_json(self.place, {"kind": self.kind, "done": self.done})

    def end(self) -> None:
        """Let the next demo begin anew."""
        self.place.unlink(missing_ok=True)


def run_command(arguments: Sequence[str], log: Path) -> None:
    """Run a command; its output goes to a log file that is named when it fails.

    Raises:
        SafecotError: it failed.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w", encoding="utf-8") as stream:
        done = subprocess.run(arguments, stdout=stream, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        tail = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:])
        raise SafecotError(f"{' '.join(arguments[:6])} … failed; the end of {log}:\n{tail}")


def safecot(*arguments: str, log: Path) -> None:
    """Run a ``safecot`` subcommand in a process of its own."""
    run_command([sys.executable, "-m", "safecot_eval", *arguments], log)


def evaluate_tiny(out: Path, runs: Path, logs: Path, tasks: str) -> None:
    """Two randomly initialised VLMs and the two baselines, in one call of the ``lmms-eval`` command.

    lmms-eval takes a list of evaluations as a file; what it costs to start is then paid once.

    Raises:
        SafecotError: lmms-eval failed, or wrote no samples for one of them (it exits 0 on most failures).
    """
    from safecot_eval.generate.models import tiny

    shutil.rmtree(runs, ignore_errors=True)
    evaluations = []
    for architecture in TINY:
        checkpoint = out / "checkpoints" / f"random-{architecture}"
        checkpoint.parent.mkdir(parents=True, exist_ok=True)
        tiny.build(architecture, checkpoint, ending=3.0)
        arguments = f"pretrained={checkpoint},dtype=float32,device=cpu,batch_size=32"
        generation = "max_new_tokens=24"
        evaluations.append(("safecot_hf", arguments, runs, {"gen_kwargs": generation}))
    for policy in POLICIES:
        evaluations.append(("safecot_baseline", f"policy={policy}", runs / policy, {}))
    entries = [
        {
            "model": model,
            "model_args": arguments,
            "tasks": tasks,
            "output_path": str(target),
            "log_samples": True,
            **more,
        }
        for model, arguments, target, more in evaluations
    ]
    file = out / "evaluations.yaml"
    file.write_text(yaml.safe_dump(entries, sort_keys=False), encoding="utf-8")
    log = logs / "lmms-eval.log"
    run_command([sys.executable, "-m", "lmms_eval", "eval", "--config", str(file)], log)
    written = {path.parent for path in runs.rglob("*_samples_safecot_*.jsonl")}
    if len(written) < len(entries):
        raise SafecotError(f"lmms-eval wrote samples for {len(written)} of {len(entries)} models; see {log}.")


def evaluate_recorded(runs: Path) -> None:
    """Published answers of real models, one ``safecot run`` each, all in this process."""
    from safecot_eval.cli.run import command

    for benchmark in RECORDED:
        for responses in sorted((paths.cache_dir() / "replay" / benchmark).glob("*.jsonl")):
            arguments = ["--model", "safecot_replay", "--tasks", f"safecot_{benchmark}"]
            arguments += ["--model_args", f"name={responses.stem},responses={responses}"]
            command.main([*arguments, "--output_path", str(runs)], standalone_mode=False)
    if (folder := _recorded_answers()) is not None:
        demo_recorded.import_answers(folder, runs)


def _recorded_answers() -> Path | None:
    root = paths.data_dir()
    folder = root / demo_recorded.FOLDER if root is not None else None
    return folder if folder is not None and folder.is_dir() else None


def add_recorded(out: Path, runs: Path, logs: Path) -> None:
    """Recorded answers as runs, and people's labels beside them."""
    shutil.rmtree(runs, ignore_errors=True)
    safecot("data", "prepare", *RECORDED, log=logs / "prepare.log")
    again = [sys.executable, "-m", "safecot_eval.cli.demo", "--out", str(out), "--only-recorded", str(runs)]
    run_command(again, logs / "recorded.log")
    for name in LABELLED:
        safecot("judge", "import", str(runs), "--preset", name, log=logs / f"labels-{name}.log")


def add_checkpoints(folder: Path, runs: Path, logs: Path) -> None:
    """SafeCoT's own checkpoints: their page, and base, v0, v1 and v2 of every base model among the runs."""
    from safecot_eval.paper.run_folders import standing

    shutil.rmtree(runs, ignore_errors=True)
    safecot("paper", "--out", str(folder), log=logs / "paper.log")
    written = sorted(path for path in (folder / "runs").iterdir() if path.is_dir())
    for path in standing(written):
        shutil.copytree(path, runs / path.name)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the demo; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m safecot_eval.cli.demo", description=__doc__)
    parser.add_argument(
        "--out", type=Path, default=Path("demo"), help="folder for everything the demo writes"
    )
    parser.add_argument("--tasks", default="safecot_mini", help="what the tiny models are asked")
    parser.add_argument("--no-training", action="store_true", help="leave the SafeCoT variants out")
    parser.add_argument("--only-recorded", type=Path, metavar="RUNS", help=argparse.SUPPRESS)
    given = parser.parse_args(argv)
    out: Path = given.out.resolve()
    runs, logs, page = out / "runs", out / "logs", out / "leaderboard.html"
    if given.only_recorded:
        evaluate_recorded(given.only_recorded)
        return 0
    stages = Stages(out, (__version__, given.tasks, not given.no_training, paths.data_dir()))
    if not stages.done:
        shutil.rmtree(runs, ignore_errors=True)
    environment.prepare()
    pages = [page]
    try:
        if present("safecot_runs") is not None:
            pages.insert(0, out / "paper/paper.html")
            text = "SafeCoT's own checkpoints, from their recorded answers"
            stages.take("paper", text, lambda: add_checkpoints(out / "paper", runs / "paper", logs))
        text = f"two tiny VLMs and two baselines on {given.tasks}, through lmms-eval"
        stages.take("tiny", text, lambda: evaluate_tiny(out, runs / "tiny", logs, given.tasks))
        if paths.data_dir() is not None:
            text = f"recorded answers of real models ({', '.join(RECORDED)}) and people's labels"
            stages.take("recorded", text, lambda: add_recorded(out, runs / "recorded", logs))
        if not given.no_training:
            study = ("--out", str(out / "study"), "--runs", str(runs / "study"), "--short")
            command = [sys.executable, "-m", "safecot_training.study", *study]
            text = "SafeCoT variants, fine-tuned and evaluated in miniature"
            stages.take("study", text, lambda: run_command(command, logs / "study.log"))
        judge = ("judge", str(runs), "--judge", "lite")
        text = "the embedded judge reads every answer"
        stages.take("judge", text, lambda: safecot(*judge, log=logs / "judge.log"))
        stages.say("leaderboard")
        safecot("report", str(runs), "-o", str(page), log=logs / "report.log")
    except SafecotError as error:
        print(f"safecot demo: {error}", file=sys.stderr)
        return ExitStatus.FAILED
    except KeyboardInterrupt:
        print(
            "safecot demo: interrupted; the same command goes on with the stage that was cut off.",
            file=sys.stderr,
        )
        return ExitStatus.INTERRUPTED
    stages.end()
    stages.say(f"done: open {' and '.join(map(str, pages))}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
