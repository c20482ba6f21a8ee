"""The pages: links lead somewhere, and tables are those of the code."""

from __future__ import annotations

import re
import runpy
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from sync.events.kinds import Kind
from sync.settings import load_settings
from tests.support import matrix

ROOT = Path(__file__).resolve().parents[2]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
LINK = re.compile(r"\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def named(page: Path) -> str:
    """Name a page as people do."""
    return page.relative_to(ROOT).as_posix()


@pytest.fixture(scope="module")
def generator() -> dict[str, Any]:
    """Give what `docs/generate.py` defines."""
    return runpy.run_path(str(ROOT / "docs" / "generate.py"))


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_links_lead_somewhere(page: Path) -> None:
    """Every link to another page, a heading or a file of this repository resolves."""
    assert [link for link in links(page) if not resolves(page, link)] == []


def links(page: Path) -> Iterator[str]:
    """Yield the links that stay in this repository."""
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    return (link for link in LINK.findall(text) if "://" not in link)


def resolves(page: Path, link: str) -> bool:
    """Tell whether *link* on *page* leads to a file, and to a heading in it where it names one."""
    path, _, anchor = link.partition("#")
    target = (page.parent / path).resolve() if path else page
    return target.exists() and (not anchor or anchor in anchors(target))


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings."""
    headings = re.findall(
        r"^#+ (.+)$", FENCE.sub("", page.read_text(encoding="utf-8")), re.MULTILINE
    )
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_page_is_reached_from_the_index() -> None:
    """No page of the documentation is left out of its table of contents."""
    listed = {(ROOT / "docs" / link.partition("#")[0]) for link in links(ROOT / "docs/index.md")}
    pages = set((ROOT / "docs").rglob("*.md")) - {ROOT / "docs/index.md"}
    assert sorted(map(named, pages - listed)) == []


@pytest.mark.parametrize("name", ["events.md", "errors.md", "api.md"])
def test_generated_tables_are_current(name: str, generator: dict[str, Any]) -> None:
    """A table says what the code says: else run python docs/generate.py."""
    page = (ROOT / "docs" / "reference" / name).read_text(encoding="utf-8")
    assert generator["rewrite"](page, generator["PAGES"][name]()) == page


def test_the_kill_matrix_is_current() -> None:
    """The page shows what the tests of kills compare with."""
    page = matrix.PAGE.read_text(encoding="utf-8")
    assert matrix.written(page) == page


def test_every_kind_of_event_is_explained(generator: dict[str, Any]) -> None:
    """The page of events explains each kind, and none that is gone."""
    assert set(generator["MEANINGS"]) == set(Kind)


@pytest.mark.parametrize("page", ["README.md", "docs/tutorial.md"])
def test_examples_of_the_configuration_are_valid(page: str, tmp_path: Path) -> None:
    """The levelhead.toml that a newcomer copies is accepted."""
    text = (ROOT / page).read_text(encoding="utf-8")
    (example,) = re.findall(r"^```toml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    (tmp_path / "levelhead.toml").write_text(example)
    (tmp_path / "alembic.ini").touch()
    environ = dict.fromkeys(re.findall(r"\$\{(\w+)\}", example), "secret")
    settings = load_settings(None, environ, tmp_path)
    assert len(settings.targets) == len(tomllib.loads(example)["target"])


def test_the_picture_fetches_nothing() -> None:
    """The picture is well-formed, and brings along all that it shows."""
    picture = (ROOT / "docs" / "overview.svg").read_text(encoding="utf-8")
    ET.fromstring(picture)  # noqa: S314 - our own file
    assert not re.search(r"href|url\(http|@import|<image", picture)
