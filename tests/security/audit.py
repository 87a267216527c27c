"""Known vulnerabilities of the locked requirements (``make check``): pip-audit, where the advisory service answers.

    python -m tests.security.audit

What is known about other people's packages changes without a change here, so that findings are printed and do not fail
the check; ``STRICT_AUDIT=1`` makes them fail. Without a network the check says that it was skipped.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SECONDS = 40
_NO_ANSWER = (
    "ConnectionError",
    "Connection refused",
    "timed out",
    "Temporary failure",
    "Max retries",
    "ServiceError",
)


def main() -> int:
    """Audit; returns the exit status."""
    command = [sys.executable, "-m", "pip_audit", "--disable-pip", "--no-deps", "--progress-spinner", "off"]
    command += ["--timeout", "5", "-r", str(ROOT / "requirements" / "dev.txt")]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        print(f"pip-audit: skipped (the advisory service did not answer within {SECONDS} s)")
        return 0
    if done.returncode == 0:
        print("pip-audit: no known vulnerabilities in requirements/dev.txt")
        return 0
    if "No module named" in done.stderr:
        print("pip-audit: skipped (not installed; `make setup` installs it)")
        return 0
    if not done.stdout.strip() or any(word in done.stderr for word in _NO_ANSWER):
        print("pip-audit: skipped (the advisory service cannot be reached)")
        return 0
    print(done.stdout.rstrip())
    print("pip-audit: see above; STRICT_AUDIT=1 makes this fail")
    return int(os.environ.get("STRICT_AUDIT") == "1")


if __name__ == "__main__":
    sys.exit(main())
