"""What is wrong with a command is said before PyTorch is imported, and with the words of where it was given."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from safecot_eval.generate.models import weights
from safecot_eval.judge.endpoint.endpoint import configured
from safecot_eval.judge.endpoint.remote import RemoteJudge
from safecot_eval.records.json_files import enumerate_jsonl
from safecot_eval.util.errors import SafecotError
from safecot_training.preference.reward_reader import reader_of
from safecot_training.sft.objectives import RewardSettings

NOWHERE = "http://127.0.0.1:9/v1"
WITHOUT_TORCH = "import sys; sys.modules['torch'] = None; from safecot_eval.cli import main; main()"


def command(*arguments: object) -> subprocess.CompletedProcess[str]:
    """``safecot train …`` in a process that has no PyTorch."""
    return subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH, "train", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def recipe(data_folder: Path, tmp_path: Path) -> Path:
    path = tmp_path / "recipe.yaml"
    values = {"base_model": "owner/base", "data": str(data_folder), "variant": "v1", "allow_unchecked": True}
    path.write_text(yaml.safe_dump(values))
    return path


@pytest.mark.slow
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"[1, 2]\n", "line 1: not a JSON object (it is a list)"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "line 1: neither UTF-8 nor JSON"),
        (b'{"id": "unknown", "response": "Yes."}\n', "is not a training example"),
    ],
)
def test_own_answers_are_read_first(content: bytes, words: str, recipe: Path, tmp_path: Path) -> None:
    (tmp_path / "own.jsonl").write_bytes(content)
    done = command("dpo", "--recipe", recipe, "--rejected", tmp_path / "own.jsonl", "--out", tmp_path / "out")
    assert done.returncode != 0
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_an_objective_belongs_to_its_command(recipe: Path, tmp_path: Path) -> None:
    for name, asked, words in (
        ("sft", "kto", "objective: kto is what `safecot train kto` trains by"),
        ("grpo", "dpo", "objective: dpo is what `safecot train dpo` trains by"),
        ("sft", "orpo", "objective: should be"),
    ):
        done = command(name, "--recipe", recipe, "--set", f"objective={asked}", "--out", tmp_path / "out")
        assert done.returncode != 0
        assert words in done.stderr, done.stderr
    recipe.write_text(f"{recipe.read_text()}objective: dpo\n")
    assert "run that, or leave the key out" in command("sft", "--recipe", recipe).stderr


@pytest.mark.slow
def test_runs_of_failures_are_read_first(recipe: Path, tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    done = command("kto", "--recipe", recipe, "--failures", tmp_path / "runs", "--out", tmp_path / "out")
    assert done.returncode != 0
    assert str(tmp_path / "runs") in done.stderr
    assert "torch" not in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments", [("check", "BASE"), ("sft", "--recipe", "RECIPE", "--set", "base_model=BASE")]
)
def test_a_base_that_is_nowhere(arguments: tuple[str, ...], recipe: Path, tmp_path: Path) -> None:
    base = str(tmp_path / "no/such/base")
    given = [part.replace("BASE", base).replace("RECIPE", str(recipe)) for part in arguments]
    done = command(*given)
    assert done.returncode != 0
    assert (
        f"Base model '{base}': no such folder exists, and it is not a hub id (OWNER/NAME) either."
        in done.stderr
    )


def test_why_a_base_or_an_adapter_is_not_loaded(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "run/merged").mkdir(parents=True)
    (tmp_path / "empty").mkdir()
    assert "it is a file" in weights.why_not(str(tmp_path / "file"))
    assert weights.why_not(str(tmp_path / "run")).endswith(f"give {tmp_path / 'run/merged'}")
    assert weights.why_not(str(tmp_path / "empty")) == "the folder holds no config.json"
    for name in (str(tmp_path / "no/such"), "./no", "~/no-such-folder", "a/b/c", "C:\\models\\base"):
        assert weights.why_not(name).startswith("no such folder exists, and it is not a hub id")
    with pytest.raises(
        SafecotError, match=r"Base model '.*': the folder holds no config\.json; give .*merged"
    ):
        weights.require_there(str(tmp_path / "run"), "Base model")
    with pytest.raises(SafecotError, match="Adapter '/no/such': no such folder"):
        weights.require_there("/no/such", "Adapter")


def test_an_adapter_is_no_base(tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text('{"base_model_name_or_path": "owner/base"}')
    with pytest.raises(
        SafecotError, match="is an adapter of owner/base; give a whole model: that base, or both merged"
    ):
        weights.require_whole_there(str(tmp_path), "Base model")
    (tmp_path / "config.json").write_text("{}")
    weights.require_whole_there(str(tmp_path), "Base model")


def test_what_the_hub_says_is_told_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    def raised(cause: Exception) -> OSError:
        error = OSError("see https://huggingface.co/models")
        error.__cause__ = cause
        return error

    offline = weights.why_not("owner/name", raised(LocalEntryNotFoundError("not there")))
    assert offline.startswith("no such folder exists, and the hub does not answer")
    assert "it is not a hub id" in weights.why_not("name with blanks", raised(HFValidationError("bad")))
    assert weights.why_not("owner/name", ValueError("damaged  header")) == "damaged header"


@pytest.mark.slow
def test_a_dead_judge_is_named_by_where_its_address_came_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAFECOT_JUDGE_URL", "http://127.0.0.1:9/other")
    for model, words in (
        ("m", "check rewards.judge_url, rewards.judge_model and"),
        ("", "^rewards.judge_url: "),
    ):
        with pytest.raises(SafecotError, match=words) as told:
            reader_of(RewardSettings(by="judge", judge_url=NOWHERE, judge_model=model))
        assert "SAFECOT_JUDGE_URL" not in str(told.value)
    with pytest.raises(SafecotError, match=r"^rewards\.judge_url must be http"):
        reader_of(RewardSettings(by="judge", judge_url="ftp://host"))
    with pytest.raises(SafecotError, match="check --url, SAFECOT_JUDGE_MODEL and SAFECOT_JUDGE_KEY"):
        RemoteJudge(configured({"SAFECOT_JUDGE_MODEL": "m"}, url=NOWHERE)).check()
    with pytest.raises(SafecotError, match="check SAFECOT_JUDGE_URL, --judge and"):
        RemoteJudge(configured({"SAFECOT_JUDGE_URL": NOWHERE}, model="m")).check()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b'"text"', "it is a text"), (b"7", "it is a number"), (b"null", "it is null"), (b"true", "it is true or false"),
        (b"{'a': 1}", "not a JSON object ("), ("{\u201cid\u201d: 1}".encode("cp1252"), "neither UTF-8 nor JSON"),
        ('{"id": 1}\n[1]\n'.encode("utf-16"), "binary data"), (b"PK\x03\x04\x00\x00", "binary data"),
    ],
)  # fmt: skip
def test_a_line_that_is_no_object_says_what_it_is(line: bytes, words: str, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(line)
    with pytest.raises(SafecotError) as told:
        list(enumerate_jsonl(tmp_path / "a.jsonl"))
    assert words in str(told.value)
    assert str(told.value).count("not a JSON object") <= 1
