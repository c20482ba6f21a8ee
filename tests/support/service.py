"""`levelhead serve` in a process of its own: to be asked, told to end, and killed."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil

from tests.support.sample import Outcome

LEVELHEAD = Path(sys.executable).with_name("levelhead")
SAID = "levelhead listens on "

#: Fast, so that a test waits for nothing but what it tests.
SCHEDULE: Mapping[str, str] = {
    "every": "300ms",
    "jitter": "0s",
    "retry_min": "100ms",
    "retry_max": "500ms",
    "grace": "1s",
}


@dataclass(frozen=True, slots=True)
class Site:
    """A folder with a levelhead.toml in it."""

    folder: Path

    @property
    def token(self) -> str:
        """The key of the first token, which the service put beside its settings."""
        return (self.folder / "levelhead.token").read_text().strip()

    async def run(self, *arguments: str, **environ: str) -> Outcome:
        """Run one command here, to its end."""
        process = await self.start(*arguments, **environ)
        try:
            async with asyncio.timeout(90):
                out, err = await process.communicate()
        finally:
            await ended(process)
        return Outcome(process.returncode or 0, out.decode(), err.decode())

    async def start(self, *arguments: str, **environ: str) -> asyncio.subprocess.Process:
        """Start one command here."""
        return await asyncio.create_subprocess_exec(
            LEVELHEAD,
            *arguments,
            cwd=self.folder,
            env={"PATH": os.defpath, "HOME": str(self.folder), **environ},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    @asynccontextmanager
    async def served(self) -> AsyncIterator[Service]:
        """Run the service for the block; however the block ends, the service has ended then."""
        process = await self.start("serve", "--port", "0")
        assert process.stdout is not None
        assert process.stderr is not None
        log = bytearray()
        listening = asyncio.create_task(listen(process.stderr, log))
        try:
            async with asyncio.timeout(90):
                said = (await process.stdout.readline()).decode().strip()
            if not said.startswith(SAID):
                await listening
                raise AssertionError(log.decode())
            async with httpx.AsyncClient(
                base_url=f"{said.removeprefix(SAID)}/api/v1", trust_env=False, timeout=30
            ) as client:
                yield Service(self, process, client, log)
        finally:
            await ended(process)
            await listening
            (self.folder / "service.log").write_bytes(log)


@dataclass(frozen=True, slots=True)
class Service:
    """One running service."""

    site: Site
    process: asyncio.subprocess.Process
    client: httpx.AsyncClient
    log: bytearray  #: all that it has written to stderr so far

    def lines(self) -> list[str]:
        """Return what it has said on stderr so far."""
        return self.log.decode().splitlines()

    async def has_said(self, text: str) -> None:
        """Wait until it says something on stderr."""

        async def is_so() -> bool:
            return text in self.log.decode()

        try:
            await until(is_so)
        except TimeoutError:
            raise AssertionError(self.log.decode()) from None

    async def get(self, path: str, **query: str | int) -> Any:  # noqa: ANN401 - any JSON
        """Return what the API answers."""
        answer = await self.client.get(path, params=query)
        assert answer.is_success, answer.text
        return answer.json()

    async def post(self, path: str, **body: object) -> Any:  # noqa: ANN401 - any JSON
        """Ask for something to be done, as an admin."""
        headers = {"Authorization": f"Bearer {self.site.token}"}
        answer = await self.client.post(path, json=body, headers=headers)
        assert answer.is_success, answer.text
        return answer.json()

    async def targets(self) -> dict[str, dict[str, Any]]:
        """Return what the service knows of each target, by name."""
        return {each["name"]: each for each in (await self.get("/targets"))["items"]}

    async def events(self, **query: str | int) -> list[dict[str, Any]]:
        """Return the events that match, oldest first."""
        found: list[dict[str, Any]] = []
        while page := (await self.get("/events", limit=500, after=last(found), **query))["items"]:
            found += page
        return found

    async def runs(self, **query: str) -> list[dict[str, Any]]:
        """Return the newest runs, oldest of them first."""
        items: list[dict[str, Any]] = (await self.get("/runs", limit=200, **query))["items"]
        return items[::-1]

    async def all_current(self, *, within: float = 30) -> None:
        """Wait until every target stands at head."""

        async def is_so() -> bool:
            answer = await self.client.get("/targets")
            if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
                return False  # the control database may be away for a moment
            return {each["status"] for each in answer.json()["items"]} == {"current"}

        try:
            await until(is_so, within=within)
        except TimeoutError:
            raise AssertionError(await self.targets()) from None

    async def runners(self) -> tuple[int, ...]:
        """Return the process ids of the runners."""
        children = await asyncio.to_thread(psutil.Process(self.process.pid).children)
        return tuple(child.pid for child in children if is_runner(child))

    async def kill(self) -> None:
        """End it as the kernel does when memory runs out."""
        self.process.kill()
        await self.process.wait()

    async def stop(self, *, within: float = 20) -> int:
        """Tell it to end, and return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(within):
            return await self.process.wait()


def is_runner(child: psutil.Process) -> bool:
    """Tell whether a process is a runner that has not ended yet."""
    try:
        return any("boot.py" in argument for argument in child.cmdline())
    except psutil.Error:
        return False


def last(found: list[dict[str, Any]]) -> int:
    """Return the sequence number of the last of *found*; 0 where there is none."""
    return int(found[-1]["sequence"]) if found else 0


async def listen(source: asyncio.StreamReader, heard: bytearray) -> None:
    """Write down what a process says, to its end."""
    while said := await source.read(65536):
        heard += said


async def ended(process: asyncio.subprocess.Process) -> None:
    """End a process that we started, if it still runs."""
    if process.returncode is None:
        process.kill()
        await process.wait()


async def until(is_so: Callable[[], Awaitable[bool]], *, within: float = 90) -> None:
    """Wait for something that another process does."""
    async with asyncio.timeout(within):
        while not await is_so():  # noqa: ASYNC110 - nobody here could set an event
            await asyncio.sleep(0.05)


def write_site(
    config: Path,
    targets: Mapping[str, str],
    *,
    control: str = "",
    history: str = "",
    shadow: str = "none",
    target: str = "",
    schedule: Mapping[str, str] = SCHEDULE,
    more: str = "",
) -> Site:
    """Write levelhead.toml beside alembic.ini at *config*: *targets* are names and URLs.

    *control*, *history*, *target* and *more* are lines of TOML: for these tables, each target
    among them, and for the end. Without a *shadow* every step is live.
    """
    tables = [
        f"[control]\n{control}",
        "[schedule]\nruns = 16\n" + "\n".join(f'{key} = "{it}"' for key, it in schedule.items()),
        f'[[history]]\nname = "app"\nconfig = "{config}"\nshadow = "{shadow}"\n{history}',
        *(
            f'[[target]]\nname = "{name}"\nhistory = "app"\nurl = "{url}"\nlock_timeout = "60s"\n'
            f"{target}"
            for name, url in targets.items()
        ),
        more,
    ]
    (config.parent / "levelhead.toml").write_text("\n\n".join(tables))
    return Site(config.parent)
