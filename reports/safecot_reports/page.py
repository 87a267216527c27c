"""One offline HTML file: the data as JSON in a script element, our own style and script, a strict security policy."""

from __future__ import annotations

import base64
import gzip
from pathlib import Path
from typing import Any

import jinja2

from safecot_eval.util.content_security import source_of
from safecot_eval.util.errors import SafecotError
from safecot_eval.util.files import unreadable
from safecot_reports.build import to_json

_TEMPLATES = Path(__file__).parent / "templates"
_STYLES = ("style.css", "page.css")
_SCRIPTS = (
    "core.js",
    "texts.js",
    "standings.js",
    "glance.js",
    "overview.js",
    "labels.js",
    "plane.js",
    "categories.js",
    "compare.js",
    "judges.js",
    "reproduce.js",
    "samples.js",
    "training.js",
    "share.js",
    "main.js",
)
_COMPRESS_FROM = 400_000
_LOGOS = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg", ".gif": "gif", ".webp": "webp", ".svg": "svg+xml"}
_LOGO_BYTES = 200_000


def page_html(
    data: dict[str, Any],
    *,
    connect: bool = False,
    logo: str = "",
    social_card: str = "",
    progress: dict[str, Any] | None = None,
) -> str:
    """The page.

    Args:
        data: What :func:`safecot_reports.build.build` returned.
        connect: Allow the page to fetch sample shards from its own site (``--split``).
        logo: A data URI (:func:`logo_uri`) of a picture before the title.
        social_card: Where the picture for links to the page is, as seen from the page.
        progress: What is shown of a matrix that still runs; the page then loads itself again.
    """
    style = "\n".join((_TEMPLATES / name).read_text(encoding="utf-8") for name in _STYLES)
    code = "\n".join((_TEMPLATES / name).read_text(encoding="utf-8") for name in _SCRIPTS)
    script = f'"use strict";\n(() => {{\n{code}\n}})();\n'
    policy = (
        f"default-src 'none'; script-src '{source_of(script)}'; style-src '{source_of(style)}'; img-src data:; "
        + ("connect-src 'self'; " if connect else "")
        + "base-uri 'none'; form-action 'none'"
    )
    text, encoding = to_json(data), "json"
    if len(text) > _COMPRESS_FROM:
        text, encoding = base64.b64encode(gzip.compress(text.encode(), 6, mtime=0)).decode(), "gzip"
    else:
        # "<" could end the element or open a comment; as an escape it is the same JSON.
        text = text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, loader=jinja2.FileSystemLoader(_TEMPLATES)
    )
    return environment.get_template("page.html").render(
        title=_printable(data["title"]),
        description=_printable(data.get("description") or ""),
        logo=logo,
        social_card=social_card,
        progress=progress,
        policy=policy,
        style=_Ours(style),
        script=_Ours(script),
        data=_Ours(text),
        encoding=encoding,
        version=data["version"],
    )


def logo_uri(path: Path) -> str:
    """A picture as a data URI.

    Raises:
        SafecotError: it cannot be read, is no PNG, JPEG, GIF, WebP or SVG, or is larger than 200 KB.
    """
    kind = _LOGOS.get(path.suffix.lower())
    if kind is None:
        raise SafecotError(f"--logo {path}: give a {', '.join(sorted(_LOGOS))} file.")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SafecotError(f"--logo {unreadable(path, error)}") from error
    if len(content) > _LOGO_BYTES:
        raise SafecotError(f"--logo {path}: {len(content)} bytes; the page takes at most {_LOGO_BYTES}.")
    return f"data:image/{kind};base64," + base64.b64encode(content).decode()


class _Ours(str):
    """Text of this package (or escaped JSON) that goes into the page as it is."""

    def __html__(self) -> str:
        return str(self)


def _printable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
