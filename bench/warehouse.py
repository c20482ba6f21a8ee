"""A local SQL warehouse in a process of its own, with schemas for targets."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from typing import TypeAlias
from urllib.parse import urlencode

from databricks import sql

from providers.databricks.warehouse import Warehouse, warehouse_process

#: Makes so many new, empty schemas, and returns their URLs.
NewSchemas: TypeAlias = Callable[[int], Sequence[str]]


@contextmanager
def running_warehouse() -> Iterator[NewSchemas]:
    """Run a warehouse in memory for the block."""
    numbers = count()
    with warehouse_process() as warehouse:
        arguments = urlencode(warehouse.connect_args())

        def new_schemas(many: int) -> Sequence[str]:
            names = [f"bench_{next(numbers)}" for _ in range(many)]
            _create(warehouse, names)
            return [f"{warehouse.url(schema=name)}&{arguments}" for name in names]

        yield new_schemas


def _create(warehouse: Warehouse, names: Sequence[str]) -> None:
    connection = sql.connect(
        server_hostname=warehouse.host,
        http_path=warehouse.http_path,
        access_token=warehouse.token,
        **warehouse.connect_args(),
    )
    with connection, connection.cursor() as cursor:
        for name in names:
            cursor.execute(f"CREATE SCHEMA {name}")
