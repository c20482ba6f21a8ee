"""The list of providers. An adapter is imported on first use, so each stays optional."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from importlib.metadata import entry_points

from providers.base import Provider
from providers.errors import UnknownDialectError

#: provider name -> import string of its class
BUILT_IN: Mapping[str, str] = {
    "databricks": "providers.databricks.provider:DatabricksProvider",
    "lakebase": "providers.lakebase.provider:LakebaseProvider",
    "memory": "providers.memory:MemoryProvider",
    "postgresql": "providers.postgres.provider:PostgresProvider",
}

#: provider name -> the dialect of its targets, where that has another name
DIALECTS: Mapping[str, str] = {"lakebase": "postgresql"}

#: provider name -> the extra that brings its driver; the drivers of others come with levelhead
EXTRAS: Mapping[str, str] = {"databricks": "databricks", "lakebase": "lakebase"}

#: Third parties register ``name = "package.module:ProviderClass"`` under this group.
ENTRY_POINT_GROUP = "levelhead.providers"


def known_providers() -> Mapping[str, str]:
    """Return provider name -> import string, entry points included; ours win."""
    found = {point.name: point.value for point in entry_points(group=ENTRY_POINT_GROUP)}
    return {**found, **BUILT_IN}


def is_known(name: str) -> bool:
    """Tell whether there is a provider called *name*, ours or that of another package."""
    return name in BUILT_IN or name in known_providers()


def dialect_of(provider: str) -> str:
    """Return the SQL that targets of a provider take, as SQLAlchemy names it."""
    return DIALECTS.get(provider, provider)


def load_provider(name: str, known: Mapping[str, str]) -> Provider:
    """Import and build the provider called *name*.

    Raises:
        UnknownDialectError: *known* does not have it, or its driver is not installed.
    """
    if name not in known:
        choices = ", ".join(sorted(known))
        raise UnknownDialectError(f"no provider for dialect {name!r}; choose one of {choices}")
    module, _, kind = known[name].partition(":")
    try:
        provider: Provider = getattr(import_module(module), kind)()
    except ImportError as error:
        raise UnknownDialectError(
            f"the provider for {name!r} needs {error.name!r}, which is not installed{_remedy(name)}"
        ) from error
    return provider


def _remedy(name: str) -> str:
    extra = EXTRAS.get(name)
    return f"; pip install 'levelhead[{extra}]'" if extra else ""
