"""The process that starts a throwaway server, waits for its owner's end, and tidies up.

It is run as a script with an `Order` on its stdin, one line of JSON, and answers on stdout
with one line as well. Then it blocks on stdin: the end of that file is the end of the
owner, whether it let go or was killed. Standard library only, so that it starts at once.
"""

from __future__ import annotations

import json
import os
import pwd
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

_PORT_ATTEMPTS = 5
_POLL = 0.02  # seconds between two looks at the pid file
_STOP_PATIENCE = 10  # seconds; the postmaster itself kills what ignores it for five
_PID_FILE_STATUS = 7  # index of the line that the postmaster sets to "ready"

#: Speed over durability. `synchronous_commit` stays on: without it, the crash of one
#: backend would lose transactions that were reported as committed.
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "dynamic_shared_memory_type": "mmap",  # files in our directory, which is removed
}

#: All that the server sees of the owner's environment; its messages follow the locale.
_ENVIRONMENT = {"LC_ALL": "C", "TZ": "UTC", "PATH": os.defpath}


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What the owner wants."""

    binaries: str
    password: str = field(repr=False)
    max_connections: int
    start_timeout: float  #: seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """The server takes connections."""

    port: int
    directory: str
    major: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """There is no server, and nothing is left of it."""

    reason: str  #: one line


class StartError(Exception):
    """The server cannot be started; the text is one line."""


class PortTakenError(StartError):
    """Somebody took the port between our look at it and the server's."""


@dataclass(frozen=True, slots=True)
class Account:
    """The user that the server runs as."""

    name: str
    uid: int
    gid: int

    def reaches(self, path: Path) -> bool:
        """Tell whether the modes of *path* and of all above it let this user through."""
        return all(self._passes(place.stat()) for place in (path, *path.parents))

    def own(self, path: Path) -> None:
        """Hand *path* and all below it to this user."""
        for place in (path, *path.rglob("*")):
            os.chown(place, self.uid, self.gid, follow_symlinks=False)

    def _passes(self, found: os.stat_result) -> bool:
        if found.st_uid == self.uid:
            return bool(found.st_mode & stat.S_IXUSR)
        if found.st_gid == self.gid:
            return bool(found.st_mode & stat.S_IXGRP)
        return bool(found.st_mode & stat.S_IXOTH)


@dataclass(frozen=True, slots=True)
class Workshop:
    """Where the server lives, and as whom."""

    account: Account
    directory: Path
    binaries: Path
    deadline: float  #: of the start, on the monotonic clock

    @property
    def data(self) -> Path:
        """The server's data directory."""
        return self.directory / "data"

    @property
    def log(self) -> Path:
        """What the process started last has written."""
        return self.directory / "log"

    @contextmanager
    def running(self, program: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
        """Run *program* of the binaries as the account; stop it after the block."""
        with self.log.open("wb") as log:
            process = subprocess.Popen(  # noqa: S603 - a server's own binaries, no shell
                [self.binaries / program, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=_ENVIRONMENT,
                cwd=self.directory,
                user=self.account.uid,
                group=self.account.gid,
                extra_groups=[] if os.geteuid() == 0 else None,
            )
        try:
            yield process
        finally:
            _stop(process)

    def failure(self) -> StartError:
        """Return the error that the log tells of."""
        lines = [line for line in self.log.read_text(errors="replace").splitlines() if line]
        if any("could not bind" in line for line in lines):
            return PortTakenError(lines[-1])
        telling = [line for line in lines if "FATAL:" in line or "error:" in line]
        return StartError((telling or lines or ["it ended without a word"])[-1])

    def check_time(self) -> None:
        """Raise StartError where the start takes too long."""
        if time.monotonic() > self.deadline:
            raise StartError("it was not ready in time")


def main() -> int:
    """Serve one owner to its end."""
    signal.signal(signal.SIGTERM, _leave)
    line = sys.stdin.readline()
    if not line:
        return 0
    try:
        with _running_server(Order(**json.loads(line))) as started:
            _answer(started)
            sys.stdin.read()
    except (StartError, OSError) as error:
        _answer(Failed(reason=str(error)))
        return 1
    return 0


def _leave(_signal: int, _frame: object) -> None:
    """End in good order, once."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(0)


def _answer(answer: Started | Failed) -> None:
    """Tell the owner, if it is still there."""
    with suppress(BrokenPipeError):
        os.write(sys.stdout.fileno(), json.dumps(asdict(answer)).encode() + b"\n")


@contextmanager
def _running_server(order: Order) -> Iterator[Started]:
    account = _account()
    deadline = time.monotonic() + order.start_timeout
    with _own_directory(account) as directory:
        binaries = _reachable_binaries(Path(order.binaries), account, directory)
        workshop = Workshop(account, directory, binaries, deadline)
        _initialise(workshop, order.password)
        with _listening_server(workshop, order.max_connections) as port:
            major = int((workshop.data / "PG_VERSION").read_text())
            yield Started(port=port, directory=str(directory), major=major)


def _account() -> Account:
    """Return the user to run as: ourselves, unless we are root, which Postgres refuses."""
    if os.geteuid() != 0:
        return Account("of this process", os.geteuid(), os.getegid())
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            entry = pwd.getpwnam(name)
            return Account(name, entry.pw_uid, entry.pw_gid)
    raise StartError("Postgres refuses root, and there is no user postgres or nobody to run it as")


@contextmanager
def _own_directory(account: Account) -> Iterator[Path]:
    """Make a directory for *account* alone; remove it, and all in it, after the block."""
    places = (tempfile.gettempdir(), "/tmp", "/var/tmp")  # noqa: S108 - mkdtemp makes it safe
    parent = next((place for place in places if account.reaches(Path(place))), None)
    directory = Path(tempfile.mkdtemp(prefix="levelhead-postgres-", dir=parent)).resolve()
    try:
        account.own(directory)
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _reachable_binaries(binaries: Path, account: Account, directory: Path) -> Path:
    """Return *binaries*, or a copy where *account* cannot reach them (a venv below /root)."""
    if account.reaches(binaries / "postgres"):
        return binaries
    if binaries.parent.name != "pginstall":
        raise StartError(f"user {account.name} may not enter {binaries}")
    package = binaries.parents[1]
    shared_libraries = package.with_name(f"{package.name}.libs")
    for source in (package, shared_libraries):
        if source.is_dir():
            copy = directory / "binaries" / source.name
            shutil.copytree(source, copy, ignore=shutil.ignore_patterns("include", "__pycache__"))
    account.own(directory / "binaries")
    return directory / "binaries" / binaries.relative_to(package.parent)


def _initialise(workshop: Workshop, password: str) -> None:
    """Create the data directory; *password* is the superuser's."""
    secret = workshop.directory / "password"
    secret.touch(mode=0o600)
    secret.write_text(password)
    workshop.account.own(secret)
    with workshop.running(
        "initdb",
        *("--pgdata", str(workshop.data), "--username=postgres", f"--pwfile={secret}"),
        *("--auth=scram-sha-256", "--encoding=UTF8", "--locale=C"),
        *("--no-sync", "--no-clean"),
    ) as process:
        while process.poll() is None:
            workshop.check_time()
            time.sleep(_POLL)
        if process.returncode != 0:
            raise workshop.failure()
    secret.unlink()


@contextmanager
def _listening_server(workshop: Workshop, max_connections: int) -> Iterator[int]:
    """Run the server for the block on a free port, and yield the port."""
    for attempt in range(1, _PORT_ATTEMPTS + 1):
        port = _free_port()
        settings = _SETTINGS | {"port": str(port), "max_connections": str(max_connections)}
        options = [f"--{name}={value}" for name, value in settings.items()]
        with workshop.running("postgres", "-D", str(workshop.data), *options) as process:
            try:
                _wait_until_ready(workshop, process)
            except PortTakenError:
                if attempt == _PORT_ATTEMPTS:
                    raise
                continue
            yield port
            return


def _wait_until_ready(workshop: Workshop, process: subprocess.Popen[bytes]) -> None:
    """Wait for the server's own word in its pid file: no connection, no stranger's answer."""
    while process.poll() is None:
        if _says_ready(workshop.data / "postmaster.pid"):
            return
        workshop.check_time()
        time.sleep(_POLL)
    raise workshop.failure()


def _says_ready(pid_file: Path) -> bool:
    try:
        lines = pid_file.read_text().splitlines()
    except FileNotFoundError:
        return False
    return len(lines) > _PID_FILE_STATUS and lines[_PID_FILE_STATUS].strip() == "ready"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Stop the server at once; nobody needs its data any more."""
    if process.poll() is None:
        process.send_signal(signal.SIGQUIT)
    try:
        process.wait(_STOP_PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


if __name__ == "__main__":
    sys.exit(main())
