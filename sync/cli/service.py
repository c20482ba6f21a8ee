"""Changes through the API of the service that runs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

import httpx
from pydantic import TypeAdapter, ValidationError

from providers.errors import ConfigError, LevelheadError
from sync.cli.failures import RefusedError, code_of_problem
from sync.cli.words import one_line
from sync.errors import ControlDatabaseBusyError
from sync.model import Order, PlanRecord, Role, Rollout, Run, Selection, TargetStatus, Verb, Verdict
from sync.runtime import Runtime

PREFIX = "/api/v1"
VARIABLE = "LEVELHEAD_TOKEN"

#: How the type of a problem starts that names one of levelhead's errors.
OURS = "urn:levelhead:problem:"

#: Seconds. The service answers at once: what takes long goes on in the background.
PATIENCE = 30.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Mistake:
    """What is wrong with one part of a request."""

    where: str
    what: str


@dataclass(frozen=True, slots=True)
class Problem:
    """What the service says when it refuses (RFC 9457)."""

    type: str
    title: str
    detail: str | None = None
    errors: tuple[Mistake, ...] = ()


class ServiceDoor:
    """The API of a running service; what is only looked at is read beside it."""

    def __init__(self, client: httpx.AsyncClient, reads: Runtime) -> None:
        self._client = client
        self.reads = reads

    @property
    def farewell(self) -> str:
        """The runs are the service's."""
        return "interrupted: the runs go on in the service; see levelhead runs"

    async def request(self, order: Order, selection: Selection) -> Rollout:
        """Start runs, and return at once."""
        if order.verb is Verb.SYNC:
            return _read(Rollout, await self._send("POST", "/sync", _body(order, selection)))
        (target,) = selection.targets
        path = f"/targets/{quote(target, safe='')}/{order.verb.value}"
        run = _read(Run, await self._send("POST", path, {"to": order.to}))
        return Rollout(
            id=run.rollout, actor=run.actor, order=order, requested_at=run.requested_at, runs=(run,)
        )

    async def release(self, target: str) -> TargetStatus:
        """End a hold."""
        answer = await self._send("POST", f"/targets/{quote(target, safe='')}/release")
        return _read(TargetStatus, answer)

    async def settle(self, ticket: str, verdict: Verdict) -> None:
        """Say what became of an act in doubt."""
        path = f"/tickets/{quote(ticket, safe='')}/settle"
        await self._send("POST", path, {"outcome": verdict.value})

    async def approve(self, plan: str, reason: str | None) -> PlanRecord:
        """Let runs apply a plan, named by its whole digest."""
        body = {"reason": reason}
        return _read(PlanRecord, await self._send("POST", f"/plans/{plan}/approve", body))

    async def reject(self, plan: str, reason: str | None) -> PlanRecord:
        """Let no run apply a plan."""
        body = {"reason": reason}
        return _read(PlanRecord, await self._send("POST", f"/plans/{plan}/reject", body))

    async def create_token(self, name: str, role: Role) -> str:
        """Create a token, and return its key."""
        answer = await self._send("POST", "/tokens", {"name": name, "role": role.value})
        return str(answer.json()["key"])

    async def revoke_token(self, name: str) -> None:
        """Revoke a token."""
        await self._send("DELETE", f"/tokens/{quote(name, safe='')}")

    async def _send(
        self, method: str, path: str, body: Mapping[str, object] | None = None
    ) -> httpx.Response:
        """Send a request once.

        Raises:
            RefusedError: The service said no, or nothing.
        """
        try:
            answer = await self._client.request(method, f"{PREFIX}{path}", json=body)
        except httpx.ConnectError as error:
            raise RefusedError(
                f"the service at {self._client.base_url} takes no orders any more; "
                "nothing was ordered: try again when it has ended",
                exit_code=ControlDatabaseBusyError.exit_code,
            ) from error
        except httpx.HTTPError as error:
            raise RefusedError(
                f"the service at {self._client.base_url} does not answer "
                f"({type(error).__name__}); nobody can tell whether it took the order: "
                "see levelhead runs",
                exit_code=1,
            ) from error
        if answer.is_error:
            raise refusal(answer)
        return answer


@asynccontextmanager
async def connected(
    url: str, token_file: Path, environ: Mapping[str, str]
) -> AsyncIterator[httpx.AsyncClient]:
    """Open a client of the service at *url*, with the token of whoever runs the command.

    Raises:
        ConfigError: There is no token.
    """
    headers = {"Authorization": f"Bearer {find_token(token_file, environ)}"}
    # The service is on this machine: a proxy of the environment is not for it.
    async with httpx.AsyncClient(
        base_url=url, headers=headers, timeout=PATIENCE, trust_env=False
    ) as client:
        yield client


def find_token(token_file: Path, environ: Mapping[str, str]) -> str:
    """Return the token in `LEVELHEAD_TOKEN`, else the one in *token_file*.

    Raises:
        ConfigError: There is neither, or the file cannot be read.
    """
    if token := environ.get(VARIABLE, "").strip():
        return token
    try:
        return token_file.read_text(encoding="utf-8").strip()
    except OSError as error:
        reason = (error.strerror or "cannot be read").lower()
        raise ConfigError(
            f"a service runs, and changes go through it, but there is no token: "
            f"{token_file}: {reason}; set {VARIABLE}"
        ) from None


def refusal(answer: httpx.Response) -> RefusedError:
    """Return what the service's problem means here."""
    try:
        problem = TypeAdapter(Problem).validate_json(answer.content)
    except ValidationError:
        problem = Problem(type="", title=f"HTTP {answer.status_code} {answer.reason_phrase}")
    mistakes = "; ".join(f"{each.where}: {each.what}" for each in problem.errors)
    said = mistakes or problem.detail or problem.title
    hint = _HINTS.get(answer.status_code, "")
    named = problem.type.startswith(OURS)
    code = code_of_problem(problem.type) if named else _code_of_status(answer.status_code)
    return RefusedError(one_line(f"{said}{hint}"), exit_code=code)


def _code_of_status(status: int) -> int:
    """Return the exit code for a bare status: from 400 to 499 the command was wrong."""
    refused = HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR
    return ConfigError.exit_code if refused else LevelheadError.exit_code


_HINTS = {401: f"; set {VARIABLE} to a token of this service"}


def _body(order: Order, selection: Selection) -> dict[str, object]:
    return {
        "to": order.to,
        "targets": list(selection.targets),
        "history": selection.history,
        "labels": dict(selection.labels),
    }


def _read(kind: type[T], answer: httpx.Response) -> T:
    return TypeAdapter(kind).validate_json(answer.content)
