"""What lmms-eval loads: our models. Its entry point is for models alone, so that it also brings the hooks of :mod:`.lmms_eval`.

Nothing heavy is imported here; where lmms-eval has changed so that a hook cannot work, one sentence names the way round.
"""

from __future__ import annotations

from typing import Any

from safecot_eval.generate.lmms_eval import install_hooks

MODELS = {
    "safecot_hf": "safecot_eval.generate.models.hf.SafecotHF",
    "safecot_openai": "safecot_eval.generate.models.api.SafecotOpenAI",
    "safecot_replay": "safecot_eval.generate.models.replay.SafecotReplay",
    "safecot_baseline": "safecot_eval.generate.models.baseline.SafecotBaseline",
}
"""lmms-eval model id to class. The classes are imported only when selected."""


def manifests() -> list[Any]:
    """Return our models' manifests and install the hooks; lmms-eval calls this when it is imported."""
    from lmms_eval.models.registry_v2 import ModelManifest

    install_hooks()
    return [ModelManifest(model_id=model, chat_class_path=path) for model, path in MODELS.items()]
