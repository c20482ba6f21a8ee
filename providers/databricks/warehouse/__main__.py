"""Runs a warehouse in this process: `python -m providers.databricks.warehouse --help`."""

from __future__ import annotations

import argparse
import json
import os
import secrets
import signal
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

from providers.databricks.warehouse.faults import Fault, FaultKind, Faults
from providers.databricks.warehouse.local import TOKEN_VARIABLE
from providers.databricks.warehouse.server import Options, Tls, WarehouseError, serving


def main(arguments: list[str] | None = None) -> int:
    """Run a warehouse until it is told to end; return the exit status."""
    given = _parser().parse_args(arguments)
    options = _options(given)
    ended = _ended_by_signal() if not given.controlled else None
    try:
        with serving(options, clock=_now, monotonic=time.monotonic) as running:
            _say({"port": running.port, "http_path": "/sql/1.0/warehouses/local"})
            if ended is None:
                _obey(running.faults)
            else:
                os.read(ended, 1)
    except WarehouseError as error:
        if given.controlled:
            _say({"error": str(error)})
        else:
            print(f"warehouse: {error}", file=sys.stderr)  # noqa: T201 - this is a program
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m providers.databricks.warehouse",
        description="A local SQL warehouse that Databricks' own client talks to.",
        epilog=f"Clients present the token in {TOKEN_VARIABLE}; without one, a new token is shown.",
    )
    parser.add_argument("--directory", type=Path, help="keep everything here; else in memory")
    parser.add_argument("--port", type=int, default=0, help="0, the default, takes a free one")
    parser.add_argument("--certificate", type=Path, help="speak https with this certificate (PEM)")
    parser.add_argument("--key", type=Path, help="the certificate's key (PEM)")
    parser.add_argument("--catalog", action="append", help="of a new warehouse; default: main")
    parser.add_argument(
        "--controlled",
        action="store_true",
        help="take faults as lines of JSON from stdin, and end when it closes",
    )
    return parser


def _options(given: argparse.Namespace) -> Options:
    token = os.environ.get(TOKEN_VARIABLE)
    if not token:
        token = secrets.token_urlsafe(24)
        _say({"token": token})
    tls = Tls(given.certificate, given.key) if given.certificate and given.key else None
    return Options(
        token=token,
        directory=given.directory,
        port=given.port,
        tls=tls,
        catalogs=tuple(given.catalog or ("main",)),
    )


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


def _ended_by_signal() -> int:
    """Return the end of a pipe into which Ctrl-C and SIGTERM write from now on.

    A lock would not do: a handler runs between two instructions of whoever takes it.
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    return reader


def _now() -> datetime:
    return datetime.now(UTC)


def _run() -> NoReturn:
    sys.exit(main())


if __name__ == "__main__":
    _run()
