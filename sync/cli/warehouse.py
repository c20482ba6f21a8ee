"""The command `warehouse`: a local SQL warehouse in this process, until a signal ends it."""

from __future__ import annotations

import asyncio
import re
import signal
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from providers.errors import ConfigError

#: What runs the warehouse: named by string, because `sync` imports no adapter.
STAND_IN = "providers.databricks.warehouse"

#: The variable with the token that clients present.
VARIABLE = "LEVELHEAD_WAREHOUSE_TOKEN"

#: How the URL of a target in `levelhead.toml` names it.
REFERENCE = f"${{{VARIABLE}}}"

SIGNALS = (signal.SIGTERM, signal.SIGINT)

#: The options with the two files that https needs, and their values.
PAIR = ("--certificate", "--key")
Pair: TypeAlias = tuple[Path | None, Path | None]

_CATALOG = re.compile(r"[a-z_][a-z0-9_]*")
_TOKEN = re.compile(r"[!-~]+")  # travels in a header


class Warehouse(Protocol):
    """What is asked of a warehouse that runs."""

    @property
    def origin(self) -> str:
        """Scheme, host and port."""

    @property
    def token(self) -> str:
        """What clients present."""

    def target_url(
        self, catalog: str = "main", schema: str = "default", *, secret: str | None = None
    ) -> str:
        """Return the URL of a target; *secret* is written where the token would stand."""


async def run_warehouse(
    port: int,
    directory: Path | None,
    files: Pair,
    catalogs: Sequence[str],
    environ: Mapping[str, str],
) -> int:
    """Run a warehouse until SIGTERM or SIGINT; a second signal ends the process at once.

    Args:
        port: Of 127.0.0.1; 0 takes a free one.
        directory: Where it keeps everything; None: in memory.
        files: Certificate and key, in PEM form, which make it speak https; None and None: http.
        catalogs: Those of a new warehouse, the first being the default; empty: `main`.
        environ: May hold the token; else a new one is made, and shown.

    Raises:
        ConfigError: It cannot start as it is told to.
    """
    names = tuple(map(checked_catalog, catalogs)) or ("main",)
    token = checked_token(environ.get(VARIABLE))
    check_pair(files)
    stand_in = load_stand_in("warehouse")
    tls = stand_in.Tls(*files) if all(files) else None
    ended = told_to_end()
    with stand_in.local_warehouse(
        directory=directory, token=token, tls=tls, port=port, catalogs=names
    ) as warehouse:
        announce(warehouse, directory)
        if token is None:
            tell(f"export {VARIABLE}={warehouse.token}")
        tell(f'url = "{warehouse.target_url(names[0], secret=REFERENCE)}"')
        await ended.wait()
    return 0


def load_stand_in(extra: str) -> Any:  # noqa: ANN401 - a module that is not always there
    """Return the stand-in's module.

    Raises:
        ConfigError: What it needs is not installed; *extra* brings it.
    """
    try:
        return import_module(STAND_IN)
    except ImportError as error:
        raise ConfigError(
            f"a local SQL warehouse needs {error.name!r}, which is not installed; "
            f"pip install 'levelhead[{extra}]'"
        ) from error


def checked_catalog(name: str) -> str:
    """Return *name* in lower case, as warehouses keep it.

    Raises:
        ConfigError: It is no name, or that of the catalog that each warehouse has.
    """
    lowered = name.lower()
    if not _CATALOG.fullmatch(lowered) or lowered == "system":
        raise ConfigError(
            f"--catalog: {name!r} cannot be a catalog; "
            "choose a name of letters, digits and _, other than system"
        )
    return lowered


def checked_token(given: str | None) -> str | None:
    """Return the token to ask for; None where none was given.

    Raises:
        ConfigError: No client could send it.
    """
    if given and not _TOKEN.fullmatch(given):
        raise ConfigError(f"{VARIABLE}: a token is printable ASCII without blanks")
    return given or None


def check_pair(files: Pair) -> None:
    """Require both or neither.

    Raises:
        ConfigError: One is missing.
    """
    missing = [name for name, file in zip(PAIR, files, strict=True) if file is None]
    if len(missing) == 1:
        raise ConfigError(f"{missing[0]} is missing; {' and '.join(PAIR)} go together")


def told_to_end() -> asyncio.Event:
    """Return what the first SIGTERM or SIGINT sets; the second ends the process."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()

    def end() -> None:
        for number in SIGNALS:
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)
        ended.set()

    for number in SIGNALS:
        loop.add_signal_handler(number, end)
    return ended


def announce(warehouse: Warehouse, directory: Path | None) -> None:
    """Say where it is."""
    kept = "in memory" if directory is None else f"in {directory}"
    tell(f"a SQL warehouse listens on {warehouse.origin} and keeps everything {kept}")


def tell(line: str) -> None:
    """Print *line* at once."""
    print(line, flush=True)  # noqa: T201 - what a person waits for
