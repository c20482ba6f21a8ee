from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from providers.types import Policy
from sync.settings.tenants import Over
from tests.unit.test_settings import HISTORY, folder, load, mistakes

__all__ = ["folder"]  # a fixture

PATTERN = (
    HISTORY + '[[tenants]]\nname = "shop"\nhistory = "app"\nurl = "postgresql://u:pw@db/shops"\n'
)
ALL = "schemas, schemas_query, databases, databases_query"


def test_pattern(folder: Path) -> None:
    """A pattern has all that a target has, and says what its targets are."""
    more = (
        'schemas = "tenant\\\\_%"\ntarget = "s.{schema}"\npolicy = "approve"\nlock_timeout = "2s"\n'
    )
    pattern = load(folder, f'{PATTERN}{more}labels = {{ a = "b" }}').tenants["shop"]
    assert (pattern.over, pattern.like, pattern.query) == (Over.SCHEMA, r"tenant\_%", None)
    assert pattern.name_of("x") == "s.x"
    assert (pattern.model.policy, pattern.model.labels) == (Policy.APPROVE, {"a": "b"})
    assert pattern.model.lock_timeout == timedelta(seconds=2)
    assert (pattern.model.name, pattern.model.tenants) == ("shop", "shop")


def test_targets_are_named_after_the_pattern(folder: Path) -> None:
    """Without a word on it, a target has the pattern's name in front of its own."""
    for key, over in (("schemas_query", Over.SCHEMA), ("databases", Over.DATABASE)):
        pattern = load(folder, f'{PATTERN}{key} = "x"').tenants["shop"]
        assert (pattern.over, pattern.name_of("eu")) == (over, "shop-eu")


def test_schema_in_each_database(folder: Path) -> None:
    """Where databases are looked for, each target has the schema that the pattern names."""
    pattern = load(folder, f'{PATTERN}databases = "shop_%"\nschema = "app"').tenants["shop"]
    assert (pattern.model.schema, pattern.asked.schema) == ("app", None)


def test_secrets_of_patterns(folder: Path) -> None:
    """The password in a pattern's URL is a secret like that of a target."""
    settings = load(folder, f'{PATTERN}schemas = "x"')
    assert "pw" in settings.secrets()
    assert "pw@" not in repr(settings)


@pytest.mark.parametrize(
    ("more", "line"),
    [
        ("", f"needs one of {ALL}: there is nothing to look for"),
        (
            'schemas = "a"\ndatabases_query = "SELECT 1"',
            "schemas and databases_query exclude each other; keep one",
        ),
        ('schemas = "a"\nschema = "b"', "schema and schemas exclude each other; take schema out"),
        (
            'schemas = "a"\ntarget = "shop"',
            'target must be {schema} among letters, digits, _ . -, found "shop"',
        ),
        (
            'databases = "a"\ntarget = "shop {database}"',
            'target must be {database} among letters, digits, _ . -, found "shop {database}"',
        ),
        (
            'databases = "a"\ntarget = "shop-{schema}"',
            'target must be {database} among letters, digits, _ . -, found "shop-{schema}"',
        ),
    ],
)
def test_pattern_that_makes_no_sense(folder: Path, more: str, line: str) -> None:
    """A pattern says one thing to look for, and how to name what is found."""
    assert mistakes(folder, PATTERN + more) == [f'tenants "shop": {line}']


@pytest.mark.parametrize(
    ("more", "line"),
    [
        ("schemas = 'a\\'", ".schemas: must not end in a backslash: that takes the meaning"),
        ('schemas = ""', ".schemas: must be a LIKE pattern such as"),
        ('databases_query = ""', ".databases_query: must have at least 1 character"),
        ('schemata = "a"', '.schemata: unknown key (did you mean "schema'),
        ('schemas = "a"\nlist_timeout = "0s"', ".list_timeout: must be longer than nothing"),
    ],
)
def test_bad_value(folder: Path, more: str, line: str) -> None:
    """A mistake in a value is told as in any other table."""
    found = mistakes(folder, PATTERN + more)
    assert any(each.startswith(f'tenants "shop"{line}') for each in found), found


def test_backslashes_in_pairs(folder: Path) -> None:
    """A backslash that another one protects may stand at the end."""
    assert load(folder, PATTERN + "schemas = 'a\\\\'").tenants["shop"].like == "a\\\\"


def test_name_of_a_target(folder: Path) -> None:
    """A selection could not tell a pattern from a target of its name."""
    target = '[[target]]\nname = "shop"\nhistory = "app"\nurl = "postgresql://db/eu"\n'
    assert mistakes(folder, f'{PATTERN}schemas = "x"\n{target}') == [
        'tenants "shop": a target has this name too'
    ]


def test_one_version_table_for_all(folder: Path) -> None:
    """Schemas whose version table stands in one place cannot be told apart."""
    text = PATTERN.replace(HISTORY, f'{HISTORY}version_table_schema = "meta"\n')
    (line,) = mistakes(folder, f'{text}schemas = "x"')
    assert line == (
        'tenants "shop": its targets would share one version table, since history "app" says '
        'version_table_schema = "meta"; take that out'
    )
    assert load(folder, f'{text}databases = "x"').tenants
