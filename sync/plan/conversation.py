"""The service's end of the talk with a runner; its other end is `sync.plan.runner.pipe`."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from asyncio.subprocess import Process
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeAlias

from providers.errors import LevelheadError, ProviderError
from providers.legible import storable
from sync.errors import RunnerLostError, RunnerTimeoutError
from sync.plan.failures import failure, shortened
from sync.scrub import scrub

#: Bytes of a runner's standard error that are kept, in case it ends without a word.
KEPT = 65536

#: Seconds to wait for the end of standard error when the runner has ended.
PATIENCE = 1.0


#: What a runner says that needs a token for its next request.
ASKS_FOR_TOKEN = {"say": "token"}

#: A statement as it is compared: sha256 of its text, and of its parameters if it has any.
Sent: TypeAlias = tuple[str, str | None]


@dataclass(frozen=True, slots=True)
class About:
    """The runner is about to act, and waits."""

    noun: str  #: run, step, transaction or statement
    revision: str | None
    sqls: tuple[str, ...]
    facts: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Done:
    """The innermost act has succeeded."""

    facts: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Failed:
    """The innermost act has failed; where it was a step or the run, so has everything."""

    error: LevelheadError


@dataclass(frozen=True, slots=True)
class Note:
    """Something to know of a directive."""

    verb: str  #: ``skipped``: the target's database has no counterpart for it; or ``noted``
    revision: str | None
    facts: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class End:
    """The runner's last word."""

    answer: Mapping[str, Any]


Word: TypeAlias = About | Done | Failed | Note | End


class Conversation:
    """One running runner.

    Every text that it says has the known secrets taken out before anybody sees it, and can be
    stored. Where its requests need tokens that run out, it is given one at each; nobody hears of
    that.
    """

    def __init__(
        self,
        process: Process,
        *,
        subject: str,
        history: str,
        secrets: Collection[str],
        renew: Callable[[], Awaitable[str]] | None = None,
    ) -> None:
        self._process = process
        self._subject = subject  #: the target's name, or the history's
        self._history = history
        self._secrets = {*secrets}
        self._renew = renew
        self._no_token: ProviderError | None = None  #: why it was given none
        self._heard = False
        self._errors = b""  #: the end of standard error
        self._drain = asyncio.create_task(self._read_errors())

    async def ask(self, request: Mapping[str, Any]) -> None:
        """Send a word to the runner.

        Raises:
            RunnerLostError: It has ended.
        """
        assert self._process.stdin is not None  # noqa: S101 - it was started with a pipe
        payload = json.dumps(request).encode()
        try:
            self._process.stdin.write(b"%d\n%b" % (len(payload), payload))
            await self._process.stdin.drain()
        except ConnectionError as error:
            raise await self._lost() from error

    async def go(self, ticket: str, applied: Sequence[Sent] = ()) -> None:
        """Let the runner do what it was about to do.

        *ticket* goes with what it sends. What of a step was *applied* by an earlier run is
        not sent again.
        """
        await self.ask({"say": "go", "ticket": ticket, "applied": applied})

    async def let_try_again(self) -> Word:
        """Let the runner look at the target, then send what another commit came before again.

        Return its next word: it is about to, or the look has failed.
        """
        await self.ask({"say": "again"})
        return await self.hear()

    async def leave_failed(self) -> None:
        """Let the script hear that a statement failed which might have been sent again."""
        await self.ask({"say": "failed"})

    async def hear(self) -> Word:
        """Wait for the runner's next word.

        Raises:
            RunnerLostError: It ended without one.
            RunnerTimeoutError: The time that its caller allows is over.
        """
        while (said := await self._said()) == ASKS_FOR_TOKEN:
            await self._give_token()
        self._heard = True
        return self._word(self._scrubbed(said))

    async def _said(self) -> dict[str, Any]:
        assert self._process.stdout is not None  # noqa: S101 - it was started with a pipe
        try:
            length = await self._process.stdout.readuntil(b"\n")
            payload = await self._process.stdout.readexactly(int(length))
        except asyncio.IncompleteReadError as error:
            raise await self._lost() from error
        said: dict[str, Any] = json.loads(payload)
        return said

    async def _give_token(self) -> None:
        """Answer with a token that is valid now; with none where there is none to be had."""
        try:
            token = await self._renew() if self._renew else ""
        except ProviderError as error:
            token, self._no_token = "", error
        self._secrets |= {token} - {""}
        await self.ask({"say": "token", "token": token})

    def _word(self, said: dict[str, Any]) -> Word:
        kind = said.pop("say")
        if kind == "about":
            return About(said["noun"], said["revision"], tuple(said["sqls"]), said["facts"])
        if kind == "note":
            return Note(said["verb"], said["revision"], said["facts"])
        if kind == "done":
            return Done(said["facts"])
        if kind == "failed" and said["kind"] == "denied" and self._no_token is not None:
            return Failed(self._no_token)
        if kind == "failed":
            return Failed(failure(said, subject=self._subject, history=self._history))
        return End(said)

    def _scrubbed(self, value: Any) -> Any:  # noqa: ANN401 - whatever JSON can carry
        """Replace every known secret in every text of *value*, and what cannot be stored."""
        if isinstance(value, str):
            return storable(scrub(value, self._secrets))
        if isinstance(value, list):
            return [self._scrubbed(item) for item in value]
        if isinstance(value, dict):
            return {name: self._scrubbed(item) for name, item in value.items()}
        return value

    async def _read_errors(self) -> None:
        """Keep standard error flowing, however much a script prints."""
        assert self._process.stderr is not None  # noqa: S101 - it was started with a pipe
        while chunk := await self._process.stderr.read(KEPT):
            self._errors = (self._errors + chunk)[-KEPT:]

    async def _lost(self) -> RunnerLostError:
        """Say how the runner ended."""
        code = await self._process.wait()
        await self._drained()
        how = f"was killed by signal {-code}" if code < 0 else f"ended with status {code}"
        last = "" if self._heard else self._last_line()
        return RunnerLostError(f"{self._subject}: the runner {how} without a word{last}")

    def _last_line(self) -> str:
        """Return the last line of standard error; it is cut out after the secrets are."""
        lines = self._scrubbed(self._errors.decode(errors="replace")).split("\n")
        return next((f": {shortened(line)}" for line in reversed(lines) if line.strip()), "")

    async def close(self) -> None:
        """End the runner and what it has started, whatever they are doing."""
        if self._process.returncode is None:
            with suppress(ProcessLookupError):  # it may be ending by itself
                os.killpg(self._process.pid, signal.SIGKILL)
        with suppress(TimeoutError):  # asyncio waits for the pipes too, whoever holds them open
            await asyncio.wait_for(self._process.wait(), PATIENCE)
        await self._drained()

    async def _drained(self) -> None:
        """Wait for the last of standard error, but not for whoever else holds it open."""
        await asyncio.wait({self._drain}, timeout=PATIENCE)
        self._drain.cancel()

    def overdue(self, limit: timedelta) -> RunnerTimeoutError:
        """Return the error for a runner that took longer than *limit*."""
        return RunnerTimeoutError(
            f"{self._subject}: a script ran for more than {limit.total_seconds():g} s and was "
            "ended; mend it or raise schedule.script_timeout",
            history=self._history,
        )
