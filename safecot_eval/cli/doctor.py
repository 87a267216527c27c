"""``safecot doctor``: what is here, what is missing, and the remedy, one line each."""

from __future__ import annotations

import sys

import click


@click.command("doctor")
def command() -> None:
    """Say what is installed, what is missing and how to get it. Exits 1 where something needed is missing."""
    from safecot_eval import diagnosis

    findings = diagnosis.examine()
    width = max(len(finding.subject) for finding in findings)
    for finding in findings:
        line = f"{finding.state.value:<7} {finding.subject:<{width}}  {finding.detail}"
        click.echo(f"{line}\n{'':<8}{'':<{width}}  → {finding.remedy}" if finding.remedy else line)
    if any(finding.state is diagnosis.State.MISSING for finding in findings):
        sys.exit(1)
