"""The list of providers. An adapter is imported on first use, so each stays optional."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import entry_points

from providers.base import Provider
from providers.errors import UnknownDialectError

#: dialect name -> import string of the provider class
BUILT_IN: Mapping[str, str] = {
    "databricks": "providers.databricks.provider:DatabricksProvider",
    "memory": "providers.memory:MemoryProvider",
    "postgresql": "providers.postgres.provider:PostgresProvider",
}

#: dialect name -> the extra that brings its driver; the drivers of others come with levelhead
EXTRAS: Mapping[str, str] = {"databricks": "databricks"}

#: Third parties register ``dialect = "package.module:ProviderClass"`` under this group.
ENTRY_POINT_GROUP = "levelhead.providers"


def known_providers() -> Mapping[str, str]:
    """Return dialect name -> import string, entry points included; ours win."""
    found = {point.name: point.value for point in entry_points(group=ENTRY_POINT_GROUP)}
    return {**found, **BUILT_IN}


def load_provider(dialect: str, known: Mapping[str, str]) -> Provider:
    """Import and build the provider for *dialect*.

    Raises:
        UnknownDialectError: *known* does not name the dialect, or its driver is
            not installed.
    """
    if dialect not in known:
        choices = ", ".join(sorted(known))
        raise UnknownDialectError(f"no provider for dialect {dialect!r}; choose one of {choices}")
    module, _, name = known[dialect].partition(":")
    try:
        provider: Provider = getattr(import_module(module), name)()
    except ImportError as error:
        raise UnknownDialectError(
            f"the provider for {dialect!r} needs {error.name!r}, which is not installed"
            f"{_remedy(dialect)}"
        ) from error
    return provider


def _remedy(dialect: str) -> str:
    extra = EXTRAS.get(dialect)
    return f"; pip install 'levelhead[{extra}]'" if extra else ""
