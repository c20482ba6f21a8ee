"""The bytes of a plan: equal for what would be sent equally, and for nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from providers.types import BASE
from sync.plan.canonical import digest, plan_from_text, plan_of, plan_to_text, text_of
from sync.plan.model import (
    Block,
    KnownType,
    NotedDirective,
    Plan,
    SkippedDirective,
    Step,
    StepClass,
)
from tests.support.engine import at

STATIC = Step(
    "a1", BASE, at("a1"), "s1", StepClass.STATIC, ("why",), (Block(("CREATE TABLE t ()", "é ✓ '")),)
)
CATALOG = Step(
    "a2",
    at("a1"),
    at("a2", "b1"),
    "s2",
    StepClass.CATALOG,
    ("reads the catalog",),
    (Block(("VACUUM",), transactional=False),),
    "f",
    (SkippedDirective("index", "on t"),),
    (KnownType("enum", None, "mood"),),
    (NotedDirective("protocol", "of t"),),
)
LIVE = Step("a3", at("a2", "b1"), at("a3"), "s3", StepClass.LIVE, ("reads t",))
PLAN = plan_of(
    "app", "postgresql", BASE, (STATIC, CATALOG, LIVE), prologue=("SET x = 1",), sources="s"
)


def test_a_plan_is_read_back_as_it_was_written() -> None:
    """Nothing of it is lost, and its digest is computed to be the same."""
    assert plan_from_text(plan_to_text(PLAN)) == PLAN


def test_canonical_json_has_one_form() -> None:
    """Sorted keys, no blanks, no escapes."""
    assert text_of({"b": ["é"], "a": None}) == '{"a":null,"b":["é"]}'


@pytest.mark.parametrize(
    "other",
    [
        replace(PLAN, dialect="databricks"),
        replace(PLAN, before=at("x")),
        replace(PLAN, prologue=()),
        replace(PLAN, steps=PLAN.steps[:2]),
        replace(PLAN, steps=PLAN.steps[::-1]),
        replace(PLAN, sources="other"),
        replace(PLAN, steps=(replace(STATIC, blocks=(Block(("CREATE TABLE t()",)),)),)),
        replace(PLAN, steps=(replace(STATIC, kind=StepClass.CATALOG), CATALOG, LIVE)),
        replace(PLAN, steps=(STATIC, replace(CATALOG, fingerprint="g"), LIVE)),
        replace(PLAN, steps=(STATIC, CATALOG, replace(LIVE, script="s4"))),
        replace(PLAN, steps=(STATIC, replace(CATALOG, skips=()), LIVE)),
        replace(PLAN, steps=(STATIC, replace(CATALOG, notes=()), LIVE)),
    ],
)
def test_what_would_be_sent_otherwise_has_another_digest(other: Plan) -> None:
    """Dialect, heads, statements, boundaries, classes, remarks, and what live steps depend on."""
    assert digest(other) != PLAN.digest


@pytest.mark.parametrize(
    "same",
    [
        replace(PLAN, history="other"),
        replace(PLAN, steps=(replace(STATIC, script="edited"), CATALOG, LIVE)),
        replace(PLAN, steps=(STATIC, replace(CATALOG, why=()), LIVE)),
        replace(PLAN, steps=(STATIC, CATALOG, replace(LIVE, why=("other words",)))),
    ],
)
def test_what_would_be_sent_equally_has_the_same_digest(same: Plan) -> None:
    """Names, reasons, and the scripts of steps whose statements are known do not count."""
    assert digest(same) == PLAN.digest


def test_the_order_of_remarks_does_not_count() -> None:
    """SQLAlchemy keeps the indexes of a table in a set: they are skipped in any order."""
    skips = (SkippedDirective("index", "a on t"), SkippedDirective("index", "b on t"))
    one, other = (replace(STATIC, skips=each) for each in (skips, skips[::-1]))
    assert digest(replace(PLAN, steps=(one,))) == digest(replace(PLAN, steps=(other,)))


def test_sources_count_for_live_steps_only() -> None:
    """Where all is known, no file matters."""
    known = plan_of("app", "postgresql", BASE, (STATIC,), sources="one")
    assert known.digest == plan_of("app", "postgresql", BASE, (STATIC,), sources="two").digest
