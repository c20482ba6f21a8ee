from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from providers.errors import StatementError
from sync.plan.conversation import Sent
from sync.plan.model import Block, Step, StepClass
from sync.replay import beginning, located
from sync.resume import is_setting, rest
from sync.store.statements import digest_of
from tests.support.engine import at

SETTINGS = ("SET search_path = eu", "  reset role;", "USE CATALOG main", "SET LOCAL x.y = '1'")


def random_blocks(source: random.Random) -> tuple[Block, ...]:
    """Return blocks as a compiled step has them: several statements, or one that stands alone."""
    names = iter(range(100))

    def text() -> str:
        setting = source.random() < 0.25
        return source.choice(SETTINGS) if setting else f"CREATE TABLE t{next(names)} ()"

    return tuple(
        Block(tuple(text() for _ in range(source.randint(1, 3))))
        if source.random() < 0.5
        else Block((text(),), transactional=False)
        for _ in range(source.randint(1, 5))
    )


def sent(blocks: Sequence[Block]) -> list[Sent]:
    """Return what the journal tells when all of *blocks* were sent."""
    return [(digest_of(sql), None) for sql in texts(blocks)]


def texts(blocks: Sequence[Block]) -> list[str]:
    """Return all statements, in order."""
    return [sql for block in blocks for sql in block.statements]


def work(blocks: Sequence[Block]) -> list[str]:
    """Return those that change something."""
    return [sql for sql in texts(blocks) if not is_setting(sql)]


@pytest.mark.parametrize("seed", range(200))
def test_nothing_with_an_effect_is_sent_twice_or_left_out(seed: int) -> None:
    """Wherever a step stopped between two blocks, what stood and the rest are all of it."""
    blocks = random_blocks(random.Random(seed))  # noqa: S311 - no secret is made
    for end in range(len(blocks) + 1):
        left = rest(blocks, sent(blocks[:end]))
        assert left is not None
        assert work(blocks[:end]) + work(left) == work(blocks)
        assert all(block.statements for block in left)
        assert [block for block in left if work([block])] == [b for b in blocks[end:] if work([b])]


@pytest.mark.parametrize("seed", range(50))
def test_resumed_again_and_again(seed: int) -> None:
    """A step that stops in each of its tries comes to its end, each statement sent once."""
    blocks = random_blocks(random.Random(seed))  # noqa: S311 - no secret is made
    journal: list[Sent] = []
    while True:
        left = rest(blocks, journal)
        assert left is not None
        if not work(left):
            break
        upto = next(place for place, block in enumerate(left) if work([block]))
        journal += sent(left[: upto + 1])  # settings come again, one block gets through
    effects = [digest_of(sql) for sql in work(blocks)]
    assert [digest for digest, _ in journal if digest in effects] == effects


@pytest.mark.parametrize("seed", range(50))
def test_another_text_is_no_beginning(seed: int) -> None:
    """What stands must be how the step begins, word for word; else nothing is left to replay."""
    source = random.Random(seed)  # noqa: S311 - no secret is made
    blocks = random_blocks(source)
    standing = [each for each in sent(blocks) if each[0] in map(digest_of, work(blocks))]
    if not standing:
        return
    place = source.randrange(len(standing))
    assert rest(blocks, [*standing[:place], (digest_of("other"), None)]) is None
    assert rest(blocks, [*standing[:place], (standing[place][0], "parameters")]) is None
    assert rest(blocks, [*standing, standing[-1]]) is None


def test_the_session_is_set_up_again() -> None:
    """Of what stands, a setting is sent again for the rest; one of its transaction is not."""
    blocks = (
        Block(("SET LOCAL a.b = '1'", "CREATE TABLE one ()", "SET search_path = eu")),
        Block(("CREATE INDEX CONCURRENTLY ix ON one (id)",), transactional=False),
    )
    assert rest(blocks, sent(blocks[:1])) == (Block(("SET search_path = eu",)), blocks[1])


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SET ROLE app", True),
        ("select  set_config('a.b', 'c', false);", True),
        ("SET a.b = '1'; DROP TABLE users", False),
        ("SETTLE", False),
        ("UPDATE users SET name = 'a'", False),
    ],
)
def test_settings(sql: str, expected: bool) -> None:  # noqa: FBT001 - what is expected
    """A setting is one statement that sets up the session, and nothing else."""
    assert is_setting(sql) is expected


STEP = Step("r2", at("r1"), at("r2"), "s", StepClass.STATIC, blocks=(Block(("ONE", "TWO")),))


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("TWO", "db-1: revision r2, statement 2 of 2 (TWO): no (SQLSTATE 42P01)"),
        (None, "db-1: revision r2: no (SQLSTATE 42P01)"),
        ("its own", "db-1: revision r2: no (SQLSTATE 42P01)"),
    ],
)
def test_an_error_says_where(sql: str | None, said: str) -> None:
    """The error of a statement names target, revision, statement and SQLSTATE in one line."""
    with pytest.raises(StatementError) as caught, located(STEP):
        raise StatementError("no (SQLSTATE 42P01)", target="db-1", code="42P01", sql=sql)
    assert str(caught.value) == said


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("ALTER TABLE users\n  ADD COLUMN age int", "ALTER TABLE users ADD COLUMN age int"),
        ("INSERT INTO users VALUES ('a@b.c')", "INSERT INTO users VALUES"),
        ("UPDATE users SET mail = 'a@b.c'", "UPDATE users SET mail ="),
        ("-- why: 'a@b.c'\n/* and\nhow */ DROP TABLE users", "DROP TABLE users"),
        ("DO $$ geheim $$", "DO"),
        ("SELECT " + "x, " * 40, "SELECT " + ("x, " * 40)[:53].rstrip() + "..."),
    ],
)
def test_beginnings(sql: str, words: str) -> None:
    """Of a statement its first words are told: no value, no comment, on one line."""
    assert beginning(sql) == words
