"""The site builds without a network, has every page, searches offline; links and workflows are what they should be."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.docs.blocks import ROOT, pages

WORKFLOWS = [
    *ROOT.glob(".github/workflows/*.yml"),
    *ROOT.glob("docs/leaderboard-template/.github/workflows/*.yml"),
]


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("mkdocs")
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


@pytest.mark.slow
def test_the_site(site: Path) -> None:
    for page in (ROOT / "docs").glob("*.md"):
        assert (site / f"{page.stem}.html").is_file(), page
    html = (site / "index.html").read_text()
    loaded = re.findall(r'<(?:script|link|img)[^>]+(?:src|href)="(https?:[^"]+)"', html)
    assert loaded == [], "the site loads something from elsewhere"
    index = next(site.glob("search/search_index.js*"))
    found = json.loads(index.read_text().removeprefix("var __index = ").rstrip(";\n"))
    assert any("over-refusal" in entry["text"].lower() for entry in found["docs"])
    api = (site / "api.html").read_text()
    for name in ("load_runs", "summarize", "write_replay", "validate", "clustered_rate"):
        assert name in api


@pytest.mark.parametrize("page", pages(), ids=lambda path: path.name)
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
        if not re.match(r"^[a-z]+:", target):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_every_page_is_in_the_navigation_or_linked_from_there() -> None:
    class Loader(yaml.SafeLoader):
        pass

    Loader.add_multi_constructor("", lambda loader, suffix, node: None)
    content = yaml.load((ROOT / "mkdocs.yml").read_text(), Loader=Loader)
    listed = set(re.findall(r"[\w-]+\.md", json.dumps(content["nav"])))
    there = {path.name for path in (ROOT / "docs").glob("*.md")}
    assert listed <= there
    linked = {
        name
        for page in listed
        for name in re.findall(r"\]\(([\w-]+\.md)", (ROOT / "docs" / page).read_text())
    }
    assert there <= listed | linked


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflows(path: Path) -> None:
    """They parse, grant no more than they need, finish, and never run what a pull request brings with a secret at hand."""
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    triggers = content[True]  # YAML reads the key `on` as true
    assert "pull_request_target" not in triggers
    assert content["permissions"] == {"contents": "read"}
    assert "secrets." not in path.read_text()
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    for name, job in content["jobs"].items():
        assert "timeout-minutes" in job or name == "deploy"
        if "permissions" in job:
            assert name == "deploy"
            assert "pull_request" not in triggers
        for step in job["steps"]:
            assert step.get("uses", "actions/").startswith("actions/")
            for target in re.findall(r"\bmake ([a-z-]+)", step.get("run", "")):
                assert target in targets


def test_dockerfiles_copy_what_exists_and_run_as_a_user() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    dockerfiles = sorted((ROOT / "docker").glob("Dockerfile.*"))
    assert dockerfiles
    for path in dockerfiles:
        text = path.read_text()
        assert re.search(r"^USER safecot$", text, flags=re.MULTILINE)
        assert "latest" not in text
        for line in re.findall(r"^COPY (?!--from)(.+)$", text, flags=re.MULTILINE):
            for source in line.split()[:-1]:
                assert (ROOT / source).exists(), f"{path.name} copies {source}"
                assert f"!{source.split('/')[0]}" in ignored, f".dockerignore keeps {source} out"
