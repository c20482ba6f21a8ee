"""Starts warehouses for tests, demos and development, here or in a process of their own."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol
from urllib.parse import quote, urlencode

from providers.databricks.warehouse.faults import Fault
from providers.databricks.warehouse.oauth import CLIENT, HOUR
from providers.databricks.warehouse.server import (
    WAREHOUSE_ID,
    Options,
    Tls,
    WarehouseError,
    serving,
)

#: The variable that hands the token to a warehouse process; never its arguments.
TOKEN_VARIABLE = "LEVELHEAD_WAREHOUSE_TOKEN"  # noqa: S105 - the name of a variable

_HTTP_PATH = f"/sql/1.0/warehouses/{WAREHOUSE_ID}"


class Control(Protocol):
    """Makes things go wrong; see `faults`."""

    def add(self, fault: Fault) -> None:
        """Plan *fault*; it counts for requests that arrive after this returns."""
        ...

    def clear(self) -> None:
        """Forget all faults: what waits goes on, and a warehouse that stopped runs again."""
        ...


@dataclass(frozen=True, slots=True)
class Warehouse:
    """A warehouse that takes requests, and how to reach it."""

    port: int
    token: str = field(repr=False)
    control: Control = field(repr=False)
    is_tls: bool
    pid: int  #: of the process that it runs in
    host: str = "127.0.0.1"
    http_path: str = _HTTP_PATH
    warehouse_id: str = WAREHOUSE_ID

    @property
    def origin(self) -> str:
        """The address of its REST API: scheme, host and port."""
        return f"{'https' if self.is_tls else 'http'}://{self.host}:{self.port}"

    def url(self, catalog: str = "main", schema: str = "default") -> str:
        """Return the SQLAlchemy URL; it holds the token. It needs `connect_args` beside it."""
        return self._url(catalog, schema, quote(self.token, ""))

    def target_url(
        self,
        catalog: str = "main",
        schema: str = "default",
        *,
        secret: str | None = None,
        trusted: Path | None = None,
    ) -> str:
        """Return the URL of a target: all that is needed to reach a schema.

        Args:
            catalog: Its catalog.
            schema: The schema.
            secret: Written where the token would stand, as it is; such as a reference to a
                variable. None: the token.
            trusted: As for `connect_args`.
        """
        options = {k: v for k, v in self.connect_args(trusted).items() if k != "enable_telemetry"}
        return f"{self._url(catalog, schema, secret or quote(self.token, ''))}&{urlencode(options)}"

    def machine_url(self, catalog: str = "main", schema: str = "default") -> str:
        """Return the URL of a target that signs in as the service principal, by OAuth."""
        return self.target_url(catalog, schema).replace("//token:", f"//{CLIENT}:")

    def connect_args(self, trusted: Path | None = None) -> dict[str, str | int | bool]:
        """Return what the client needs beside host, path and token.

        Args:
            trusted: File with the certificate authority that signed the warehouse's
                certificate; for one that speaks https.
        """
        # With telemetry, connecting asks port 443 first and waits for half a minute.
        common: dict[str, str | int | bool] = {"enable_telemetry": False}
        if not self.is_tls:
            return {**common, "_connection_uri": self.origin + self.http_path}
        trust = {"_tls_trusted_ca_file": str(trusted)} if trusted else {}
        return {**common, "_port": self.port, **trust}

    def _url(self, catalog: str, schema: str, secret: str) -> str:
        path, names = quote(self.http_path, ""), f"catalog={catalog}&schema={schema}"
        return f"databricks://token:{secret}@{self.host}:{self.port}?http_path={path}&{names}"


@contextmanager
def local_warehouse(
    *,
    directory: Path | None = None,
    token: str | None = None,
    tls: Tls | None = None,
    port: int = 0,
    catalogs: tuple[str, ...] = ("main",),
    token_life: int = HOUR,
) -> Iterator[Warehouse]:
    """Run a warehouse in threads of this process for the block.

    For more than a few sessions `warehouse_process` is better: threads of Python share one
    processor with whoever uses them.

    Args:
        directory: Where it keeps everything; None: in memory.
        token: What clients must present; None: one that nobody could guess.
        tls: Certificate and key; None: plain http.
        port: 0 takes a free one.
        catalogs: Those of a new warehouse; the first is the default.
        token_life: Seconds for which the OAuth tokens of its service principal are valid.

    Raises:
        WarehouseError: The port is taken, the directory is in use or cannot be used, or
            certificate and key are none.
    """
    options = _options(
        directory, token=token, tls=tls, port=port, catalogs=catalogs, token_life=token_life
    )
    with serving(options, clock=_now, monotonic=time.monotonic) as running:
        yield Warehouse(running.port, options.token, running.faults, tls is not None, os.getpid())


@contextmanager
def warehouse_process(
    *,
    directory: Path | None = None,
    token: str | None = None,
    tls: Tls | None = None,
    port: int = 0,
    catalogs: tuple[str, ...] = ("main",),
    token_life: int = HOUR,
) -> Iterator[Warehouse]:
    """Run a warehouse in a process of its own for the block.

    It ends with this process, however this process ends. Arguments and errors are those of
    `local_warehouse`. It may be killed by its `pid`; the block does not mind.
    """
    options = _options(
        directory, token=token, tls=tls, port=port, catalogs=catalogs, token_life=token_life
    )
    process = subprocess.Popen(  # noqa: S603 - our own module, with our own arguments
        # -P: what lies in the working directory is not ours, whatever its name.
        [sys.executable, "-P", "-m", "providers.databricks.warehouse", *_arguments(options)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, TOKEN_VARIABLE: options.token},
        start_new_session=True,  # Ctrl-C is for the owner; the warehouse waits for its end
    )
    with process:
        pipe = _Pipe(process)
        started = json.loads(pipe.read() or '{"error": "the warehouse process died"}')
        if "error" in started:
            raise WarehouseError(started["error"])
        yield Warehouse(started["port"], options.token, pipe, tls is not None, process.pid)


def _options(
    directory: Path | None,
    *,
    token: str | None,
    tls: Tls | None,
    port: int,
    catalogs: tuple[str, ...],
    token_life: int,
) -> Options:
    return Options(
        token=token or secrets.token_urlsafe(24),
        directory=directory,
        port=port,
        tls=tls,
        catalogs=catalogs,
        token_life=token_life,
    )


def _arguments(options: Options) -> list[str]:
    found = ["--port", str(options.port), "--token-life", str(options.token_life)]
    if options.directory:
        found += ["--directory", str(options.directory)]
    if options.tls:
        found += ["--certificate", str(options.tls.certificate), "--key", str(options.tls.key)]
    for catalog in options.catalogs:
        found += ["--catalog", catalog]
    return found


class _Pipe:
    """The control of a warehouse process: a line of JSON for each order, a line back."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._lock = threading.Lock()

    def add(self, fault: Fault) -> None:
        self._order({"add": asdict(fault)})

    def clear(self) -> None:
        self._order({"clear": {}})

    def read(self) -> str:
        """Return the next line; empty once the process has ended."""
        return self._process.stdout.readline() if self._process.stdout else ""

    def _order(self, order: dict[str, object]) -> None:
        with self._lock:
            if self._process.stdin:
                self._process.stdin.write(json.dumps(order) + "\n")
                self._process.stdin.flush()
            self.read()


def _now() -> datetime:
    return datetime.now(UTC)
