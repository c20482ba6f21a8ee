"""A local SQL warehouse that the unmodified Databricks client talks to.

It takes the place of a workspace in tests, demos and development. DuckDB holds rows; the
rules of Databricks are in a catalog model of its own. Its limits: docs/reference/warehouse.md.
"""

from providers.databricks.warehouse.faults import Fault, FaultKind
from providers.databricks.warehouse.local import (
    Control,
    Warehouse,
    local_warehouse,
    warehouse_process,
)
from providers.databricks.warehouse.server import Tls, WarehouseError

__all__ = [
    "Control",
    "Fault",
    "FaultKind",
    "Tls",
    "Warehouse",
    "WarehouseError",
    "local_warehouse",
    "warehouse_process",
]
