"""The command `serve`: runtime, clock and API in one process, until a signal ends it."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import signal
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from importlib import import_module

import uvicorn

from providers.errors import ConfigError
from sync.cli.words import span
from sync.events.kinds import Kind
from sync.runtime import Runtime
from sync.schedule import ticking
from sync.scrub import ScrubbingFormatter
from sync.settings import Settings

#: What the API runs: named by string, because `sync` may not import `api`.
APP = "api.main:create_app"

#: How long requests in flight may still take once the service was told to end.
REQUEST_GRACE = timedelta(seconds=5)

BACKLOG = 128
SIGNALS = (signal.SIGTERM, signal.SIGINT)
LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


async def serve_until_told(settings: Settings, host: str, port: int) -> int:
    """Serve until SIGTERM or SIGINT, then end within the grace periods.

    Raises:
        ConfigError: The address cannot be listened on; nothing was started.
        ControlDatabaseBusyError: Another service holds the control database.
    """
    start_logging(settings)
    with listening(host, port) as listener:
        async with Runtime.open(settings, url=url_of(listener)) as runtime:
            await runtime.ensure_first_token()
            hosts = known_hosts(host, settings.api.allowed_hosts, listener)
            server = build_server(runtime, hosts, listener)
            with ended_by_signal(server):
                async with (
                    on_record(runtime, url_of(listener)),
                    ticking(settings.schedule, runtime.sweep),
                ):
                    _announce(settings, url_of(listener))
                    await server.serve(sockets=[listener])
                    _announce_end(settings.schedule.grace)
    return 0


def start_logging(settings: Settings) -> None:
    """Log to standard error what people should read, without the known secrets."""
    handler = logging.StreamHandler()
    handler.setFormatter(ScrubbingFormatter(LOG_FORMAT, settings.secrets()))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    logging.getLogger("levelhead").setLevel(logging.INFO)
    # A sweep that lasts longer than from one tick to the next is no news.
    logging.getLogger("apscheduler").setLevel(logging.ERROR)


@asynccontextmanager
async def on_record(runtime: Runtime, address: str) -> AsyncIterator[None]:
    """Put on record when the service starts, and when it ends in order."""
    await runtime.record_service(Kind.SERVICE_STARTED, url=address)
    yield
    await runtime.record_service(Kind.SERVICE_STOPPED)


@contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """Listen on an address before anything else starts; port 0 takes a free one.

    Raises:
        ConfigError: Somebody else listens there, or it is not an address of this machine.
    """
    listener = None
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(place)
        listener.listen(BACKLOG)
    except OSError as error:
        if listener is not None:
            listener.close()
        raise ConfigError(
            f"cannot listen on {host} port {port}: {_reason(error)}; "
            "choose another with --host, --port or [api]"
        ) from None
    with listener:
        yield listener


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


def url_of(listener: socket.socket) -> str:
    """Return the URL at which this machine reaches *listener*."""
    host, port = listener.getsockname()[:2]
    address = ipaddress.ip_address(host)
    if isinstance(address, ipaddress.IPv6Address):
        return f"http://[{'::1' if address.is_unspecified else address}]:{port}"
    return f"http://{'127.0.0.1' if address.is_unspecified else address}:{port}"


def is_loopback(listener: socket.socket) -> bool:
    """Tell whether only this machine reaches *listener*."""
    return ipaddress.ip_address(listener.getsockname()[0]).is_loopback


def build_server(runtime: Runtime, hosts: Sequence[str], listener: socket.socket) -> uvicorn.Server:
    """Return the API's server, not started yet."""
    module, _, name = APP.partition(":")
    app = getattr(import_module(module), name)(
        runtime,
        address=url_of(listener),
        hosts=hosts,
        open_reads=is_loopback(listener),
    )
    return uvicorn.Server(
        uvicorn.Config(
            app,
            log_config=None,
            lifespan="off",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=int(REQUEST_GRACE.total_seconds()),
        )
    )


def known_hosts(host: str, allowed: Sequence[str], listener: socket.socket) -> tuple[str, ...]:
    """Return the host names that a request may be addressed to."""
    local = ("localhost", "127.0.0.1", "::1") if is_loopback(listener) else ()
    return tuple(dict.fromkeys((host, listener.getsockname()[0], *local, *allowed)))


@contextmanager
def ended_by_signal(server: uvicorn.Server) -> Iterator[None]:
    """Let the first SIGTERM or SIGINT end *server*; after the block one ends the process.

    uvicorn takes the signals while it serves and raises them once more when it has
    ended; without a handler of ours that would kill the process before the runtime
    has released what it holds.
    """
    loop = asyncio.get_running_loop()

    def end() -> None:
        server.should_exit = True

    for number in SIGNALS:
        loop.add_signal_handler(number, end)
    try:
        yield
    finally:
        for number in SIGNALS:
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)


def _announce(settings: Settings, address: str) -> None:
    print(f"levelhead listens on {address}", flush=True)  # noqa: T201 - what a person waits for
    print(f"token file: {settings.control.token_file}", flush=True)  # noqa: T201 - as above


def _announce_end(grace: timedelta) -> None:
    text = f"ending: what is in flight may take {span(grace)}; a second signal ends it now"
    print(text, flush=True)  # noqa: T201 - what a person wants to know who pressed Ctrl-C
