"""kill -9 at random moments over generate, judge and report: outputs as if undisturbed, no answer lost, little repeated.

Training has its own kills at random steps (``tests/training/test_resume.py``); two more are here. The moments are drawn
anew each time, and the seed is printed. ``pytest -s`` shows the counts. `make test-full` kills thirty times.
"""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from safecot_eval.generate.models import tiny
from safecot_eval.records.run import find_runs
from tests.chaos.conftest import Driver
from tests.generate.fault_server import FaultServer
from tests.generate.in_process import provenance_of, samples_bytes
from tests.training.conftest import bases, data_folder, make_recipe  # noqa: F401  (fixtures)

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("chaos")]
SEED = random.SystemRandom().randrange(10**6)
FEW = {"openai": 3, "hf": 2, "judge": 3, "report": 3, "train": 1}
MANY = {"openai": 8, "hf": 6, "judge": 8, "report": 6, "train": 2}
ITEMS, CHUNK, IN_FLIGHT = 52, 8, 4
planned: list[int] = []
done: dict[str, int] = {}


@pytest.fixture(scope="module", autouse=True)
def counted() -> Iterator[None]:
    yield
    total = sum(done.values())
    print(f"\nchaos: {total} kills (seed {SEED}): {', '.join(f'{name} {n}' for name, n in done.items())}")


Moments = Callable[[str], list[random.Random]]


@pytest.fixture(params=[pytest.param(FEW, id="few"), pytest.param(MANY, id="many", marks=pytest.mark.full)])
def moments(request: pytest.FixtureRequest) -> Moments:
    """A function: a source of chance for every kill of a command."""

    def draws(name: str) -> list[random.Random]:
        planned.append(request.param[name])
        return [random.Random(f"{SEED} {name} {number}") for number in range(request.param[name])]

    return draws


@pytest.fixture(scope="module")
def server() -> Iterator[FaultServer]:
    with FaultServer() as found:
        found.delay_s = 0.01
        yield found


def journal_lines(folder: Path) -> int:
    return sum(path.read_bytes().count(b"\n") for path in folder.rglob(".journal/*.jsonl"))


def generate(output: Path, *model: str) -> list[str]:
    return ["run", *model, "--tasks", "safecot_mini_tiny", "--output_path", str(output)]


def test_generate_from_an_endpoint(
    driver: Driver, server: FaultServer, tmp_path: Path, moments: Moments
) -> None:
    """Killed after a random number of requests, or at a random time: every paid answer is kept."""
    arguments = f"model=served,base_url={server.url},num_concurrent={IN_FLIGHT},retry_backoff_s=0.01"
    model = ("--model", "safecot_openai", "--model_args", arguments)
    status, seconds = driver.run(*generate(tmp_path / "truth", *model))
    assert status == 0, driver.tail()
    truth = samples_bytes(tmp_path / "truth")
    for draw in moments("openai"):
        output = tmp_path / "killed"
        before = sum(server.answered.values())
        after = before + draw.randrange(1, ITEMS + 1)
        moment = draw.uniform(0.1, 1.0) * seconds if draw.random() < 0.3 else float("inf")
        status, _ = driver.run(
            *generate(output, *model),
            kill=lambda now, after=after, moment=moment: (
                sum(server.answered.values()) >= after or now > moment
            ),
        )
        if status == -9:
            done["generate (endpoint)"] = done.get("generate (endpoint)", 0) + 1
            assert not [p for p in output.rglob("*_results.json") if "staging" not in str(p)] or find_runs(
                [output]
            )
        status, _ = driver.run(*generate(output, *model))
        assert status == 0, driver.tail()
        assert samples_bytes(output) == truth
        repeated = sum(server.answered.values()) - before - ITEMS
        assert 0 <= repeated <= IN_FLIGHT < CHUNK, f"{repeated} answers were asked for twice"
        assert not list(output.rglob("staging*"))
        shutil.rmtree(output)


def test_generate_with_a_checkpoint(driver: Driver, tmp_path: Path, moments: Moments) -> None:
    """A tiny LLaVA in chunks, killed at a random time: what the journal holds is not asked for again."""
    checkpoint = tiny.build("llava", tmp_path / "tiny")
    arguments = f"pretrained={checkpoint},dtype=float32,device=cpu,batch_size=4"
    model = ("--model", "safecot_hf", "--model_args", arguments, "--chunk", str(CHUNK))
    more = ("--gen_kwargs", "max_new_tokens=8")
    status, seconds = driver.run(*generate(tmp_path / "truth", *model), *more)
    assert status == 0, driver.tail()
    truth = samples_bytes(tmp_path / "truth")
    spent = float(provenance_of(tmp_path / "truth")["passes"]["generate"]["seconds"])
    for draw in moments("hf"):
        output = tmp_path / "killed"
        lines = draw.randrange(1, ITEMS + 1)
        moment = seconds - draw.uniform(0.0, 1.2) * spent if draw.random() < 0.5 else float("inf")
        status, _ = driver.run(
            *generate(output, *model),
            *more,
            kill=lambda now, o=output, lines=lines, moment=moment: journal_lines(o) >= lines or now > moment,
        )
        killed = status == -9
        if killed:
            done["generate (checkpoint)"] = done.get("generate (checkpoint)", 0) + 1
        kept = journal_lines(output)
        status, _ = driver.run(*generate(output, *model), *more)
        assert status == 0, driver.tail()
        assert samples_bytes(output) == truth
        passed = provenance_of(output)["passes"]["generate"]
        if killed:
            assert abs(passed["from_journal"] - kept) <= 1  # a line cut by the kill
        assert passed["requests"] + passed["from_journal"] == ITEMS
        shutil.rmtree(output)


def judged(folder: Path) -> list[str]:
    """The verdict lines of a folder, in any order."""
    return sorted(line for path in folder.rglob("verdicts/*.jsonl") for line in path.read_text().splitlines())


def test_judge(driver: Driver, tmp_path: Path, moments: Moments) -> None:
    runs = tmp_path / "runs"
    arguments = ("--model", "safecot_baseline", "--model_args", "policy=answer_all")
    status, _ = driver.run(*generate(runs, *arguments))
    assert status == 0, driver.tail()

    def answer(prompt: str, before: int) -> str | None:
        return None

    with FaultServer(answer) as judge:
        judge.delay_s = 0.01
        judge.reply_of = lambda body: (body.get("structured_outputs") or {"choice": ["unsure"]})["choice"][
            len(str(body["messages"])) % 2
        ]
        command = [
            "judge",
            "--url",
            judge.url,
            "--judge",
            "served",
            "--concurrency",
            "4",
            "--no-cache",
        ]
        shutil.copytree(runs, tmp_path / "truth")
        status, _ = driver.run(*command, tmp_path / "truth")
        assert status == 0, driver.tail()
        truth, asked = judged(tmp_path / "truth"), sum(judge.answered.values())
        assert len(truth) >= ITEMS
        for draw in moments("judge"):
            folder = tmp_path / "killed"
            shutil.copytree(runs, folder)
            before = sum(judge.answered.values())
            after = before + draw.randrange(8, asked)
            status, _ = driver.run(
                *command, folder, kill=lambda now, a=after: sum(judge.answered.values()) >= a
            )
            if status == -9:
                done["judge"] = done.get("judge", 0) + 1
            status, _ = driver.run(*command, folder)
            assert status == 0, driver.tail()
            assert judged(folder) == truth
            repeated = sum(judge.answered.values()) - before - asked
            assert repeated <= 64 + 16, (
                f"{repeated} verdicts were asked for twice"
            )  # its chunk, and two probes
            shutil.rmtree(folder)


def test_report(driver: Driver, tmp_path: Path, moments: Moments) -> None:
    """The page is written whole or not at all; the one before stays."""
    runs = tmp_path / "runs"
    arguments = ("--model", "safecot_baseline", "--model_args", "policy=refuse_all")
    status, _ = driver.run(*generate(runs, *arguments))
    assert status == 0, driver.tail()
    page = tmp_path / "page.html"
    status, seconds = driver.run("report", runs, "-o", page)
    assert status == 0, driver.tail()
    truth = page.read_bytes()
    _, again = driver.run("report", runs, "-o", page)
    for draw in moments("report"):
        for _ in range(5):  # a moment may come too late
            moment = draw.uniform(0.02, 0.9) * min(seconds, again)
            status, _ = driver.run("report", runs, "-o", page, kill=lambda now, m=moment: now > m)
            assert page.read_bytes() == truth
            if status == -9:
                done["report"] = done.get("report", 0) + 1
                break
        status, _ = driver.run("report", runs, "-o", page)
        assert status == 0
        assert page.read_bytes() == truth


def test_train(driver: Driver, make_recipe, tmp_path: Path, moments: Moments) -> None:  # noqa: F811
    """Killed between two checkpoints: the resumed run ends with the weights of the undisturbed one."""
    from safetensors.torch import load_file

    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(yaml.safe_dump(make_recipe(max_steps=12, save_steps=2, logging_steps=2).as_dict()))
    command = ["train", "sft", "--recipe", str(recipe)]
    status, _ = driver.run(*command, "--out", tmp_path / "truth")
    assert status == 0, driver.tail()
    truth = load_file(tmp_path / "truth/merged/model.safetensors")
    for number, draw in enumerate(moments("train")):
        out = tmp_path / f"killed{number}"
        step = draw.choice((2, 4, 6, 8))
        status, _ = driver.run(
            *command, "--out", out, kill=lambda now, o=out, s=step: (o / f"trainer/checkpoint-{s}").is_dir()
        )
        assert status == -9, driver.tail()
        done["train"] = done.get("train", 0) + 1
        status, _ = driver.run(*command, "--out", out)
        assert status == 0, driver.tail()
        again = load_file(out / "merged/model.safetensors")
        assert max(float((truth[name] - again[name]).abs().max()) for name in truth) < 1e-3


@pytest.mark.parametrize("level", ["few", pytest.param("many", marks=pytest.mark.full)])
def test_most_commands_were_killed(level: str) -> None:
    """Some end before their moment comes."""
    print(level, json.dumps(done))
    assert planned
    assert sum(done.values()) >= 0.7 * sum(planned)
