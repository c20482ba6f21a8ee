"""How two recordings of one path become a plan."""

from __future__ import annotations

from dataclasses import replace

import pytest

from providers.types import BASE, Target
from sync.plan.assembly import assembled
from sync.plan.model import Plan, Step, StepClass
from sync.plan.recording import Failure, Recording, Sent, SentBlock, Stage, Taken
from sync.scrub import HIDDEN
from tests.support.engine import at

TARGET = Target(name="eu", history="app", dialect="postgresql", url="postgresql://u@h/d")
STATIC, CATALOG, LIVE = StepClass.STATIC, StepClass.CATALOG, StepClass.LIVE

PATH = (
    Step("a1", BASE, at("a1"), "s1"),
    Step("a2", at("a1"), at("a2"), "s2"),
    Step("a3", at("a2"), at("a3"), "s3"),
)
NOTHING = Taken()


def sent(sql: str, *, place: str = "a.py line 9", read: bool = False) -> Sent:
    """Return a statement that succeeded."""
    return Sent(sql, place, read)


def took(*sqls: str) -> Taken:
    """Return what a script has sent in one transaction."""
    return Taken((SentBlock(transactional=True, statements=tuple(map(sent, sqls))),))


def looked(sql: str, *more: str) -> Taken:
    """Return what a script has sent that looked at the first one's result."""
    statements = (sent(sql, read=True), *map(sent, more))
    return Taken((SentBlock(transactional=True, statements=statements),), fingerprint="f")


def recording(*steps: Taken, **parts: object) -> Recording:
    """Return a recording of the first steps of the path."""
    whole = Recording(PATH[: len(steps)], steps, (), (), NOTHING, NOTHING, None, {})
    return replace(whole, **parts)  # type: ignore[arg-type]  # the fields are the test's own


def plan(one: Recording, other: Recording | None = None) -> Plan:
    """Return the plan of two recordings, of one that came out twice alike where there is one."""
    return assembled(TARGET, BASE, one, other or one)


def kept(*sqls: str) -> tuple[str, ...]:
    """Return what a step sends whose script has sent *sqls*."""
    (step,) = plan(recording(took(*sqls))).steps
    return tuple(sql for block in step.blocks for sql in block.statements)


def test_a_step_is_what_its_script_looked_at() -> None:
    """Nothing: static; the catalog: catalog, with the fingerprint; data: live, with the place."""
    found = plan(
        recording(
            took("CREATE TABLE t ()"),
            looked("SELECT relname FROM pg_class", "DROP TABLE t"),
            looked("SELECT * FROM t", "DROP TABLE u"),
        )
    )
    assert [step.kind for step in found.steps] == [STATIC, CATALOG, LIVE]
    assert [step.why for step in found.steps] == [
        (),
        ("reads the catalog, a.py line 9",),
        ("reads t, a.py line 9",),
    ]
    assert found.steps[1].fingerprint == "f"
    assert found.steps[1].blocks[0].statements == ("DROP TABLE t",)
    assert found.steps[2].blocks == ()


@pytest.mark.parametrize(
    ("other", "why"),
    [
        (took("CREATE TABLE u ()"), "comes out different when it is compiled again"),
        (NOTHING, "comes out different when it is compiled again"),
        (
            Taken((SentBlock(transactional=False, statements=(sent("CREATE TABLE t ()"),)),)),
            "comes out different when it is compiled again",
        ),
    ],
    ids=["text", "nothing", "boundary"],
)
def test_what_comes_out_different_is_live(other: Taken, why: str) -> None:
    """Statements and boundaries must come out twice alike."""
    (step,) = plan(recording(took("CREATE TABLE t ()")), recording(other)).steps
    assert (step.kind, step.why, step.blocks) == (LIVE, (why,), ())


def test_indexes_of_one_table_have_no_order() -> None:
    """SQLAlchemy creates them from a set: another order is no difference, nor another digest."""
    indexes = ("CREATE INDEX b ON t (x)", "CREATE UNIQUE INDEX a ON t (y)")
    one, other = recording(took("X", *indexes, "Y")), recording(took("X", *indexes[::-1], "Y"))
    assert plan(one, other).steps[0].kind is STATIC
    assert plan(one).digest == plan(other).digest


@pytest.mark.parametrize(
    "pair",
    [
        ("CREATE INDEX ON t (b)", "CREATE INDEX ON t (a)"),
        ("CREATE INDEX IF NOT EXISTS i ON t (b)", "CREATE INDEX IF NOT EXISTS i ON t (a)"),
        ("CREATE INDEX b ON t (b); DROP TABLE u", "CREATE INDEX a ON t (a)"),
        ("INSERT INTO t VALUES (2)", "INSERT INTO t VALUES (1)"),
    ],
)
def test_other_statements_keep_their_order(pair: tuple[str, str]) -> None:
    """What depends on what is ahead of it stays where the script had it."""
    assert kept(*pair) == pair


def test_what_does_nothing_is_not_sent() -> None:
    """Savepoints that are kept, blanks around a text, and empty texts."""
    assert kept("SAVEPOINT a", "  DROP TABLE t\n", " ", "RELEASE SAVEPOINT a") == ("DROP TABLE t",)


@pytest.mark.parametrize(
    ("taken", "why"),
    [
        (took("COMMIT"), "begins or ends a transaction in its SQL, a.py line 9"),
        (took(f"SET x = '{HIDDEN}'"), "has a secret of the settings in its SQL, a.py line 9"),
        (Taken(reasons=("goes on after KeyError",)), "goes on after KeyError"),
        (Taken(undone=(sent("SELECT * FROM t", read=True),)), "reads t, a.py line 9"),
    ],
    ids=["commit", "secret", "noticed", "undone"],
)
def test_what_cannot_be_replayed_is_live(taken: Taken, why: str) -> None:
    """Each reason that a step is live is kept."""
    (step,) = plan(recording(taken)).steps
    assert (step.kind, step.why) == (LIVE, (why,))


@pytest.mark.parametrize("first", [0, 1])
def test_a_failure_has_the_rest_run_live(first: int) -> None:
    """Whichever of the two recordings ended early: the step that failed, and those behind it."""
    taken = Taken(undone=(sent("SELECT * FROM t", read=True),))
    failure = Failure(Stage.PATH, "a2", taken, {})
    whole = recording(took("X"), took("Y"), took("Z"))
    early = replace(whole, steps=whole.steps[:1], failure=failure)
    pair = (early, whole) if first else (whole, early)
    found = plan(*pair)
    assert [step.kind for step in found.steps] == [STATIC, LIVE, LIVE]
    assert found.steps[1].why == ("reads t, a.py line 9", "fails on the shadow")
    assert found.steps[2].why == ("comes behind a2, which fails on the shadow",)


@pytest.mark.parametrize(
    ("parts", "prologue"),
    [
        ({"setup": ("SELECT set_config('a', 'b', false)",)}, 1),
        ({"ahead": took("SET search_path TO x", "CREATE SCHEMA IF NOT EXISTS x")}, 2),
        ({"aside": ("create extension  IF NOT EXISTS pgcrypto;",)}, 0),
        ({"aside": ("CREATE SCHEMA IF NOT EXISTS x",)}, 1),
        ({"aside": ("SET x = 1", "USE CATALOG c", "SELECT 1")}, 0),
        ({"behind": took("SET x = 1")}, 0),
    ],
)
def test_what_env_py_may_send_again_is_sent_ahead(parts: dict[str, object], prologue: int) -> None:
    """Settings, and what is made where it is missing; those of other connections are known."""
    found = plan(recording(took("X"), took("Y"), **parts))
    assert len(found.prologue) == prologue
    assert found.steps[1].kind is STATIC


@pytest.mark.parametrize(
    ("parts", "why"),
    [
        ({"ahead": took("CREATE SCHEMA x")}, "env.py sends SQL of its own: CREATE SCHEMA x"),
        ({"ahead": took("SET LOCAL x = 1")}, "env.py sends SQL of its own: SET LOCAL x = 1"),
        (
            {"ahead": took("SELECT set_config('a', 'b', true)")},
            "env.py sends SQL of its own: SELECT set_config('a', 'b', true)",
        ),
        (
            {"behind": took("CREATE SCHEMA IF NOT EXISTS x")},
            "env.py sends SQL of its own: CREATE SCHEMA IF NOT EXISTS x",
        ),
        ({"ahead": looked("SELECT * FROM t")}, "hook or env.py reads t, a.py line 9"),
        ({"aside": ("WITH x AS (SELECT * FROM t) SELECT 1",)}, "hook or env.py reads t"),
        ({"ahead": Taken(reasons=("goes on after KeyError",))}, "goes on after KeyError"),
    ],
)
def test_what_env_py_does_itself_has_all_run_live(parts: dict[str, object], why: str) -> None:
    """No step is replayed, and nothing is sent ahead, where env.py has a part in it."""
    found = plan(recording(took("X"), took("Y"), **parts))
    assert [step.why for step in found.steps] == [(why,), (why,)]
    assert found.prologue == ()


@pytest.mark.parametrize(
    ("aside", "why"),
    [
        ("CREATE TABLE t ()", "hook or env.py changes something first: CREATE TABLE t ()"),
        ("SELECT to_regclass('t')", "hook or env.py reads the catalog"),
    ],
)
def test_what_env_py_does_beside_has_the_first_run_live(aside: str, why: str) -> None:
    """It runs with the first script, on a connection of its own, and is done then."""
    found = plan(recording(took("X"), took("Y"), aside=(aside,)))
    assert [step.why for step in found.steps] == [(why,), ()]
