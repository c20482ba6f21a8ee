"""Services, and somebody with Alembic, that do the same at the same moment when told.

Each is a process of its own that lives for many races: ``python -m tests.support.racing``
with what it is and its settings. It does something for each line on its standard input, and
answers with one line of JSON.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy.ext.asyncio import AsyncConnection

from providers.postgres.session import PostgresSession
from sync.lease import Lease, Leases
from sync.model import Order, Rollout, Selection, Verb
from sync.runtime import Runtime
from sync.settings import load_settings
from tests.support.postgres import Postgres
from tests.support.sample import CHECKOUT, Sample
from tests.support.service import Site, ended

#: What each target starts from. `ledger` takes a row from each revision, each time it runs.
GROUND = "CREATE TABLE ledger (revision text)"

SCRIPT = '''\
"""Make {name}."""

from alembic import op

revision = "{name}"
down_revision = {after!r}


def upgrade() -> None:
    op.execute("CREATE TABLE {name} ()")
    op.execute("INSERT INTO ledger VALUES ('{name}')")
'''

MEETING = """\
import os
import time
from pathlib import Path


def meet(name):
    place = Path("barrier", name)
    place.mkdir(parents=True, exist_ok=True)
    (place / str(os.getpid())).touch()
    deadline = time.monotonic() + 60
    while len(list(place.iterdir())) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
"""

#: A history's hook that takes lock and guard on Postgres away from its runners, and makes two
#: of them begin together.
UNGUARDED = f"""\
from levelhead_runner.postgres import Guard

{MEETING}

def lock(guard, _patience):
    meet(guard.ask_alone("SELECT current_database()")[0][0])


def hook(_config):
    Guard.lock = lock
    Guard.unlock = lambda guard: None
    Guard.require = Guard.compare = lambda guard, expected: None
"""

#: A history's hook that makes two runners on a warehouse send their first statement together,
#: after each has found the version table as it expects it.
TOGETHER = f"""\
from levelhead_runner.databricks import Guard

{MEETING}
require = Guard.require


def agree(guard, expected):
    require(guard, expected)
    meet(guard.ask("SELECT current_schema()")[0][0])


def hook(_config):
    Guard.require = agree
"""

#: A history's hook that keeps its runners from the lock while the file `closed` is there.
GATED = """\
import os
import time
from pathlib import Path


def hook(_config):
    while Path("closed").exists():
        Path(f"arrived-{os.getpid()}").touch()
        time.sleep(0.01)
"""


def write_revisions(sample: Sample, *names: str) -> None:
    """Replace the revisions of a sample by some that fail, or leave a trace, if run twice."""
    versions = sample.root / "alembic" / "versions"
    for script in versions.glob("*.py"):
        script.unlink()
    after = None
    for name in names:
        (versions / f"{name}.py").write_text(SCRIPT.format(name=name, after=after))
        after = name


@dataclass(frozen=True, slots=True)
class Racer:
    """One process that waits for the start."""

    process: asyncio.subprocess.Process

    async def race(self, line: str, *, after: float = 0) -> list[str]:
        """Have it do *line* after some seconds; return what went wrong."""
        await asyncio.sleep(after)
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{line}\n".encode())
        answer = await self.process.stdout.readline()
        if not answer:
            raise EOFError("a racer has ended")
        found: list[str] = json.loads(answer)
        return found


@asynccontextmanager
async def racing(kind: str, place: Path) -> AsyncIterator[Racer]:
    """Start a racer for the block: what it is, and its levelhead.toml or alembic.ini."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.support.racing", kind, str(place)),
        cwd=CHECKOUT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield Racer(process)
    finally:
        await ended(process)


@asynccontextmanager
async def two_services(kind: str, site: Site) -> AsyncIterator[tuple[Racer, Racer]]:
    """Start two services on the same settings for the block."""
    settings = site.folder / "levelhead.toml"
    async with racing(kind, settings) as one, racing(kind, settings) as other:
        yield one, other


def add_hook(site: Site, name: str, text: str) -> None:
    """Have the history call `hook` of a new module before it migrates."""
    (site.folder / f"{name}.py").write_text(text)
    settings = site.folder / "levelhead.toml"
    line = f'config = "{site.folder / "alembic.ini"}"'
    settings.write_text(settings.read_text().replace(line, f'{line}\nhook = "{name}:hook"'))


async def reset(server: Postgres, template: str, names: Sequence[str]) -> None:
    """Make targets anew from *template*."""
    await server.drop_database(*names)
    for name in names:
        await server.create_database(name, template)


async def serve(settings: Path) -> None:
    """Be a service that does what each line says: sweep as the clock, or sync as a person."""
    loaded = load_settings(settings, os.environ, settings.parent)
    async with Runtime.open(loaded, url="") as runtime:
        while line := await asyncio.to_thread(sys.stdin.readline):
            started = runtime.sweep() if line.strip() == "sweep" else ordered(runtime)
            say(await problems(runtime, await started))


async def ordered(runtime: Runtime) -> Rollout:
    """Sync every target, whatever the clock would think of it."""
    return await runtime.request(Order(Verb.SYNC), Selection(), actor="racer")


async def problems(runtime: Runtime, rollout: Rollout | None) -> list[str]:
    """Return what went wrong with the runs of *rollout*, once they have ended."""
    ended_runs = (await runtime.finished(rollout.id)).runs if rollout else ()
    return [f"{run.target}: {run.state}: {run.error}" for run in ended_runs if run.error]


def upgrade(config: Path) -> None:
    """Be somebody who runs `alembic upgrade head` on each database named on a line."""
    os.chdir(config.parent)
    while line := sys.stdin.readline():
        found = []
        for url in line.split():
            os.environ["DATABASE_URL"] = url
            try:
                command.upgrade(Config(str(config)), "head")
            except Exception as error:  # noqa: BLE001 - whatever it is, the test is to tell it
                found.append(f"by hand: {error}")
        say(found)


def say(found: list[str]) -> None:
    """Answer the test; nothing else may go to this standard output."""
    print(json.dumps(found), flush=True)  # noqa: T201 - the other end of `Racer.race`


def switch_off() -> None:
    """Take lease and lock away from this service."""

    async def acquire(
        leases: Leases, connection: AsyncConnection, target: str, run: str, **more: object
    ) -> Lease:
        del connection, run, more
        return Lease(target, leases._holder, 0, datetime.now(UTC) + timedelta(days=1))

    async def confirm(leases: Leases, connection: AsyncConnection, lease: Lease) -> Lease:
        del leases, connection
        return replace(lease)

    def lock(session: PostgresSession, *, wait: timedelta) -> AbstractAsyncContextManager[None]:
        del session, wait
        return nullcontext()

    for owner, method in ((Leases, acquire), (Leases, confirm), (PostgresSession, lock)):
        setattr(owner, method.__name__, method)


if __name__ == "__main__":
    match sys.argv[1]:
        case "hand":
            upgrade(Path(sys.argv[2]))
        case "unguarded":
            switch_off()
            asyncio.run(serve(Path(sys.argv[2])))
        case _:
            asyncio.run(serve(Path(sys.argv[2])))
