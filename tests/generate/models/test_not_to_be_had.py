"""A model that is not on this machine while the hub cannot be asked, and a base that is named by a relative path."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from safecot_eval.generate.models import weights
from safecot_eval.util.errors import SafecotError


@pytest.mark.slow
def test_a_hub_that_cannot_be_asked_is_not_a_missing_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub.errors import LocalEntryNotFoundError
    from transformers import AutoProcessor

    from safecot_eval.generate.models.checkpoint import Source, load_processor

    def unreachable(*_: object, **__: object) -> None:
        try:
            raise LocalEntryNotFoundError("not there")
        except LocalEntryNotFoundError as error:
            raise OSError("We couldn't connect") from error

    monkeypatch.setattr(AutoProcessor, "from_pretrained", unreachable)
    with pytest.raises(SafecotError, match="owner/name cannot be loaded: .* the hub does not answer") as said:
        load_processor(Source("owner/name"), {})
    assert "processor" not in str(said.value)
    monkeypatch.setattr(weights, "is_kept", lambda *_: True)
    with pytest.raises(SafecotError, match="no image processor can be loaded"):
        load_processor(Source("owner/name"), {})


def test_a_base_by_a_relative_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there, here = tmp_path / "there", tmp_path / "here"
    here.mkdir()
    (there / "tiny" / "base").mkdir(parents=True)
    (there / "tiny" / "base" / "config.json").write_text(json.dumps({"model_type": "llava"}))
    adapter = str(there / "out" / "adapter")
    monkeypatch.chdir(here)
    with pytest.raises(SafecotError, match="by a relative path, tiny/base; .*here/tiny/base") as said:
        weights.require_base(adapter, "tiny/base", "--base-model")
    assert str(there / "tiny" / "base") in str(said.value)
    with pytest.raises(SafecotError, match=r"relative path, \./base; .*here/base, .* with --base-model\."):
        weights.require_base(adapter, "./base", "--base-model")
    weights.require_base(adapter, "owner/name", "--base-model")
    monkeypatch.chdir(there)
    weights.require_base(adapter, "tiny/base", "--base-model")
