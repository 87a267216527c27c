"""Checkpoints go to the hub with the licence of their base, in one commit, and without paths of this machine."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from click.testing import CliRunner
from safetensors.numpy import save_file

from safecot_eval.cli.train import command
from safecot_eval.util.errors import SafecotError
from safecot_training.sft.card import CheckpointCard, read_card
from tests.stand_in import JsonHandler, StandIn

pytestmark = [
    pytest.mark.slow,
    # huggingface_hub 2.4 hands a file to its HTTP library in a way that the library warns of
    pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning"),
]


@dataclass
class Hub:
    """What a stand-in for the hub was asked; it speaks as much of its protocol as an upload needs."""

    url: str = ""
    created: list[dict[str, Any]] = field(default_factory=list)
    validated: list[str] = field(default_factory=list)
    large: dict[str, bytes] = field(default_factory=dict)
    commits: list[list[dict[str, Any]]] = field(default_factory=list)
    cards: dict[str, dict[str, Any] | None] = field(default_factory=dict)
    tokens: set[str] = field(default_factory=set)

    def text(self, name: str) -> str:
        """A file of the last commit."""
        (found,) = [
            line["value"]["content"] for line in self.commits[-1] if line["value"].get("path") == name
        ]
        return base64.b64decode(found).decode()


def handler(hub: Hub) -> type[JsonHandler]:
    class Handler(JsonHandler):
        def _body(self) -> bytes:
            if self.headers.get("Transfer-Encoding") != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length") or 0))
            parts = []
            while size := int(self.rfile.readline(), 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)

        def do_GET(self) -> None:
            name = self.path.removeprefix("/api/models/").partition("/revision/")[0].partition("?")[0]
            if name not in hub.cards:
                self.send(404, {"error": "Repository not found"})
                return
            self.send(
                200, {"id": name, "sha": "c" * 40, "cardData": hub.cards[name], "siblings": [], "tags": []}
            )

        def do_PUT(self) -> None:
            hub.large[self.path.rpartition("/")[2]] = self._body()
            self.send(200, "")

        def do_POST(self) -> None:
            hub.tokens.add(self.headers.get("Authorization", ""))
            body = self._body()
            if self.path == "/api/repos/create":
                if json.loads(body)["name"] == "full":
                    self.send(403, {"error": "you may not write here"})
                    return
                hub.created.append(json.loads(body))
                self.send(200, {"url": f"{hub.url}/me/ckpt", "id": "me/ckpt", "name": "me/ckpt"})
            elif self.path == "/api/validate-yaml":
                hub.validated.append(json.loads(body)["content"])
                self.send(200, {"errors": [], "warnings": []})
            elif "/preupload/" in self.path:
                files = [
                    {
                        "path": file["path"],
                        "uploadMode": "lfs" if file["path"].endswith(".safetensors") else "regular",
                        "shouldIgnore": False,
                        "oid": None,
                    }
                    for file in json.loads(body)["files"]
                ]
                self.send(200, {"files": files})
            elif self.path.endswith("/info/lfs/objects/batch"):
                objects = [
                    {**one, "actions": {"upload": {"href": f"{hub.url}/put/{one['oid']}"}}}
                    for one in json.loads(body)["objects"]
                ]
                self.send(200, {"transfer": "basic", "objects": objects})
            elif "/commit/" in self.path:
                hub.commits.append([json.loads(line) for line in body.splitlines()])
                answer = {"commitUrl": f"{hub.url}/me/ckpt/commit/{'d' * 40}", "commitOid": "d" * 40}
                self.send(200, {"success": True, **answer})
            else:
                self.send(404, {"error": self.path})

    return Handler


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    from huggingface_hub import constants

    found = Hub()
    with StandIn(handler(found)) as server:
        found.url = server.url.removesuffix("/v1")
        monkeypatch.setattr(constants, "ENDPOINT", found.url)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setenv("HF_TOKEN", "hf_ours")
        yield found


def checkpoint(out: Path, base: str, form: str = "merged", **changes: Any) -> Path:
    folder = out / form
    folder.mkdir(parents=True)
    values: dict[str, Any] = {
        "variant": "v1", "samples": 200, "train_loss": 0.5, "loss_history": [[1, 0.5]], "recipe_hash": "a" * 64,
        "data_manifest_hash": "b" * 64, "seed": 0, "base_model": base, "in_distribution_categories": ["fraud"],
        "in_distribution_benchmarks": [], "form": form, "base_revision": "main",
        "recipe": {"base_model": base, "data": "/home/somebody/data/safecot", "learning_rate": 1e-4, "rejected": ""},
    }  # fmt: skip
    CheckpointCard(**{**values, **changes}).write(folder)
    save_file({"weight": np.ones(9, dtype=np.float32)}, folder / "model.safetensors")
    (folder / "config.json").write_text("{}")
    (folder / ".cache").mkdir()
    (folder / ".cache/secret").write_text("of this machine")
    return folder


def push(*arguments: object) -> Any:
    return CliRunner().invoke(command, ["push", *map(str, arguments)])


def test_the_bases_licence_goes_with_the_weights_in_one_commit(hub: Hub, tmp_path: Path) -> None:
    terms = {"license": "other", "license_name": "llama3.2", "license_link": "https://example.org/LICENSE"}
    hub.cards["org/base"] = {**terms, "language": "en"}
    folder = checkpoint(tmp_path / "out", "org/base")
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    done = push(tmp_path / "out", "--repo", "me/ckpt")
    assert done.exit_code == 0, done.output
    assert f"{hub.url}/me/ckpt: uploaded." in done.output
    assert [(new["name"], new["organization"], new["visibility"]) for new in hub.created] == [
        ("ckpt", "me", "private")
    ]
    assert hub.tokens == {"Bearer hf_ours"}
    (commit,) = hub.commits
    assert {line["value"]["path"] for line in commit if "path" in line["value"]} == set(before)
    assert list(hub.large.values()) == [before["model.safetensors"]]
    header = yaml.safe_load(hub.text("README.md").split("---")[1])
    assert {key: header[key] for key in terms} == terms
    assert header["base_model"] == "org/base"
    assert hub.validated == [hub.text("README.md")]
    assert read_card(folder).recipe["data"] == "/home/somebody/data/safecot"
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()} == before
    for name in ("README.md", "safecot_checkpoint.json"):
        assert "somebody" not in hub.text(name)
    assert push(tmp_path / "out", "--repo", "me/ckpt", "--public").exit_code == 0
    assert hub.created[-1]["visibility"] == "public"


def test_a_base_in_a_folder_and_a_chain_of_checkpoints_have_a_licence(hub: Hub, tmp_path: Path) -> None:
    base = tmp_path / "bases/mine"
    base.mkdir(parents=True)
    (base / "README.md").write_text("---\nlicense: apache-2.0\n---\n# Mine\n")
    first = checkpoint(tmp_path / "first", str(base))
    checkpoint(tmp_path / "second", str(first))
    assert push(tmp_path / "second", "--repo", "me/ckpt", "--license", "apache-2.0").exit_code == 0
    header = yaml.safe_load(hub.text("README.md").split("---")[1])
    assert header["license"] == "apache-2.0"
    assert "base_model" not in header
    for name in ("README.md", "safecot_checkpoint.json"):
        assert str(tmp_path) not in hub.text(name)


@pytest.mark.parametrize(
    "card", [None, {}, {"license": ""}, "absent", "---\nno front matter", "---\n: [\n---\n", "no card at all"]
)
def test_without_a_licence_nothing_goes_up(card: Any, hub: Hub, tmp_path: Path) -> None:
    if isinstance(card, str) and card != "absent":
        base = tmp_path / "base"
        base.mkdir()
        if card.startswith("---"):
            (base / "README.md").write_text(card)
    else:
        base = "org/base"
        if card != "absent":
            hub.cards["org/base"] = card
    checkpoint(tmp_path / "out", str(base))
    done = push(tmp_path / "out", "--repo", "me/ckpt")
    assert isinstance(done.exception, SafecotError)
    assert ("does not say its licence" if card == "absent" else "states no licence") in str(done.exception)
    assert not hub.created
    if card != "absent":
        assert push(tmp_path / "out", "--repo", "me/ckpt", "--license", "mit").exit_code == 0
        assert yaml.safe_load(hub.text("README.md").split("---")[1])["license"] == "mit"


def test_what_must_not_go_up_is_one_sentence(hub: Hub, tmp_path: Path) -> None:
    hub.cards["org/base"] = {"license": "llama3.2"}
    checkpoint(tmp_path / "out", "org/base")
    checkpoint(tmp_path / "secret", "org/absent")
    (tmp_path / "base").mkdir()
    checkpoint(tmp_path / "local", str(tmp_path / "base"), "adapter")
    for arguments, words in (
        ((tmp_path / "out", "--repo", "me/ckpt", "--license", "mit"), "states llama3.2, which holds"),
        ((tmp_path / "out", "--repo", "ckpt"), "write OWNER/NAME"),
        (
            (tmp_path / "secret", "--repo", "me/ckpt.git"),
            "write OWNER/NAME",
        ),  # before the licence, which nobody states
        ((tmp_path / "secret", "--repo", "me/two--dashes"), "write OWNER/NAME"),
        (
            (tmp_path / "local", "--repo", "me/ckpt", "--form", "adapter"),
            "an adapter of .*, which nobody else has",
        ),
        ((tmp_path / "out", "--repo", "me/full"), "me/full: the hub refused .*403"),
        ((tmp_path / "base", "--repo", "me/ckpt"), "no safecot_checkpoint.json"),
    ):
        with pytest.raises(SafecotError, match=words):
            raise push(*arguments).exception
    assert not hub.commits
