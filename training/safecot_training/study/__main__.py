"""Run the mini study. The same command goes on after an interruption; finished runs are skipped."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from safecot_eval.util import environment
from safecot_eval.util.errors import SafecotError


def main(argv: Sequence[str] | None = None) -> int:
    """Run the study; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m safecot_training.study", description=__doc__)
    parser.add_argument(
        "--out", type=Path, default=Path("study"), help="folder for everything the study writes"
    )
    parser.add_argument("--runs", type=Path, help="folder for evaluated answers (OUT/runs)")
    parser.add_argument("--short", action="store_true", help="one mixture, one size, one seed; no report")
    parser.add_argument("--report", type=Path, help="write the report here too, figures into img/ beside it")
    parser.add_argument("--report-only", action="store_true", help="write the report from what is there")
    arguments = parser.parse_args(argv)
    environment.prepare()
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    from safecot_training.study import plan, report, study

    chosen = plan.SHORT if arguments.short else plan.LONG
    out = arguments.out.resolve()
    runs = (arguments.runs or out / "runs").resolve()
    try:
        if not arguments.report_only:
            study.run(chosen, out, runs)
        if not arguments.short:
            report.write(chosen, out, runs, arguments.report, beside=True)
    except SafecotError as error:
        print(f"safecot study: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"safecot study: interrupted; the same command goes on in {out}.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
