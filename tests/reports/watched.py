"""A page in Chromium that remembers what went wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any


class Watched:
    """A page that remembers console errors, exceptions and requests to anything but itself."""

    def __init__(self, browser: Any, path: Path, **options: Any) -> None:
        self.path, self.problems = path, []  # type: ignore[var-annotated]
        self.page = browser.new_page(**options)
        self.page.on(
            "console", lambda m: self.problems.append(m.text) if m.type in ("error", "warning") else None
        )
        self.page.on("pageerror", lambda e: self.problems.append(str(e)))
        self.page.on(
            "request", lambda r: self.problems.append(r.url) if not r.url.startswith("file:") else None
        )

    def show(self, view: str) -> Any:
        return self.open(f"file://{self.path}#view={view}")

    def open(self, address: str) -> Any:
        """Load the page anew at an address; its data are unpacked after the browser's own load event."""
        self.page.goto("about:blank")
        self.page.goto(address)
        self.page.wait_for_selector("#panel h2")
        return self.page
