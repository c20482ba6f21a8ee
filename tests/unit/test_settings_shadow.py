from __future__ import annotations

from pathlib import Path

import pytest

from providers.errors import ConfigError
from sync.settings import History, load_settings

HISTORY = '[[history]]\nname = "app"\nconfig = "alembic.ini"\n'


def load(folder: Path, shadow: str) -> History:
    """Return a history with this line of settings."""
    (folder / "alembic.ini").touch()
    (folder / "levelhead.toml").write_text(f"{HISTORY}{shadow}\n")
    environ = {"PASSWORD": "p@ss/word", "TOKEN": "t?ken"}
    return load_settings(None, environ, folder).histories["app"]


@pytest.mark.parametrize(
    ("text", "postgresql", "databricks"),
    [
        ("", "auto", "auto"),
        ('shadow = "auto"', "auto", "auto"),
        ('shadow = "none"', "none", "none"),
        ('shadow = "target"', "target", "target"),
        ('shadow = "postgresql://u:p@h/d"', "postgresql://u:p@h/d", "auto"),
        (
            'shadow = "postgresql+asyncpg://u:${PASSWORD}@h/d"',
            "postgresql+asyncpg://u:p%40ss%2Fword@h/d",
            "auto",
        ),
        (
            'shadow = { databricks = "databricks://token:${TOKEN}@h?http_path=p" }',
            "auto",
            "databricks://token:t%3Fken@h?http_path=p",
        ),
        (
            'shadow = { databricks = "none", postgresql = "file:place" }',
            "postgresql://from:file@h/d",
            "none",
        ),
    ],
)
def test_place(tmp_path: Path, text: str, postgresql: str, databricks: str) -> None:
    """A word is for every dialect, a URL for its own; a table says it for each."""
    (tmp_path / "place").write_text("postgresql://from:file@h/d\n")
    shadow = load(tmp_path, text).shadow
    assert shadow.place("postgresql") == postgresql
    assert shadow.place("databricks") == databricks


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('"hunter2"', 'must be "auto", "none", "target", or the URL of a server'),
        ('"://hunter2"', "is not a database URL"),
        ("7", 'must be "auto", "none", "target", or the URL'),
        ('["postgresql://h"]', "or a table of these by dialect"),
        ('"postgrsql://hunter2@h"', 'dialect "postgrsql" (did you mean "postgresql"?)'),
        ('"sqlite://hunter2"', 'no provider for dialect "sqlite"; known are databricks, '),
        ('{ postgres = "auto" }', 'dialect "postgres" (did you mean "postgresql"?)'),
        ("{ postgresql = 7 }", 'postgresql must be "auto"'),
        ('{ postgresql = "databricks://hunter2@h" }', 'of that dialect, not of "databricks"'),
        ('"postgresql://${MISSING}@h"', "environment variable MISSING is not set"),
    ],
)
def test_mistakes(tmp_path: Path, text: str, said: str) -> None:
    """A place that makes no sense is one line that repeats no value."""
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, f"shadow = {text}")
    (line,) = str(caught.value).splitlines()
    place = f'{tmp_path / "levelhead.toml"}: history "app".shadow: '
    assert line.startswith(place)
    assert said in line
    assert "hunter2" not in line.removeprefix(place)


def test_secrets_are_known_and_hidden(tmp_path: Path) -> None:
    """Passwords for shadows are secrets like those of targets, in each spelling."""
    load(tmp_path, 'shadow = { postgresql = "postgresql://u:${PASSWORD}@h/d" }')
    settings = load_settings(None, {"PASSWORD": "p@ss/word"}, tmp_path)
    assert settings.secrets() == {"p@ss/word", "p%40ss%2Fword"}
    assert "word" not in repr(settings)
