"""The demo's SQL warehouse: in a process of its own, started while other things start."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

from sync.cli.warehouse import Warehouse, load_stand_in


@contextmanager
def throwaway_warehouse() -> Iterator[Future[Warehouse]]:
    """Start a warehouse for the block; it ends with this process too, however that ends.

    The future gives the warehouse once it takes requests, or raises ConfigError where it
    could not start.
    """
    with ExitStack() as running, ThreadPoolExecutor(max_workers=1) as threads:
        yield threads.submit(_start, running)


def _start(running: ExitStack) -> Warehouse:
    warehouse: Warehouse = running.enter_context(load_stand_in("demo").warehouse_process())
    return warehouse
