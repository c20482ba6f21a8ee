"""Targets on a local SQL warehouse, as a configuration names them: by URL alone."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlencode

from providers.databricks.warehouse import Warehouse


def url_of(
    warehouse: Warehouse,
    catalog: str = "main",
    schema: str = "default",
    *,
    trusted: Path | None = None,
) -> str:
    """Return the URL of a schema, with all that the client needs to reach it."""
    return f"{warehouse.url(catalog, schema)}&{urlencode(warehouse.connect_args(trusted))}"


def moved(url: str, old: int, new: int) -> str:
    """Return *url* with another port, wherever it names one."""
    return url.replace(f":{old}", f":{new}").replace(f"%3A{old}", f"%3A{new}")
