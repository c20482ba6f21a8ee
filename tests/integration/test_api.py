from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.main import create_app
from providers.types import Policy
from sync.model import Role, Selection
from sync.runtime import Runtime
from sync.settings import Settings, load_settings
from tests.conformance.proxy import proxy
from tests.support.postgres import Databases
from tests.support.sample import CHECKOUT

HOSTS = ("127.0.0.1", "localhost", "::1")
DONE = {"succeeded", "failed", "proposed", "interrupted"}
CONFIGURATION = f"""
[[history]]
name = "app"
config = "{CHECKOUT / "alembic.ini"}"
shadow = "none"
"""
TARGET = """
[[target]]
name = "{name}"
history = "app"
url = "${{{variable}}}"
labels = {{ region = "{region}" }}
"""


@dataclass(frozen=True)
class Service:
    """The API over a running engine, and a key for each role."""

    runtime: Runtime
    client: httpx.AsyncClient
    keys: Mapping[Role, str]

    async def get(self, path: str, role: Role | None = None, **params: str | int) -> httpx.Response:
        """Read something, as somebody with *role* or without a token."""
        return await self.send("GET", path, role, params=params)

    async def post(self, path: str, bearer: Role = Role.OPERATOR, **body: object) -> httpx.Response:
        """Change something."""
        return await self.send("POST", path, bearer, json=body)

    async def send(
        self,
        method: str,
        path: str,
        role: Role | None,
        *,
        params: Mapping[str, str | int] | None = None,
        json: object = None,
    ) -> httpx.Response:
        """Send any request."""
        headers = {"Authorization": f"Bearer {self.keys[role]}"} if role else {}
        # httpx would replace a query in the path by an empty one.
        url = path if path.startswith(("/", "http:")) else f"/api/v1/{path}"
        return await self.client.request(
            method, url, headers=headers, params=params or None, json=json
        )

    async def end_of(self, run: str) -> dict[str, Any]:
        """Wait until a run has ended, and return it."""
        async with asyncio.timeout(60):
            while True:
                found: dict[str, Any] = (await self.get(f"runs/{run}")).json()
                if found["state"] in DONE:
                    return found
                await asyncio.sleep(0.05)

    async def synced(self, target: str, to: str = "head") -> dict[str, Any]:
        """Bring a target to head, and return the run."""
        accepted = await self.post(f"targets/{target}/sync", to=to)
        assert accepted.status_code == 202, accepted.text
        return await self.end_of(accepted.json()["id"])


@pytest.fixture
async def settings(tmp_path: Path, databases: Databases) -> Settings:
    """Two targets on fresh databases, one history, records in a file of their own."""
    urls = dict(zip(("EU", "US"), await databases(2), strict=True))
    tables = (
        TARGET.format(name=f"orders-{name.lower()}", variable=name, region=name.lower())
        for name in urls
    )
    (tmp_path / "levelhead.toml").write_text(CONFIGURATION + "".join(tables))
    return load_settings(None, urls, tmp_path)


@asynccontextmanager
async def serving(settings: Settings, *, open_reads: bool) -> AsyncIterator[Service]:
    """Run the API in this process."""
    async with Runtime.open(settings, url="http://localhost:8414") as runtime:
        keys = {role: await runtime.create_token(role.value, role, actor="test") for role in Role}
        await runtime.check(Selection())
        app = create_app(
            runtime, address="http://localhost:8414", hosts=HOSTS, open_reads=open_reads
        )
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app, raise_app_exceptions=False),
            base_url="http://localhost:8414",
        ) as client:
            yield Service(runtime, client, keys)


@pytest.fixture
async def service(settings: Settings) -> AsyncIterator[Service]:
    """The API as it is on loopback: reads are open."""
    async with serving(settings, open_reads=True) as service:
        yield service


async def test_targets(service: Service) -> None:
    """Targets are listed as they were found, and can be chosen by label, history and status."""
    found = (await service.get("targets")).json()["items"]
    assert [each["name"] for each in found] == ["orders-eu", "orders-us"]
    assert found[0] | {"status": "behind", "heads": [], "provider": "postgresql"} == found[0]
    assert found[0]["pending"][-1] in found[0]["head"]
    for query, names in [
        ({"label": "region=us"}, ["orders-us"]),
        ({"history": "app", "status": "behind"}, ["orders-eu", "orders-us"]),
        ({"status": "current"}, []),
    ]:
        listed = (await service.send("GET", "targets", None, params=query)).json()["items"]
        assert [each["name"] for each in listed] == names
    assert (await service.get("targets/orders-eu")).json() == found[0]


async def test_sync_of_all(service: Service) -> None:
    """A sync starts a rollout at once; its runs bring the targets to head in the bearer's name."""
    accepted = await service.post("sync", labels={"region": "eu"})
    assert accepted.status_code == 202
    rollout = (await service.get(accepted.headers["location"])).json()
    assert rollout["id"] == accepted.json()["id"]
    assert rollout["actor"] == "token:operator"
    (run,) = rollout["runs"]
    ended = await service.end_of(run["id"])
    assert (ended["target"], ended["state"], ended["error"]) == ("orders-eu", "succeeded", None)
    target = (await service.get("targets/orders-eu")).json()
    assert (target["status"], target["pending"]) == ("current", [])
    assert target["heads"] == target["head"] == ended["after"]
    assert target["last_run"] == run["id"]
    assert (await service.get("targets/orders-us")).json()["status"] == "behind"


async def test_a_target_that_is_starting(tmp_path: Path, database: str) -> None:
    """While a run waits for its target, the run is delayed and the target starting."""
    table = TARGET.format(name="orders-eu", variable="EU", region="eu")
    (tmp_path / "levelhead.toml").write_text(CONFIGURATION + table)
    async with proxy(database) as server:
        settings = load_settings(None, {"EU": server.url}, tmp_path)
        server.is_starting = True
        async with serving(settings, open_reads=True) as service:
            run = (await service.post("targets/orders-eu/sync")).json()["id"]
            async with asyncio.timeout(60):
                while not (await service.get("runs", state="delayed")).json()["items"]:  # noqa: ASYNC110 - the engine sets no event here
                    await asyncio.sleep(0.05)
            shown = (await service.get(f"runs/{run}")).json()
            assert (shown["state"], shown["events"][-1]["kind"]) == ("delayed", "run.delayed")
            (target,) = (await service.get("targets", status="starting")).json()["items"]
            assert "does not take connections yet" in target["problem"]
            server.is_starting = False
            assert (await service.end_of(run))["state"] == "succeeded"


async def test_run_with_its_events(service: Service) -> None:
    """A run is shown with its events; each statement they name can be read."""
    run = await service.synced("orders-eu")
    kinds = [event["kind"] for event in run["events"]]
    assert (kinds[0], kinds[-1]) == ("run.requested", "run.succeeded")
    assert {event["actor"] for event in run["events"]} == {"token:operator"}
    text = str(run["events"])
    digests = [word for word in text.replace("'", " ").split() if len(word) == 64]
    found = [await service.get(f"statements/{digest}") for digest in digests]
    assert "CREATE TABLE" in "".join(answer.text for answer in found if answer.is_success)


async def test_trigger_during_a_run_returns_it(service: Service) -> None:
    """Whoever asks twice gets the run that is under way."""
    first, second = await asyncio.gather(
        service.post("targets/orders-eu/sync"), service.post("targets/orders-eu/sync")
    )
    assert first.json()["id"] == second.json()["id"]
    assert second.headers["location"] == f"/api/v1/runs/{first.json()['id']}"
    await service.end_of(first.json()["id"])


async def test_another_order_does_not_pass_for_the_run_under_way(service: Service) -> None:
    """A downgrade asked for during a sync is refused, and the refusal names the sync."""
    run = (await service.post("targets/orders-eu/sync")).json()["id"]
    refused = await service.post("targets/orders-eu/downgrade", to="base")
    assert refused.status_code == 409
    assert f"run {run} (sync to head) is under way" in refused.json()["detail"]
    assert (await service.end_of(run))["state"] == "succeeded"


@pytest.mark.parametrize("verb", ["sync", "downgrade", "stamp"])
async def test_dry_run_starts_nothing(service: Service, verb: str) -> None:
    """A dry run answers 200 with a preview, and there is no run afterwards."""
    to = "base" if verb == "downgrade" else "head"
    answer = await service.post(f"targets/orders-eu/{verb}", to=to, dry_run=True)
    assert answer.status_code == 200
    assert answer.json()["target"] == "orders-eu"
    assert (await service.get("runs")).json() == {"items": [], "next": None}


async def test_dry_run_of_all(service: Service) -> None:
    """A dry run of several targets has a preview for each, with the steps in order."""
    answer = await service.post("sync", dry_run=True)
    pending = (await service.get("targets/orders-us")).json()["pending"]
    assert [each["target"] for each in answer.json()["items"]] == ["orders-eu", "orders-us"]
    steps = answer.json()["items"][1]["plan"]["steps"]
    assert [step["revision"] for step in steps] == pending


async def test_downgrade_holds_until_release(service: Service) -> None:
    """A downgrade puts the target on hold, with a name on it, and release ends that."""
    await service.synced("orders-eu")
    accepted = await service.post("targets/orders-eu/downgrade", to="base")
    run = await service.end_of(accepted.json()["id"])
    assert (run["state"], run["after"], run["order"]["verb"]) == ("succeeded", [], "downgrade")
    held = (await service.get("targets/orders-eu")).json()
    assert (held["status"], held["hold"]["actor"]) == ("held", "token:operator")
    released = await service.post("targets/orders-eu/release")
    assert released.status_code == 200
    assert (released.json()["status"], released.json()["hold"]) == ("behind", None)


async def test_stamp(service: Service) -> None:
    """A stamp moves the version table and runs nothing."""
    accepted = await service.post("targets/orders-eu/stamp", to="head")
    run = await service.end_of(accepted.json()["id"])
    assert run["state"] == "succeeded"
    assert (await service.get("targets/orders-eu")).json()["status"] == "current"


CHANGES = [
    ("POST", "sync"),
    ("POST", "targets/orders-eu/sync"),
    ("POST", "targets/orders-eu/downgrade"),
    ("POST", "targets/orders-eu/stamp"),
    ("POST", "targets/orders-eu/release"),
    ("POST", "tickets/none/settle"),
]
DECISIONS = [
    ("POST", f"plans/{'0' * 64}/approve"),
    ("POST", f"plans/{'0' * 64}/reject"),
]
ADMINISTRATION = [("GET", "tokens"), ("POST", "tokens"), ("DELETE", "tokens/viewer")]
READS = [
    "targets",
    "targets/orders-eu",
    "tenants",
    "rollouts/none",
    "runs",
    "runs/none",
    "events",
    "events/verify",
    f"statements/{'0' * 64}",
    "plans",
    f"plans/{'0' * 64}",
    "histories/app/revisions",
]


async def test_roles(service: Service) -> None:
    """Every change needs a token with the right role, on loopback as well."""
    for method, path in CHANGES + DECISIONS + ADMINISTRATION:
        anonymous = await service.send(method, path, None)
        assert anonymous.status_code == 401, path
        assert anonymous.headers["www-authenticate"] == 'Bearer realm="levelhead"'
        assert (await service.send(method, path, Role.VIEWER)).status_code == 403, path
    for method, path in DECISIONS + ADMINISTRATION:
        assert (await service.send(method, path, Role.OPERATOR)).status_code == 403, path
    for method, path in CHANGES + ADMINISTRATION:
        assert (await service.send(method, path, Role.APPROVER)).status_code == 403, path
    assert (await service.get("runs")).json()["items"] == []


async def test_no_route_is_forgotten(service: Service) -> None:
    """The tests of roles and reads know every route there is, probes apart."""
    document = (await service.get("openapi.json")).json()
    there = {
        (
            method.upper(),
            path.removeprefix("/api/v1/").format(
                name="orders-eu" if "targets" in path else "app",
                id="none",
                ticket="none",
                digest="0" * 64,
            ),
        )
        for path, methods in document["paths"].items()
        for method in methods
    }
    known = {*CHANGES, *DECISIONS, *ADMINISTRATION, *(("GET", path) for path in READS)}
    probes = {("GET", "healthz"), ("GET", "readyz")}
    assert {(m, p.replace("tokens/app", "tokens/viewer")) for m, p in there} == known | probes


@pytest.mark.parametrize("header", ["Bearer wrong", "Basic abc", "Bearer", ""])
async def test_bad_token_is_refused_even_where_none_is_needed(
    service: Service, header: str
) -> None:
    """A token that is unknown is an error, not an anonymous reader."""
    answer = await service.client.get("/api/v1/targets", headers={"Authorization": header})
    assert answer.status_code == 401
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]


async def test_reads_need_a_token_off_loopback(settings: Settings) -> None:
    """Where reads are not open they need a viewer; probes never need a token."""
    async with serving(settings, open_reads=False) as service:
        for path in READS:
            assert (await service.get(path)).status_code == 401, path
            assert (await service.get(path, Role.VIEWER)).status_code in {200, 404}, path
        for path in ("healthz", "readyz", "/healthz", "/readyz"):
            assert (await service.get(path)).json() == {"status": "ok"}


async def test_tokens(service: Service) -> None:
    """An admin makes a token, whose key works until the token is revoked."""
    made = await service.post("tokens", Role.ADMIN, name="anna", role="operator")
    assert (made.status_code, made.headers["cache-control"]) == (201, "no-store")
    headers = {"Authorization": f"Bearer {made.json()['key']}"}
    answer = await service.client.post("/api/v1/targets/orders-eu/release", headers=headers)
    assert answer.status_code == 200
    listed = await service.get("tokens", Role.ADMIN)
    assert {token["name"] for token in listed.json()["items"]} >= {"anna", "viewer"}
    assert made.json()["key"] not in listed.text
    assert (await service.send("DELETE", "tokens/anna", Role.ADMIN)).status_code == 204
    answer = await service.client.post("/api/v1/targets/orders-eu/release", headers=headers)
    assert answer.status_code == 401
    kinds = {"token.created": "token:admin", "token.revoked": "token:admin"}
    for kind, actor in kinds.items():
        events = (await service.get("events", kind=kind, limit=1000)).json()["items"]
        assert events[-1]["actor"] == actor


async def test_events_are_paged(service: Service) -> None:
    """Following `next` gives every event once, in order, and ends."""
    await service.synced("orders-eu")
    whole = (await service.get("events", limit=1000)).json()
    assert whole["next"] is None
    seen = []
    link: str | None = "events?limit=3"
    while link:
        page = (await service.get(link)).json()
        seen += page["items"]
        link = page["next"]
    assert seen == whole["items"]
    assert [event["sequence"] for event in seen] == list(range(1, len(seen) + 1))
    verified = await service.get("events/verify")
    assert verified.json() == {"verified": True, "events": len(seen)}


async def test_events_are_filtered(service: Service) -> None:
    """Each filter of the log leaves only what fits it."""
    run = await service.synced("orders-eu")
    begun = run["events"][0]["at"]
    for name, value in [
        ("target", "orders-eu"),
        ("history", "app"),
        ("kind", "run.succeeded"),
        ("actor", "token:operator"),
        ("run", run["id"]),
    ]:
        events = (await service.get("events", **{name: value})).json()["items"]
        assert {event[name] for event in events} == {value}
    late = (await service.get("events", since=begun, limit=1000)).json()["items"]
    early = (await service.get("events", until=begun, limit=1000)).json()["items"]
    assert late[0]["at"] == begun
    assert early[-1]["sequence"] + 1 == late[0]["sequence"]


async def test_runs_are_paged_and_filtered(service: Service) -> None:
    """Runs come newest first, in pages that `next` links."""
    first = await service.synced("orders-eu")
    second = await service.synced("orders-us")
    page = (await service.get("runs", limit=1)).json()
    assert [run["id"] for run in page["items"]] == [second["id"]]
    rest = (await service.get(page["next"])).json()
    assert ([run["id"] for run in rest["items"]], rest["next"]) == ([first["id"]], None)
    ours = (await service.get("runs", target="orders-eu", state="succeeded")).json()["items"]
    assert [run["id"] for run in ours] == [first["id"]]


async def test_revisions(service: Service) -> None:
    """A history's revisions are listed in an order of application, without any path."""
    answer = await service.get("histories/app/revisions")
    graph = answer.json()
    pending = (await service.get("targets/orders-eu")).json()["pending"]
    assert [revision["id"] for revision in graph["items"]] == pending
    assert str(CHECKOUT) not in answer.text


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("GET", "targets/orders-ue", None, 404, "unknown-target"),
        ("GET", "targets?history=ap", None, 404, "unknown-target"),
        ("POST", "targets/orders-ue/sync", {}, 404, "unknown-target"),
        ("POST", "targets/orders-ue/release", {}, 404, "unknown-target"),
        ("POST", "sync", {"targets": ["x"]}, 404, "unknown-target"),
        ("POST", "sync", {"dryrun": True}, 422, "invalid-request"),
        ("POST", "targets/orders-eu/downgrade", {}, 422, "invalid-request"),
        ("POST", "targets/orders-eu/stamp", {"to": " "}, 422, "invalid-request"),
        ("GET", "targets?lable=x", None, 422, "invalid-request"),
        ("GET", "events?limit=0", None, 422, "invalid-request"),
        ("GET", "events?kind=run.ended", None, 422, "invalid-request"),
        ("GET", "events?since=2031-01-01T00:00:00", None, 422, "invalid-request"),
        ("GET", "statements/x", None, 422, "invalid-request"),
        ("GET", "runs/none", None, 404, None),
        ("GET", "rollouts/none", None, 404, None),
        ("GET", "histories/none/revisions", None, 404, None),
        ("GET", f"statements/{'0' * 64}", None, 404, None),
        ("GET", "nothing", None, 404, None),
        ("POST", "tokens", {"name": "viewer", "role": "admin"}, 409, None),
        ("POST", "tokens", {"name": "a b", "role": "admin"}, 422, "invalid-request"),
        ("DELETE", "tokens/nobody", None, 404, None),
        ("PUT", "targets", None, 405, None),
    ],
)
async def test_problems(
    service: Service, *, method: str, path: str, body: object, status: int, code: str | None
) -> None:
    """Whatever is wrong, the answer is a problem with the right status and type."""
    answer = await service.send(method, path, Role.ADMIN, json=body)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    found = answer.json()
    assert found["type"] == (f"urn:levelhead:problem:{code}" if code else "about:blank")
    assert found["status"] == status
    if status == 405:
        assert "GET" in answer.headers["allow"]


async def test_unknown_revision(service: Service) -> None:
    """A revision that the history does not have ends the run with a line that names it."""
    run = await service.synced("orders-eu", to="nowhere")
    assert run["state"] == "failed"
    assert "nowhere" in run["error"]
    assert "\n" not in run["error"]
    preview = (await service.post("targets/orders-eu/sync", to="nowhere", dry_run=True)).json()
    assert preview["plan"] is None
    assert "nowhere" in preview["problem"]


async def test_surprise_tells_nothing(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception nobody expected is a bare problem: its text may hold anything."""

    async def fail(_: object) -> None:
        raise ZeroDivisionError("hunter2")

    monkeypatch.setattr(service.runtime, "statuses", fail)
    answer = await service.get("targets")
    assert answer.status_code == 500
    assert answer.json() == {
        "type": "about:blank",
        "title": "Internal Server Error",
        "status": 500,
    }


async def test_other_hosts_are_refused(service: Service) -> None:
    """A request under a foreign name is refused before it is read; probes are answered."""
    answer = await service.get("http://evil.example/api/v1/targets")
    assert answer.status_code == 421
    assert (await service.get("http://10.0.0.7/healthz")).status_code == 200


async def test_no_answer_holds_a_secret(service: Service, settings: Settings) -> None:
    """No URL and no secret of a target is in any answer."""
    run = await service.synced("orders-eu")
    hidden = {*settings.secrets(), *(target.url for target in settings.targets.values())}
    paths = [*READS, f"runs/{run['id']}", f"rollouts/{run['rollout']}", "readyz", "openapi.json"]
    answers = [await service.get(path, limit=1000) for path in paths if path != "targets"]
    text = "".join(answer.text for answer in answers)
    assert "run.succeeded" in text
    assert not [secret for secret in hidden if secret in text]


@pytest.fixture
async def guarded(settings: Settings) -> AsyncIterator[Service]:
    """The API over targets whose plans need an approval."""
    guarded = {name: replace(t, policy=Policy.APPROVE) for name, t in settings.targets.items()}
    async with serving(replace(settings, targets=guarded), open_reads=True) as service:
        yield service


async def test_plans(guarded: Service) -> None:
    """A plan that a run proposed is listed, read whole, approved, and then applied as it is."""
    run = await guarded.synced("orders-eu")
    assert (run["state"], run["approver"]) == ("proposed", None)
    assert run["events"][-1]["kind"] == "plan.proposed"
    (listed,) = (await guarded.get("plans", state="proposed")).json()["items"]
    assert listed["proposals"] == [
        {
            "plan": listed["digest"],
            "target": "orders-eu",
            "actor": "token:operator",
            "run": run["id"],
            "at": run["ended_at"],
        }
    ]
    path = f"plans/{listed['digest']}"
    whole = (await guarded.get(path)).json()
    assert whole["record"] == listed
    assert [step["revision"] for step in whole["plan"]["steps"]][-1:] == whole["plan"]["after"]
    (target,) = (await guarded.get("targets", status="behind", label="region=eu")).json()["items"]
    assert target["awaits"] == listed["digest"]
    said = await guarded.post(f"{path}/approve", Role.APPROVER, reason="read it")
    assert said.status_code == 200
    decision = said.json()["decision"]
    assert (decision["state"], decision["actor"]) == ("approved", "token:approver")
    done = await guarded.synced("orders-eu")
    assert (done["state"], done["plan"]) == ("succeeded", listed["digest"])
    assert done["approver"] == "token:approver"
    assert (await guarded.get("plans", state="proposed")).json()["items"] == []
    assert (await guarded.get("plans", history="none")).json()["items"] == []


async def test_pages_of_plans(guarded: Service) -> None:
    """Plans come newest first, page by page."""
    for to in ("+1", "+2", "head"):
        await guarded.synced("orders-eu", to)
    first = (await guarded.get("plans", limit=2)).json()
    second = (await guarded.client.get(first["next"])).json()
    digests = [plan["digest"] for plan in (*first["items"], *second["items"])]
    assert len(set(digests)) == len(digests) == len((await guarded.get("plans")).json()["items"])
    assert second["next"] is None


async def test_decisions_that_are_refused(guarded: Service) -> None:
    """A plan that nobody knows, a request of one's own and a bad body are problems."""
    await guarded.post("targets/orders-eu/sync", Role.ADMIN)
    run = (await guarded.get("runs")).json()["items"][0]
    await guarded.end_of(run["id"])
    digest = (await guarded.get("plans")).json()["items"][0]["digest"]
    for path, role, body, status, code in (
        (f"plans/{'0' * 64}/approve", Role.APPROVER, {}, 404, "unknown-plan"),
        (f"plans/{digest}/approve", Role.ADMIN, {}, 403, "own-request"),
        (f"plans/{digest}/reject", Role.APPROVER, {"why": "no"}, 422, "invalid-request"),
        (f"plans/{digest}/reject", Role.APPROVER, {"reason": ""}, 422, "invalid-request"),
    ):
        answer = await guarded.post(path, role, **body)
        assert (answer.status_code, answer.json()["type"].rpartition(":")[2]) == (status, code)
    assert (await guarded.get("plans", state="proposed")).json()["items"][0]["digest"] == digest
    rejected = await guarded.post(f"plans/{digest}/reject", Role.APPROVER, reason="not now")
    assert rejected.json()["decision"]["reason"] == "not now"
    run = await guarded.synced("orders-eu")
    assert (run["state"], run["error"].partition(" was ")[2]) == (
        "failed",
        "rejected by token:approver: not now",
    )
