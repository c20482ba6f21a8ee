"""What Alembic writes for Databricks, without a warehouse."""

from __future__ import annotations

import re
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import op
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from databricks.sqlalchemy.base import DatabricksDialect
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import CompileError
from sqlalchemy.schema import CreateIndex, CreateTable

from providers.databricks.ddl import RefusedDirectiveError, install, rehearse
from providers.databricks.ddl.datatypes import name_of, widens
from providers.databricks.ddl.expressions import portable
from providers.databricks.ddl.notes import KINDS as NOTES
from providers.databricks.ddl.skips import KINDS
from sync.settings import skips as settings
from tests.support.databricks_directives import COMMAND, PAGE, rewritten
from tests.support.databricks_rows import MANUAL, ROWS, TYPES, Row, run

REMARK = re.compile(r"-- (skipped|noted) ([a-z-]+): (.*)")


class Script:
    """A script of SQL, as `alembic upgrade --sql` writes it."""

    def __init__(self) -> None:
        self.text = StringIO()
        options = {"as_sql": True, "output_buffer": self.text, "literal_binds": True}
        self.dialect = DatabricksDialect()
        self.op = Operations(MigrationContext(self.dialect, None, options))

    def run(self, call: str) -> None:
        """Run one line of a revision."""
        run(call, self.op)

    @property
    def lines(self) -> list[str]:
        """What was written, blanks as one space each."""
        return [" ".join(each.split()).removesuffix(";") for each in self._pieces()]

    def _pieces(self) -> Iterator[str]:
        pieces = re.split(r";\n\n|(?m:^)(-- .*)\n\n", self.text.getvalue())
        yield from (piece for piece in pieces if piece and piece.strip())


@pytest.fixture(autouse=True)
def skipped() -> list[tuple[str, str]]:
    """Install the rules; give what is told of skips."""
    told: list[tuple[str, str]] = []
    install(lambda kind, detail: told.append((kind, detail)), lambda *_: None)
    return told


@pytest.fixture
def script() -> Script:
    """Give an empty script."""
    return Script()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.call)
def test_a_directive_comes_to_what_the_reference_says(row: Row, script: Script) -> None:
    """A directive is written in its right form, skipped as a comment, or refused."""
    if row.refusal:
        with pytest.raises(RefusedDirectiveError) as refused:
            script.run(row.call) if "batch" not in row.call else recreate(script.dialect)
        assert str(refused.value) == row.refusal
    else:
        script.run(row.call)
    remarks = [match.groups() for line in script.lines if (match := REMARK.fullmatch(line))]
    assert [line for line in script.lines if not REMARK.fullmatch(line)] == list(row.sends)
    skips = [("skipped", *skip) for skip in row.skips]
    assert remarks == [*skips, *(("noted", *note) for note in row.notes)]


def recreate(dialect: DatabricksDialect) -> None:
    """Rehearse a batch that copies its table: offline, Alembic itself wants to look at it."""

    def upgrade() -> None:
        with op.batch_alter_table("people", recreate="always") as batch:
            batch.drop_column("age")

    rehearse(upgrade, dialect)


@pytest.mark.parametrize("text", TYPES)
def test_a_type_has_the_name_that_the_reference_says(text: str) -> None:
    """A type has a name on Databricks that means what it means on Postgres, or none."""
    type_, dialect = eval(f"sa.{text}", {"sa": sa}), DatabricksDialect()  # noqa: S307 - our own table
    if TYPES[text].startswith("("):
        with pytest.raises(CompileError) as refused:
            name_of(type_, dialect)
        assert f"({refused.value.args[0]})" == TYPES[text]
    else:
        assert name_of(type_, dialect) == TYPES[text]


@pytest.mark.parametrize(
    ("type_", "name"),
    [
        (postgresql.TIMESTAMP(timezone=True), "TIMESTAMP"),
        (postgresql.BYTEA(), "BINARY"),
        (postgresql.JSONB(), "STRING"),
        (postgresql.INET(), "STRING"),
        (postgresql.TIME(), "STRING"),
        (postgresql.ARRAY(sa.Text(), dimensions=2), "ARRAY<ARRAY<STRING>>"),
        (postgresql.TSVECTOR().with_variant(sa.Text(), "databricks"), "STRING"),
        (postgresql.UUID(), "STRING"),
        (postgresql.ENUM("a", name="e"), "STRING"),
    ],
)
def test_types_of_postgres_are_known(type_: Any, name: str) -> None:  # noqa: ANN401 - any type
    """A history written for Postgres names its types too."""
    assert name_of(type_, DatabricksDialect()) == name


@pytest.mark.parametrize(
    ("old", "new", "answer"),
    [
        ("INT", "BIGINT", True),
        ("BIGINT", "INT", False),
        ("INT", "INT", False),
        ("FLOAT", "DOUBLE", True),
        ("DATE", "TIMESTAMP_NTZ", True),
        ("DATE", "TIMESTAMP", False),
        ("INT", "DECIMAL(10,0)", True),
        ("INT", "DECIMAL(10,1)", False),
        ("BIGINT", "DECIMAL(20,0)", True),
        ("DECIMAL(10,2)", "DECIMAL(12,4)", True),
        ("DECIMAL(10,2)", "DECIMAL(11,4)", False),
        ("STRING", "DECIMAL(20,0)", False),
    ],
)
def test_what_widens(old: str, new: str, answer: bool) -> None:  # noqa: FBT001 - the expected value
    """A column's type may change where no value is lost, and nowhere else."""
    assert widens(old, new) is answer


@pytest.mark.parametrize(
    "text",
    [
        "'a::jsonb ~ \"'",
        "'it\\'s ~ '",
        '`a"b` > 0',
        "0::smallint",
        "'x'::string",
        "x::varchar(5) > ''",
        "x::decimal(5,2) - -1",
        "x::timestamp",
        "~5 > 0",
        "name ilike any ('a%', 'b')",
        "exists(a, x -> x > 0)",
        "current_timestamp()",
    ],
)
def test_sql_of_both_is_left_as_it_is(text: str) -> None:
    """An expression that a warehouse understands is not touched, whatever its texts hold."""
    assert portable(text) == text


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("'{}'::jsonb", "::jsonb"),
        ("'x'::character varying", "::character varying"),
        ("'x'::varchar", "::varchar"),
        ("'{1}'::integer[]", "::integer"),
        ("x::timestamp with time zone", "::timestamp with time zone"),
        ("CURRENT_TIMESTAMP(0)", "CURRENT_TIMESTAMP(0)"),
        ("timezone('utc', now())", "timezone("),
        ("gen_random_uuid()", "gen_random_uuid("),
        ("name !~* '^a'", "!~*"),
        ("name SIMILAR TO 'a%'", "SIMILAR TO"),
        ("a = ANY (b)", "= ANY ("),
        ("a IN (ARRAY[1])", "ARRAY["),
        ("extra @> '{}'", "@>"),
        ("\"Name\" <> ''", '"'),
    ],
)
def test_sql_of_postgres_alone_is_refused(text: str, found: str) -> None:
    """What a warehouse would refuse in mid-revision, or take for a text, is told beforehand."""
    with pytest.raises(CompileError, match=f"^{re.escape(found)} in {re.escape(text)}: "):
        portable(text)


def test_every_kind_of_skip_is_shown() -> None:
    """The reference has an example of each kind of skip and of note, and no other kind."""
    assert {kind for row in ROWS for kind, _ in row.skips} == set(KINDS)
    assert {kind for row in ROWS for kind, _ in row.notes} == set(NOTES)
    assert {row.source for row in ROWS} == set(MANUAL)


def test_the_settings_know_every_kind_of_skip() -> None:
    """`refuse_skips` takes each kind that there is, and no other."""
    assert set(settings.KINDS) == set(KINDS)


def test_the_reference_is_current() -> None:
    """The page says what the tables say; the command in its comments rewrites it."""
    page = PAGE.read_text(encoding="utf-8")
    assert page.count(COMMAND) == 4
    assert rewritten(page) == page


def test_the_rules_take_the_place_of_the_empty_ones(script: Script) -> None:
    """Whatever was imported first, Alembic uses these rules; installing again is no harm."""
    install(lambda *_: None, lambda *_: None)
    assert type(script.op.impl).__module__ == "providers.databricks.ddl.implementation"
    assert type(Script().op.impl) is type(script.op.impl)


def test_ddl_that_goes_around_alembic_loses_nothing(script: Script) -> None:
    """What a directive skips by name is refused where no directive can say so."""
    table = sa.Table("t", sa.MetaData(), sa.Column("a", sa.Integer, unique=True))
    with pytest.raises(CompileError, match="there is no UNIQUE"):
        CreateTable(table).compile(dialect=script.dialect)
    with pytest.raises(CompileError, match="there are no indexes"):
        CreateIndex(sa.Index("ix", table.c.a)).compile(dialect=script.dialect)


def test_a_refused_directive_is_named() -> None:
    """A refusal has directive, table and reason apart."""
    error = RefusedDirectiveError("add_column", "t", "because")
    assert (error.directive, error.table, error.reason) == ("add_column", "t", "because")
    assert str(error) == "add_column on t: because"


def test_rehearsal_finds_a_refusal_behind_what_works(skipped: list[tuple[str, str]]) -> None:
    """A refusal comes before anything is sent or told, wherever in the revision it stands."""

    def upgrade() -> None:
        op.create_index("ix", "t", ["a"])
        op.create_table("t", sa.Column("a", sa.Integer))
        op.execute(sa.text("UPDATE t SET a = :one").bindparams(one=1))
        op.add_column("t", sa.Column("j", postgresql.TSVECTOR()))

    with pytest.raises(RefusedDirectiveError, match=r"^add_column on t: type TSVECTOR has no"):
        rehearse(upgrade, DatabricksDialect())
    assert skipped == []


@pytest.mark.parametrize("row", [row for row in ROWS if row.skips], ids=lambda row: row.call)
def test_a_kind_of_skip_can_be_refused(row: Row, script: Script) -> None:
    """What must not be left out is refused with all of its directive; what is not there can go."""
    kinds = {kind for kind, _ in row.skips}
    install(lambda *_: None, lambda *_: None, kinds)
    if "drop_" in row.call:
        script.run(row.call)
        return
    with pytest.raises(RefusedDirectiveError, match=r"is in refuse_skips of the history"):
        script.run(row.call)
    assert script.lines == []


def test_rehearsal_leaves_a_reading_script_to_the_live_run() -> None:
    """A script that wants a connection ends there, without an error."""
    came: list[str] = []

    def upgrade() -> None:
        came.append("there")
        op.get_bind().execute(sa.text("SELECT 1"))
        came.append("further")

    rehearse(upgrade, DatabricksDialect())
    assert came == ["there"]


def test_rehearsal_gives_op_back(script: Script) -> None:
    """What `op` worked on before a rehearsal, it works on afterwards, refused or not."""
    with Operations.context(script.op.migration_context):
        rehearse(lambda: op.drop_table("t"), DatabricksDialect())
        with pytest.raises(RefusedDirectiveError):
            rehearse(lambda: op.add_column("t", sa.Column("j", sa.Interval())), DatabricksDialect())
        op.drop_table("kept")
    assert script.lines == ["DROP TABLE kept"]


@pytest.mark.parametrize("act", ["create", "drop"])
def test_an_enum_is_no_object(act: str) -> None:
    """`Enum.create()` and `Enum.drop()`, as scripts for Postgres have them, do nothing here."""
    sent: list[object] = []
    bind = sa.create_mock_engine("databricks://", lambda sql, *_, **__: sent.append(sql))
    getattr(sa.Enum("open", "shut", name="states"), act)(bind, checkfirst=False)
    assert sent == []


def test_listeners_of_a_table_are_told(script: Script) -> None:
    """What is to be sent before or after a table is created is sent, as Alembic does it."""
    said = "(('{0}', lambda *_, **__: op.execute('SELECT \\'{0}\\'')),)"
    listeners = f"{said.format('before_create')} + {said.format('after_create')}"
    script.run(f'op.create_table("t", sa.Column("a", sa.Integer()), listeners={listeners})')
    assert script.lines == [
        "SELECT 'before_create'",
        "CREATE TABLE t ( a INT ) USING DELTA",
        "SELECT 'after_create'",
    ]


def test_an_enum_that_is_text_everywhere_loses_nothing(script: Script) -> None:
    """With native_enum=False no database keeps the values, so nothing is left out."""
    column = 'sa.Column("state", sa.Enum("open", "shut", name="states", native_enum=False))'
    script.run(f'op.create_table("rooms", {column})')
    assert not [line for line in script.lines if REMARK.fullmatch(line)]
