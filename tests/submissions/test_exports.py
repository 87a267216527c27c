"""Results in other people's forms: complete, repeatable, and without texts unless they are asked for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import huggingface_hub
import jsonschema
import pyarrow.parquet as pq
import pytest
import yaml
from click.testing import CliRunner, Result

from safecot_eval.cli.export import command
from safecot_eval.util.errors import SafecotError
from safecot_reports import hub_dataset
from tests.submissions.conftest import PROMPT_WORD

SCHEMA = json.loads((Path(__file__).parent / "every_eval_ever.schema.json").read_text())


def run(*arguments: object) -> Result:
    return CliRunner().invoke(command, list(map(str, arguments)), catch_exceptions=False)


def test_every_eval_ever(run_folder: Path, sealed: dict[str, Any], tmp_path: Path) -> None:
    who = ("--submitter", "A. Tester", "--relationship", "third_party")
    assert run("every-eval-ever", run_folder, "-o", tmp_path, *who).exit_code == 0
    assert run("every-eval-ever", run_folder, "-o", tmp_path, *who).exit_code == 0
    (path,) = tmp_path.rglob("*.json")  # exporting twice adds nothing
    assert path.parent == tmp_path / "data" / "safecot_mini_tiny" / "unknown" / "toy"
    content = json.loads(path.read_text())
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(content, SCHEMA)
    shown = {
        result["evaluation_name"]: result["score_details"]["score"]
        for result in content["evaluation_results"]
    }
    rates = {(r["metric"], r["evaluator"]): r["value"] for r in sealed["tasks"][0]["rates"]}
    name = next(e for m, e in rates if m == "crr" and e.startswith("template:"))
    assert shown[f"safecot_mini_tiny: CRR by {name}"] == rates["crr", name]
    assert content["source_metadata"]["source_organization_name"] == "A. Tester"
    better = {
        r["evaluation_name"]: r["metric_config"]["lower_is_better"] for r in content["evaluation_results"]
    }
    assert better["safecot_mini_tiny: Invalid"] is True
    assert better[f"safecot_mini_tiny: CRR by {name}"] is False
    assert PROMPT_WORD not in path.read_text()


def test_every_eval_ever_from_a_submission(run_folder: Path, sealed: dict[str, Any], tmp_path: Path) -> None:
    file = run_folder.parent / "toy.safecot.json"
    assert file.is_file()
    run("every-eval-ever", file, "-o", tmp_path / "a")
    run("every-eval-ever", run_folder, "-o", tmp_path / "b")
    contents = [json.loads(next((tmp_path / name).rglob("*.json")).read_text()) for name in ("a", "b")]
    assert contents[0] == contents[1]


def texts_of(folder: Path) -> str:
    return " ".join(str(pq.read_table(path).to_pylist()) for path in sorted(folder.rglob("*.parquet")))


def header(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((folder / "README.md").read_text().split("---")[1])
    return found


def test_a_data_set_has_no_texts_unless_asked(run_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "set"
    assert run("hub", run_folder, "-o", folder).exit_code == 0
    assert PROMPT_WORD not in texts_of(folder)
    assert not (folder / "samples").exists()
    outcomes = pq.read_table(next((folder / "outcomes").iterdir())).to_pylist()
    assert {row["evaluator"].split("/")[0] for row in outcomes} >= {"judge-x", "human:me"}
    assert len({row["sample_id"] for row in outcomes}) == 52
    assert [
        row["label"] for row in outcomes if row["status"] == "empty" and row["evaluator"].startswith("temp")
    ] == [None]
    rates = pq.read_table(folder / "rates.parquet").to_pylist()
    assert {row["metric"] for row in rates} >= {"crr", "car", "invalid", "pair_both_right"}
    assert "extra_gated_prompt" not in header(folder)
    assert "no prompts and no answers" in (folder / "README.md").read_text()


def test_harmful_texts_are_asked_for_twice(run_folder: Path, tmp_path: Path) -> None:
    benign, all_of_them = tmp_path / "benign", tmp_path / "all"
    said = run("hub", run_folder, "-o", benign, "--texts").output
    assert "26 texts (26 withheld)" in said
    rows = pq.read_table(next((benign / "samples").iterdir())).to_pylist()
    assert {row["expectation"] for row in rows} == {"answer"}
    assert PROMPT_WORD in texts_of(benign)
    assert "extra_gated_prompt" not in header(benign)
    assert "52 texts" in run("hub", run_folder, "-o", all_of_them, "--texts", "--include-harmful").output
    assert "extra_gated_prompt" in header(all_of_them)
    assert "not-for-all-audiences" in header(all_of_them)["tags"]
    with pytest.raises(SafecotError, match="belongs to --texts"):
        run("hub", run_folder, "-o", tmp_path / "x", "--include-harmful")


def test_a_folder_of_something_else_is_left_alone(run_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(SafecotError, match="holds something else"):
        run("hub", run_folder, "-o", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
    folder = tmp_path / "set"
    run("hub", run_folder, "-o", folder, "--texts")
    run("hub", run_folder, "-o", folder)
    assert not (folder / "samples").exists()


class Hub:
    """What the hub's client would have been asked."""

    calls: list[tuple[str, dict[str, Any]]]

    def __init__(self, **options: Any) -> None:
        pass

    def create_repo(self, repository: str, **options: Any) -> str:
        self.calls.append(("create", {"repository": repository, **options}))
        return f"https://hub.example/datasets/{repository}"

    def upload_folder(self, **options: Any) -> None:
        names = sorted(
            str(p.relative_to(options["folder_path"])) for p in Path(options["folder_path"]).rglob("*.*")
        )
        self.calls.append(("upload", {**options, "names": names}))


def test_uploads_are_private_and_only_on_request(
    run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Hub.calls = []
    monkeypatch.setattr(huggingface_hub, "HfApi", Hub)
    run("hub", run_folder, "-o", tmp_path / "a")
    assert Hub.calls == []
    assert (
        "https://hub.example/datasets/me/results"
        in run("hub", run_folder, "-o", tmp_path / "a", "--repo", "me/results").output
    )
    (_, created), (_, uploaded) = Hub.calls
    assert created == {"repository": "me/results", "repo_type": "dataset", "private": True, "exist_ok": True}
    assert uploaded["names"] == ["README.md", "outcomes/000-toy.parquet", "rates.parquet"]
    Hub.calls.clear()
    run("hub", run_folder, "-o", tmp_path / "a", "--repo", "me/results", "--public")
    assert Hub.calls[0][1]["private"] is False
    for arguments in (("--repo", "results"), ("--public",)):
        with pytest.raises(SafecotError):
            run("hub", run_folder, "-o", tmp_path / "a", *arguments)


def test_a_hub_that_refuses_is_one_sentence(
    run_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real client without network."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    run("hub", run_folder, "-o", tmp_path / "a")

    def refuse(*arguments: Any, **options: Any) -> None:
        raise OSError("401 Unauthorized")

    monkeypatch.setattr(huggingface_hub.HfApi, "create_repo", refuse)
    with pytest.raises(SafecotError, match=r"me/results: the hub refused \(OSError: 401 Unauthorized\)"):
        hub_dataset.upload(tmp_path / "a", "me/results")
