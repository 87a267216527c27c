"""Run ``python -m safecot_eval``: the same as ``safecot``."""

from safecot_eval.cli import main

main()
