"""The warehouse in a process of its own; `warehouse_process` starts it, and talks to it."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

from providers.databricks.warehouse.faults import Fault, FaultKind, Faults
from providers.databricks.warehouse.local import TOKEN_VARIABLE
from providers.databricks.warehouse.server import Options, Tls, WarehouseError, serving


def main() -> int:
    """Run a warehouse until stdin closes; return the exit status."""
    try:
        with serving(_options(), clock=_now, monotonic=time.monotonic) as running:
            _say({"port": running.port})
            _obey(running.faults)
    except WarehouseError as error:
        _say({"error": str(error)})
        return 2
    return 0


def _options() -> Options:
    given = _parser().parse_args()
    tls = Tls(given.certificate, given.key) if given.certificate and given.key else None
    return Options(
        token=os.environ[TOKEN_VARIABLE],
        directory=given.directory,
        port=given.port,
        tls=tls,
        catalogs=tuple(given.catalog),
        token_life=given.token_life,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="For programs; people run levelhead warehouse.")
    parser.add_argument("--directory", type=Path)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--token-life", type=int, required=True)
    parser.add_argument("--certificate", type=Path)
    parser.add_argument("--key", type=Path)
    parser.add_argument("--catalog", action="append", required=True)
    return parser


def _say(what: dict[str, object]) -> None:
    print(json.dumps(what), flush=True)  # noqa: T201 - the owner reads this line


def _obey(faults: Faults) -> None:
    """Do what each line says, and answer it; return when the owner has closed stdin."""
    for line in sys.stdin:
        order = json.loads(line)
        if "add" in order:
            wanted = order["add"]
            faults.add(Fault(**{**wanted, "kind": FaultKind(wanted["kind"])}))
        else:
            faults.clear()
        _say({"done": True})


def _now() -> datetime:
    return datetime.now(UTC)


def _run() -> NoReturn:
    sys.exit(main())


if __name__ == "__main__":
    _run()
