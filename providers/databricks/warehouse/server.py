"""A running warehouse in this process: database, sessions, threads and a port."""

from __future__ import annotations

import fcntl
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import IO

import duckdb

from providers.databricks.warehouse.engine import Engine
from providers.databricks.warehouse.faults import Faults
from providers.databricks.warehouse.oauth import HOUR, Doorman
from providers.databricks.warehouse.operations import Operations
from providers.databricks.warehouse.session import LocalEngine
from providers.databricks.warehouse.storage import FILE, Storage
from providers.databricks.warehouse.stored_log import StoredLog
from providers.databricks.warehouse.wire import Front, HttpServer
from providers.errors import ConfigError

#: The id of the one warehouse, which ends its HTTP path.
WAREHOUSE_ID = "local"


class WarehouseError(ConfigError):
    """A warehouse could not be started."""


@dataclass(frozen=True, slots=True)
class Tls:
    """Files in PEM form that make the warehouse speak https."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a warehouse is started with."""

    token: str = field(repr=False)
    token_life: int = HOUR  #: seconds for which OAuth tokens are valid
    directory: Path | None = None  #: where it keeps everything; None: in memory
    port: int = 0  #: 0: a free one
    tls: Tls | None = None  #: None: plain http
    catalogs: tuple[str, ...] = ("main",)  #: those of a new warehouse; the first is the default


@dataclass(frozen=True, slots=True)
class Running:
    """A warehouse that takes requests."""

    port: int
    faults: Faults


@contextmanager
def serving(
    options: Options, *, clock: Callable[[], datetime], monotonic: Callable[[], float]
) -> Iterator[Running]:
    """Run a warehouse in threads of this process for the block.

    Raises:
        WarehouseError: The port is taken, the directory is in use or cannot be used, or
            certificate and key are none.
    """
    with _directory(options.directory) as directory:
        storage = _storage(directory, options.catalogs)
        try:
            log = StoredLog(storage, clock)
            with listening(options, LocalEngine(storage, log, clock), monotonic) as running:
                yield running
            log.close()
        finally:
            storage.close()


@contextmanager
def listening(
    options: Options, engine: Engine, monotonic: Callable[[], float]
) -> Iterator[Running]:
    """Take requests for *engine* in threads of this process for the block.

    Args:
        options: Token, port and TLS; the first catalog is that of sessions which name none.
        engine: What runs the statements.
        monotonic: Seconds; only differences count.

    Raises:
        WarehouseError: The port is taken, or certificate and key are none.
    """
    operations = Operations(engine, options.catalogs[0], monotonic)
    doorman = Doorman(options.token, options.token_life, clock=time.time, monotonic=monotonic)
    front = Front(WAREHOUSE_ID, doorman, operations, engine.log)
    try:
        server = _server(options, front)
    except WarehouseError:
        operations.close()
        raise
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield Running(server.server_address[1], operations.faults)
    finally:
        server.close()
        thread.join()
        operations.close()


def _server(options: Options, front: Front) -> HttpServer:
    context = _context(options.tls)
    try:
        return HttpServer(options.port, front, context)
    except OSError as error:
        raise WarehouseError(
            f"cannot listen on 127.0.0.1 port {options.port}: {_reason(error)}; choose another port"
        ) from error


def _context(tls: Tls | None) -> ssl.SSLContext | None:
    if tls is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(tls.certificate, tls.key)
    except OSError as error:
        raise WarehouseError(
            f"certificate {tls.certificate} and key {tls.key}: {_reason(error)}; "
            "both are files in PEM form"
        ) from error
    return context


def _storage(directory: Path | None, catalogs: tuple[str, ...]) -> Storage:
    try:
        return Storage(directory, catalogs)
    except duckdb.Error as error:
        raise WarehouseError(
            f"{directory}: {FILE} cannot be opened as a warehouse's; choose another directory"
        ) from error


@contextmanager
def _directory(directory: Path | None) -> Iterator[Path | None]:
    """Keep other warehouses out of *directory* for the block."""
    if directory is None:
        yield None
        return
    with _lock_file(directory) as lock:
        _lock(lock, directory)
        yield directory


def _lock_file(directory: Path) -> IO[str]:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        return (directory / "lock").open("w")
    except OSError as error:
        raise WarehouseError(
            f"cannot keep a warehouse in {directory}: {_reason(error)}; choose another directory"
        ) from error


def _lock(lock: IO[str], directory: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise WarehouseError(f"{directory}: another warehouse uses this directory") from error


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
