from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest

from providers import registry
from providers.base import Provider
from providers.errors import UnknownDialectError
from providers.registry import (
    BUILT_IN,
    ENTRY_POINT_GROUP,
    dialect_of,
    known_providers,
    load_provider,
)


@pytest.mark.parametrize("dialect", BUILT_IN)
def test_built_in(dialect: str) -> None:
    """Each built-in import string leads to a provider of the dialect that goes with its name."""
    provider = load_provider(dialect, BUILT_IN)
    assert isinstance(provider, Provider)
    assert provider.dialect == dialect_of(dialect)


def test_entry_points(monkeypatch: pytest.MonkeyPatch) -> None:
    """Third parties add a dialect by an entry point; they cannot replace ours."""
    points = [
        EntryPoint("duckdb", "elsewhere:Duck", ENTRY_POINT_GROUP),
        EntryPoint("postgresql", "elsewhere:Impostor", ENTRY_POINT_GROUP),
    ]
    monkeypatch.setattr(registry, "entry_points", lambda group: points if group else [])
    assert known_providers() == {**BUILT_IN, "duckdb": "elsewhere:Duck"}


def test_unknown_dialect() -> None:
    """A dialect without a provider is named, together with the choices."""
    with pytest.raises(
        UnknownDialectError,
        match="'oracle'; choose one of databricks, lakebase, memory, postgresql",
    ):
        load_provider("oracle", BUILT_IN)


def test_missing_driver() -> None:
    """A provider whose driver is not installed says which one it needs."""
    with pytest.raises(UnknownDialectError, match="needs 'no_such_driver', which is not installed"):
        load_provider("x", {"x": "no_such_driver:Provider"})
