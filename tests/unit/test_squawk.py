"""Plans as squawk reads them, and what it says as findings."""

from __future__ import annotations

from sync.plan.canonical import plan_of
from sync.plan.findings import Finding
from sync.plan.model import Block, Step, StepClass
from sync.plan.squawk import arguments, findings, pieces
from tests.support.engine import at

PLAN = plan_of(
    "app",
    "postgresql",
    at(),
    [
        Step(
            "a",
            at(),
            at("a"),
            "",
            kind=StepClass.STATIC,
            blocks=(
                Block(("CREATE TABLE a (\n  id int\n);", "DROP TABLE b -- at last")),
                Block(("CREATE INDEX CONCURRENTLY i ON a (id)",), transactional=False),
            ),
        ),
        Step("b", at("a"), at("b"), ""),
    ],
)


def said(
    file: str, line: int, rule: str = "a-rule", advice: str | None = None
) -> dict[str, object]:
    """Build one of squawk's findings."""
    message = "Something is\n wrong."
    return {"file": file, "line": line, "rule_name": rule, "message": message, "help": advice}


def test_each_block_is_a_file() -> None:
    """A block is a file, transactional or not; a comment does not swallow what comes next."""
    first, second = pieces(PLAN)
    assert first.sql == "CREATE TABLE a (\n  id int\n)\n;\nDROP TABLE b -- at last\n;\n"
    assert (first.transactional, first.revision, first.lines) == (True, "a", (0, 4))
    assert (second.transactional, second.revision, second.first) == (False, "a", 3)


def test_a_line_is_a_statement_of_a_revision() -> None:
    """Lines of files become numbers of statements in their step, in the order of the plan."""
    told = [said("1.sql", 0), said("0.sql", 4), said("0.sql", 2, advice="Do\nbetter.")]
    assert list(findings(told, pieces(PLAN))) == [
        Finding("squawk:a-rule", "Something is wrong", "Do better", "a", 1),
        Finding("squawk:a-rule", "Something is wrong", "", "a", 2),
        Finding("squawk:a-rule", "Something is wrong", "", "a", 3),
    ]


def test_a_rule_finds_a_statement_once() -> None:
    """Three columns of one kind in one statement are one finding."""
    assert len(list(findings([said("0.sql", 0), said("0.sql", 1)], pieces(PLAN)))) == 1


def test_squawk_is_asked_as_the_plan_will_run() -> None:
    """It is told the server's major and the transaction, and which rules the settings name."""
    told = arguments(
        major="15", wanted=["drop-table", "squawk:syntax-error", "squawk:b"], transactional=True
    )
    assert told[2:] == ("--include=b", "--pg-version=15", "--assume-in-transaction")
    assert not {"--assume-in-transaction", "--include="} & set(
        arguments(major="", wanted=[], transactional=False)
    )
