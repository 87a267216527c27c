"""Checks before the first token: a mistake must cost a second, not a night."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

from loguru import logger

from safecot_eval.generate.models.weights import adapter_config, is_path, require_base
from safecot_eval.generate.plan import Plan
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.model_lists import is_listed, not_listed, served_models
from safecot_eval.util.secrets import secret_free

MIN_FREE_BYTES = 200 * 2**20
ENDPOINT_MODELS = ("openai", "async_openai", "openai_compatible", "safecot_openai")


def check(plan: Plan) -> None:
    """Check output, model and judge.

    Raises:
        SafecotError: the first thing that would fail later, in one sentence.
    """
    check_output(plan.output)
    check_model(plan)
    check_judge()


def check_output(output: Path) -> None:
    """The output folder, or the nearest folder above it that there is, can be written to and has room; nothing is made.

    Raises:
        SafecotError: not writable, or too little space.
    """
    if set(str(output)) & set(",="):
        raise SafecotError(
            f"--output_path {output}: lmms-eval cannot use a folder with a comma or '=' in its name."
        )
    try:
        place = output.absolute()
        while not place.exists():
            place = place.parent
        if not place.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        probe = place / f".safecot-write-test-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise SafecotError(f"--output_path {output}: cannot be written to ({error.strerror}).") from error
    free = shutil.disk_usage(place).free
    if free < MIN_FREE_BYTES:
        raise SafecotError(
            f"--output_path {output}: only {free // 2**20} MiB free; 200 MiB are needed at least."
        )


def check_model(plan: Plan) -> None:
    """The model's files exist or its endpoint answers; a model that its list does not name is a warning.

    Raises:
        SafecotError: the endpoint does not answer or refuses the key, or a file is missing.
    """
    arguments = plan.model_args
    if plan.model in ENDPOINT_MODELS:
        url = (
            arguments.get("base_url")
            or os.environ.get("OPENAI_API_BASE")
            or os.environ.get("OPENAI_BASE_URL")
        )
        if url:
            key = arguments.get("api_key") or os.environ.get("OPENAI_API_KEY")
            served = served_models(url, key, "--model_args base_url")
            wanted = arguments.get("model") or arguments.get("model_version")
            if wanted and served and not is_listed(wanted, served):
                logger.warning("{}", secret_free([not_listed(url, wanted, served)])[0])
    if plan.model == "safecot_replay":
        path = arguments.get("responses")
        if not path:
            raise SafecotError("safecot_replay needs --model_args responses=FILE.jsonl (task, id, response).")
        if not Path(path).expanduser().is_file():
            raise SafecotError(f"safecot_replay: responses={path} is not a file.")
        from safecot_eval.generate.models.responses import read_responses

        read_responses(Path(path).expanduser())  # a damaged line is told before lmms-eval is loaded
    if plan.model == "safecot_hf":
        for key in ("pretrained", "peft"):
            _check_checkpoint(key, arguments.get(key))
        if not arguments.get("pretrained") and not arguments.get("peft"):
            raise SafecotError("safecot_hf needs --model_args pretrained=FOLDER_OR_HUB_ID (or peft=ADAPTER).")
        _check_base(arguments.get("pretrained"), arguments.get("peft"))


def _check_checkpoint(key: str, value: str | None) -> None:
    if not value:
        return
    path = Path(value).expanduser()
    if path.is_dir():
        if not any((path / name).is_file() for name in ("config.json", "adapter_config.json")):
            raise SafecotError(f"safecot_hf: {key}={value} has neither config.json nor adapter_config.json.")
    elif is_path(value):
        raise SafecotError(f"safecot_hf: {key}={value} is not a folder.")


def _check_base(pretrained: str | None, peft: str | None) -> None:
    """An adapter that is given alone has its base where its configuration says."""
    folder = Path(peft or pretrained or "").expanduser()
    if (peft and pretrained) or (folder / "config.json").is_file():
        return
    if base := adapter_config(folder).get("base_model_name_or_path"):
        require_base(
            str(folder), str(base), "--model_args pretrained=BASE" if peft else "peft=ADAPTER,pretrained=BASE"
        )


def check_judge() -> None:
    """The configured judge answers; no judge is not an error.

    Raises:
        SafecotError: it is configured and cannot be used.
    """
    from safecot_eval.judge import in_run

    in_run.check()
