"""Known secrets, put where people put them, and then looked for everywhere else."""

from __future__ import annotations

import asyncio
import json
import re
import secrets
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlsplit

import httpx
import pytest

from tests.support.engine import execute, query
from tests.support.histories import SYNC_ENV, Scripts
from tests.support.postgres import Databases, Postgres
from tests.support.service import Service, Site, until

#: Every run ends in one of these.
ENDS = {"succeeded", "failed", "interrupted"}

#: What is looked for: however a secret is encoded, its plain pieces stay as they are.
PIECE = re.compile(r"[A-Za-z0-9]{8,}")

TELLS_ALL = """
import logging, os, sys

url = context.config.get_main_option("sqlalchemy.url")
parts = (url, os.environ["API_KEY"], os.environ["PEM"], context.config.attributes["key"])
for part in parts:
    print(part)
    print(part, file=sys.stderr)
    logging.getLogger("alembic").error("%s", part)
    op.execute(sa.text("SELECT '" + part.replace("'", "''").replace(":", "\\\\:") + "'"))
"""
RAISES = f"""{TELLS_ALL}
raise RuntimeError(" ".join(parts))
"""
RAISES_LATE = f"""{TELLS_ALL}
raise RuntimeError("." * 285 + parts[1])
"""
SENDS = f"""{TELLS_ALL}
op.execute("SELECT broken FROM '" + parts[1] + "'")
"""
WAITS = f"""{TELLS_ALL}
op.execute("SELECT pg_sleep(2)")
"""
BREAKS_A_ROW = f"""{TELLS_ALL}
people = op.create_table("people", sa.Column("email", sa.Text, primary_key=True))
op.bulk_insert(people, [{{"email": parts[1] + "@row"}}] * 2)
"""
ENDS_AT_IMPORT = """
import os, sys

sys.stderr.write(os.environ["API_KEY"] + os.environ["PEM"])
os._exit(3)
"""
HISTORIES: Mapping[str, str] = {
    "waits": WAITS,
    "raises": RAISES,
    "late": RAISES_LATE,
    "sends": SENDS,
    "rows": BREAKS_A_ROW,
}


@dataclass(frozen=True)
class Secrets:
    """One secret of each kind, with what passwords are made of where nobody forbids it."""

    api_key: str = field(default_factory=lambda: made("key"))
    attribute: str = field(default_factory=lambda: made("attribute"))
    plain: str = field(default_factory=lambda: made("plain").replace("/", "-"))
    special: str = field(default_factory=lambda: made("special", ":/@%41 +'\"\\é#?&="))
    wrong: str = field(default_factory=lambda: made("wrong", "@/"))
    control: str = field(default_factory=lambda: made("control", "@:%/ +"))
    pem: str = field(default_factory=lambda: f"-----BEGIN\n{made('pem')}\n  {made('end')}\n-----")

    def pieces(self) -> set[str]:
        """Return the texts that must not be found."""
        return {piece for value in vars(self).values() for piece in PIECE.findall(value)}


def made(kind: str, middle: str = "/+") -> str:
    """Make up a secret with *middle* inside."""
    return f"{kind}{secrets.token_hex(5)}{middle}{secrets.token_hex(6)}{kind}"


@dataclass(frozen=True, slots=True)
class SecretSite(Site):
    """A site whose commands find secrets in their environment, as the user has put them."""

    environ: Mapping[str, str] = field(default_factory=dict)

    async def start(self, *arguments: str, **environ: str) -> asyncio.subprocess.Process:
        """Start one command here."""
        return await Site.start(self, *arguments, **{**self.environ, **environ})


class Findings:
    """Everything that came out of levelhead, by where it was seen."""

    def __init__(self) -> None:
        self._seen: dict[str, str] = {}

    def add(self, place: str, text: str) -> None:
        """Note what was seen at *place*."""
        self._seen[place] = self._seen.get(place, "") + text

    def places(self) -> set[str]:
        """Return where something was seen at all."""
        return {place for place, text in self._seen.items() if text}

    def leaks(self, pieces: Iterable[str]) -> list[str]:
        """Return where which of *pieces* was seen, with what stands around it."""
        return [
            f"{place}: {piece} in ...{text[max(0, at - 200) : at + 60]}..."
            for place, text in self._seen.items()
            for piece in pieces
            if (at := text.find(piece)) >= 0
        ]


@pytest.fixture
def known() -> Secrets:
    """Give the secrets that are to be looked for."""
    return Secrets()


@pytest.fixture
async def roles(postgres: Postgres, known: Secrets) -> AsyncIterator[Mapping[str, str]]:
    """Give superusers of the session's server, by kind: each has the password of its kind."""
    names = {kind: f"{kind}_{secrets.token_hex(4)}" for kind in ("plain", "special", "control")}
    for kind, name in names.items():
        password = getattr(known, kind).replace("'", "''")
        sql = f"CREATE ROLE {name} LOGIN SUPERUSER PASSWORD '{password}'"
        await execute(postgres.admin_url, f"SET standard_conforming_strings = on; {sql}")
    yield names
    for name in names.values():
        await execute(postgres.admin_url, f"DROP ROLE {name}")


@pytest.fixture
async def site(
    tmp_path: Path, roles: Mapping[str, str], databases: Databases, known: Secrets
) -> SecretSite:
    """Give a site with targets that work and that fail, each in a way that likes to talk."""
    folder = tmp_path / "site"
    urls = await databases(9)

    def url(place: int, role: str, password: str) -> str:
        parts = urlsplit(urls[place])
        netloc = f"{role}:{password}@{parts.hostname}:{parts.port}"
        return parts._replace(netloc=netloc).geturl()

    tables = [
        f'[control]\nurl = "{url(0, roles["control"], "${CONTROL}")}"',
        '[schedule]\nevery = "1m"\njitter = "0s"\nruns = 8',
    ]
    for place, (name, body) in enumerate(HISTORIES.items(), start=1):
        make_history(folder / name, body)
        tables += [history_table(name), target_table(name, url(place, roles["plain"], "${PLAIN}"))]
    make_history(folder / "mute", "pass").write("a2", ENDS_AT_IMPORT)
    files = {
        "special.url": url(6, roles["special"], quote(known.special, safe="")),
        "attribute.key": known.attribute,
        "key.pem": known.pem,
    }
    for name, text in files.items():
        (folder / name).write_text(text)
    tables += [
        history_table("mute"),
        target_table("mute", url(7, roles["plain"], "${PLAIN}")),
        target_table("special", "file:special.url", history="raises"),
        target_table("wrong", url(8, roles["plain"], "${WRONG}"), history="raises"),
    ]
    (folder / "levelhead.toml").write_text("\n\n".join(tables))
    environ = {
        "API_KEY": known.api_key,
        "PLAIN": known.plain,
        "WRONG": known.wrong,
        "CONTROL": known.control,
    }
    return SecretSite(folder, environ)


def make_history(folder: Path, body: str) -> Scripts:
    """Write a history of one revision."""
    scripts = Scripts(folder, SYNC_ENV)
    scripts.add("a1", f"from alembic import context\n{body}")
    return scripts


def history_table(name: str) -> str:
    """Return the settings of a history that is given every kind of secret."""
    return (
        f'[[history]]\nname = "{name}"\nconfig = "{name}/alembic.ini"\n'
        'env = { API_KEY = "${API_KEY}", PEM = "file:key.pem", ITS_URL = "{url}" }\n'
        'attributes = { key = "file:attribute.key" }'
    )


def target_table(name: str, url: str, *, history: str | None = None) -> str:
    """Return the settings of a target."""
    return f'[[target]]\nname = "{name}"\nhistory = "{history or name}"\nurl = "{url}"'


async def test_secrets_stay_where_they_were_put(
    site: SecretSite, known: Secrets, postgres: Postgres
) -> None:
    """They are in no log, event, answer, error, process list, table or file that we make."""
    findings = Findings()
    async with site.served() as service:
        await look_at_processes(service, findings)
        await until(lambda: all_have_ended(service), within=60)
        key = await look_at_tokens(site)
        await look_at_commands(site, findings)
        await look_at_answers(service, key, findings)
        assert await service.stop() == 0
        assert service.process.stdout is not None
        findings.add("service's output", (await service.process.stdout.read()).decode())
    await look_at_control_database(site, postgres, findings)
    files = await asyncio.to_thread(files_of, site.folder)
    for name, text in files.items():
        findings.add(f"file {name}", text)

    pieces = known.pieces() | {key, (site.folder / "levelhead.token").read_text().strip()}
    assert findings.places() >= {
        "command line of a runner",
        "environment of a runner",
        "service's output",
        "command events --json",
        "answer of /events",
        "table statements",
    }
    assert findings.leaks(pieces) == []


async def all_have_ended(service: Service) -> bool:
    """Tell whether every target that can be reached has had its run."""
    runs = await service.runs()
    ended = {run["target"] for run in runs if run["state"] in ENDS}
    return ended >= {*HISTORIES, "special"}


async def look_at_processes(service: Service, findings: Findings) -> None:
    """Look at the service and at its runners while they are at work."""
    found: dict[int, tuple[str, str]] = {}

    async def one_is_waiting() -> bool:
        for pid in await service.runners():
            found.setdefault(pid, listing(pid))
        return any(run["state"] in ENDS for run in await service.runs())

    await until(one_is_waiting, within=60)
    for arguments, environment in found.values():
        findings.add("command line of a runner", arguments)
        findings.add("environment of a runner", environment)
    findings.add("command line of the service", listing(service.process.pid)[0])


def listing(pid: int) -> tuple[str, str]:
    """Return arguments and environment of a process; empty where it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(), Path(f"/proc/{pid}/environ").read_text()
    except OSError:
        return "", ""


async def look_at_tokens(site: Site) -> str:
    """Create a token, whose key is shown this once, and return the key."""
    created = await site.run("token", "create", "ada", "--role", "operator")
    assert created.code == 0, created.err
    return created.out.strip()


async def look_at_commands(site: SecretSite, findings: Findings) -> None:
    """Run what prints a lot, what fails, and what fails with a traceback."""
    commands = [
        ("check",),
        ("status",),
        ("runs", "--json"),
        ("events", "--json"),
        ("sync", "--dry-run", "--json"),
        ("sync", "raises"),
        ("sync", "nowhere"),
    ]
    for command in commands:
        told = await site.run(*command, LEVELHEAD_DEBUG="1")
        findings.add(f"command {' '.join(command)}", told.out + told.err)
    wrong = {**site.environ, "CONTROL": site.environ["WRONG"]}
    for command in commands[:2]:
        told = await SecretSite(site.folder, wrong).run(*command, LEVELHEAD_DEBUG="1")
        assert told.code
        findings.add(f"command {command[0]} with a wrong password", told.out + told.err)


async def look_at_answers(service: Service, key: str, findings: Findings) -> None:
    """Read everything that the API gives, and a few errors."""
    everything = await service.events()
    findings.add("answer of /events", json.dumps(everything, ensure_ascii=False))
    digests = {digest for event in everything for digest in event["data"].get("statements", ())}
    runs = await service.runs()
    names = [target["name"] for target in (await service.targets()).values()]
    paths = [
        *("/targets", "/runs", "/events/verify", "/healthz", "/readyz", "/tokens", "/nowhere"),
        *(f"/statements/{digest}" for digest in digests),
        *(f"/runs/{run['id']}" for run in runs),
        *(f"/rollouts/{run['rollout']}" for run in runs),
        *(f"/targets/{name}" for name in names),
        *(f"/histories/{name}/revisions" for name in (*HISTORIES, "mute")),
    ]
    headers = {"Authorization": f"Bearer {service.site.token}"}
    for path in paths:
        answer = await service.client.get(path, headers=headers)
        findings.add(f"answer of {path}", f"{answer.headers}{answer.text}")
    wrong = await service.client.get("/tokens", headers={"Authorization": f"Bearer {key}x"})
    assert wrong.status_code == httpx.codes.UNAUTHORIZED
    findings.add("answer to a wrong token", f"{wrong.headers}{wrong.text}")
    for body in ({"dry_run": True}, {"nonsense": True}):
        answer = await service.client.post("/sync", json=body, headers=headers)
        findings.add("answer of POST /sync", answer.text)


async def look_at_control_database(
    site: SecretSite, postgres: Postgres, findings: Findings
) -> None:
    """Read every table of the control database as text."""
    text = await asyncio.to_thread((site.folder / "levelhead.toml").read_text)
    found = re.search(r'\[control\]\nurl = ".*/(\w+)"', text)
    assert found
    url = postgres.url(found[1])
    for (table,) in await query(url, "SELECT relname FROM pg_stat_user_tables"):
        rows = await query(url, f"SELECT t::text FROM {table} t")
        findings.add(f"table {table}", "\n".join(str(row) for (row,) in rows))


def files_of(folder: Path) -> dict[str, str]:
    """Return what is in every file but those into which secrets were put."""
    put = {"levelhead.toml", "levelhead.token", "special.url", "attribute.key", "key.pem"}
    return {
        path.relative_to(folder).as_posix(): path.read_bytes().decode(errors="replace")
        for path in folder.rglob("*")
        if path.is_file() and path.name not in put
    }
