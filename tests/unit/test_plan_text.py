"""The SQL of a plan as a text, and what people are shown of it."""

from __future__ import annotations

import pytest

from providers.types import BASE, Heads
from sync.cli.plan_text import previews_text, shortened
from sync.errors import UnknownRevisionError
from sync.history import Graph, Revision, named
from sync.model import Verb
from sync.plan.canonical import plan_of
from sync.plan.model import Block, NotedDirective, Plan, Preview, SkippedDirective, Step, StepClass
from sync.plan.script import sql_text
from sync.preview import direction


def at(*revisions: str) -> Heads:
    """Return heads."""
    return frozenset(revisions)


def a_plan(*steps: Step, prologue: tuple[str, ...] = ()) -> Plan:
    """Return a plan of the history app on Postgres."""
    return plan_of("app", "postgresql", BASE, steps, prologue=prologue)


ATOMIC = Step("a1", BASE, at("a1"), "0" * 64, StepClass.STATIC, (), (Block(("DROP TABLE t",)),))


def body(plan: Plan) -> list[str]:
    """Return the lines behind the two that name the plan."""
    return sql_text(plan, {"b2": "b2_later.py"}).splitlines()[2:]


def test_a_transaction() -> None:
    """A step that is one transaction is written out as one, with its lock and its stamp."""
    assert body(a_plan(ATOMIC)) == [
        "",
        "-- step 1 of 1: a1, static",
        "BEGIN; -- guard: the version table holds base",
        "-- lock: ACCESS EXCLUSIVE on t",
        "DROP TABLE t;",
        "COMMIT; -- with the version table: base -> a1",
    ]


def test_what_commits_alone() -> None:
    """Statements outside a transaction stand outside of one, and the stamp comes last."""
    alone = Block(("CREATE INDEX CONCURRENTLY ix ON t (a)",), transactional=False)
    step = Step(
        "a1",
        BASE,
        at("a1"),
        "",
        StepClass.CATALOG,
        ("reads the catalog, a1.py line 3",),
        (Block(("SELECT 1 -- one", "SELECT 2;")), alone),
        skips=(SkippedDirective("index", "no counterpart"),),
        notes=(NotedDirective("protocol", "writer version 7"),),
    )
    assert body(a_plan(step, prologue=("SET search_path TO a",))) == [
        "-- ahead of the steps, once for each session:",
        "SET search_path TO a;",
        "",
        "-- step 1 of 1: a1, catalog",
        "-- catalog: reads the catalog, a1.py line 3",
        "-- skipped: index: no counterpart",
        "-- noted: protocol: writer version 7",
        "BEGIN; -- guard: the version table holds base",
        "SELECT 1 -- one",
        ";",
        "SELECT 2;",
        "COMMIT;",
        "-- outside a transaction:",
        "-- lock: SHARE UPDATE EXCLUSIVE on t",
        "CREATE INDEX CONCURRENTLY ix ON t (a);",
        "-- version table: base -> a1",
    ]


def test_a_live_step() -> None:
    """Of a live step the text names the script; where that has no file, its sha256."""
    step = Step("b2", BASE, at("b2"), "f00", why=("reads tenant, b2.py line 14",))
    assert body(a_plan(step))[2:] == [
        "-- live: reads tenant, b2.py line 14",
        "-- SQL not known beforehand, script b2_later.py",
    ]
    assert sql_text(a_plan(step), {}).endswith("script f00")


def test_a_step_that_sends_nothing() -> None:
    """A revision without statements still moves the version table."""
    step = Step("a1", BASE, at("a1"), "", StepClass.STATIC)
    assert body(a_plan(step))[-1] == "-- version table: base -> a1"


def test_targets_of_equal_plans_stand_together() -> None:
    """What is sent to several is printed once; who gets nothing, and why, stands there too."""
    plan = a_plan(ATOMIC)
    text = previews_text(
        [
            Preview("eu", plan),
            Preview("bad", None, "cannot be reached"),
            Preview("us", plan),
            Preview("head", a_plan()),
        ],
        {"app": {}},
    )
    assert text.count("DROP TABLE t") == 1
    heads = [line for line in text.splitlines() if line.startswith(("-- eu", "-- bad", "-- head"))]
    assert heads == [
        "-- bad: cannot be reached",
        "-- eu, us: 1 step",
        "-- head: nothing to send",
    ]


def test_a_long_statement_is_shortened() -> None:
    """A statement is shown on one line, cut where it is long."""
    assert shortened("SELECT\n  1") == "SELECT 1"
    assert shortened("x" * 73) == "x" * 71 + "…"


GRAPH = Graph(
    "app",
    {
        each.id: each
        for each in (
            Revision(id="a1", parents=()),
            Revision(id="a2", parents=("a1",), labels=("billing",)),
            Revision(id="b3", parents=("a2",)),
        )
    },
    at("b3"),
    "",
)


@pytest.mark.parametrize(
    ("name", "heads"),
    [
        ("base", BASE),
        ("head", at("b3")),
        ("heads", at("b3")),
        ("a1", at("a1")),
        ("b", at("b3")),
        ("billing", at("a2")),
    ],
)
def test_names_of_revisions(name: str, heads: Heads) -> None:
    """A revision has its id, each beginning of it that is its own, and its labels."""
    assert named(GRAPH, name) == heads


@pytest.mark.parametrize(
    ("name", "message"),
    [("a", "a is ambiguous: a1, a2"), ("zz", "there is no revision zz")],
)
def test_names_of_none(name: str, message: str) -> None:
    """What names none, or several, is refused in one line."""
    with pytest.raises(UnknownRevisionError, match=f"^history app: {message}$"):
        named(GRAPH, name)


@pytest.mark.parametrize(
    ("start", "to", "verb"),
    [
        ("base", "head", Verb.SYNC),
        ("a1", "b3", Verb.SYNC),
        ("b3", "b3", Verb.SYNC),
        ("b3", "a1", Verb.DOWNGRADE),
        ("b3", "base", Verb.DOWNGRADE),
        ("b3", "-1", Verb.DOWNGRADE),
        ("base", "+1", Verb.SYNC),
        ("base", "base", Verb.SYNC),
    ],
)
def test_which_way(start: str, to: str, verb: Verb) -> None:
    """What lies below where one stands is a downgrade."""
    assert direction(GRAPH, named(GRAPH, start), to) is verb
