"""``safecot train``: build SafeCoT data, write chains of thought, fine-tune, merge and score checkpoints.

The subcommands are in the modules beside this one, ``safecot train data`` in ``train_data.py``.
"""

from __future__ import annotations

import click

from safecot_eval.cli.groups import Group
from safecot_eval.cli.train_check import check
from safecot_eval.cli.train_data import cot, data
from safecot_eval.cli.train_eval import evaluate
from safecot_eval.cli.train_export import export_data
from safecot_eval.cli.train_preference import dpo, grpo, kto
from safecot_eval.cli.train_push import push
from safecot_eval.cli.train_reproduce import reproduce
from safecot_eval.cli.train_sft import merge, sft


@click.group(name="train", cls=Group)
def command() -> None:
    """Build SafeCoT data, fine-tune, export and score checkpoints."""


for subcommand in (data, cot, export_data, check, sft, dpo, kto, grpo, merge, push, evaluate, reproduce):
    command.add_command(subcommand)
