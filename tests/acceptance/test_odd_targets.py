"""Two of many targets are not as the others: a rollout leaves nobody else behind, and says who."""

from __future__ import annotations

from pathlib import Path

from tests.support.cli import Project
from tests.support.engine import execute, tables, version
from tests.support.postgres import Databases, Postgres

MANY = 20
#: Their places: one has a table already, the other a row that a constraint refuses.
TAKEN, REFUSED = 17, 12

TWO = """op.execute("CREATE TABLE x ()")
    op.execute("CREATE TABLE y (z text)")"""
CHECKED = 'op.execute("ALTER TABLE t_a1 ADD CONSTRAINT low CHECK (id < 10)")'


async def test_two_of_twenty_are_odd(
    tmp_path: Path, databases: Databases, postgres: Postgres
) -> None:
    """Each stops at the revision that it refuses, its statement named; all others reach head."""
    urls = {f"db-{place:02}": url for place, url in enumerate(await databases(MANY), start=1)}
    taken, refused = f"db-{TAKEN}", f"db-{REFUSED}"
    project = Project.create(tmp_path, urls)
    project.toml.write_text(project.toml.read_text().replace('"none"', f'"{postgres.admin_url}"'))
    project.add_script("b2", "a1", TWO)
    project.add_script("c3", "b2", CHECKED)
    await execute(urls[taken], "CREATE TABLE y ()")
    at_a1 = await project.run("sync", refused, "--to", "a1")
    assert (at_a1.code, at_a1.err) == (0, "")
    await execute(urls[refused], "INSERT INTO t_a1 VALUES (99)")

    said = await project.run("sync")
    assert said.code == 3
    assert said.err.splitlines() == [
        (
            f"{refused}: revision c3, statement 1 of 1 (ALTER TABLE t_a1 ADD CONSTRAINT low CHECK)"
            ': check constraint "low" of relation "t_a1" is violated by some row (SQLSTATE 23514)'
        ),
        (
            f"{taken}: revision b2, statement 2 of 2 (CREATE TABLE y): "
            'relation "y" already exists (SQLSTATE 42P07)'
        ),
    ]
    stand = {name: await version(url) for name, url in urls.items()}
    assert (stand.pop(taken), stand.pop(refused)) == ({"a1"}, {"b2"})
    assert len(stand) == MANY - 2
    assert set(map(frozenset, stand.values())) == {frozenset({"c3"})}
    assert await tables(urls[taken]) == {"alembic_version", "t_a1", "y"}

    shown = {line[0]: line for line in (await project.run("status")).lines()}
    assert all("behind" in shown[name] for name in (taken, refused))
    again = await project.run("sync")
    assert (again.code, again.err) == (said.code, said.err)
