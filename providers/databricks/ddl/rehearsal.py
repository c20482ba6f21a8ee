"""Running a revision's function without a database: what is refused in it, and what comes of it."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Literal, NamedTuple

from alembic import op
from alembic.operations import BatchOperations, Operations
from alembic.operations.ops import AddColumnOp, CreateTableOp
from alembic.runtime.migration import MigrationContext
from alembic.util.sqla_compat import _copy as copied
from sqlalchemy import Column
from sqlalchemy.engine import Dialect

from .implementation import DatabricksImpl, recreation_refused
from .notes import Note
from .refusals import RefusedDirectiveError
from .skips import Skip


class Outcome(NamedTuple):
    """One thing that comes of a script."""

    what: str  #: sent, skipped, noted, refused, or unknown: nobody knows what comes after it
    kind: str  #: of a skip or a note; else empty
    text: str


class Unconnected:
    """What a script gets for a connection: it knows the dialect, and nothing else."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self.engine = self


class Rehearsal(DatabricksImpl):
    """Compiles directives, and takes down what comes of them; sends nothing."""

    def __init__(self, dialect: Dialect) -> None:
        super().__init__(dialect, None, True, False, None, {})  # noqa: FBT003 - Alembic's own signature
        self.literal_binds = True
        self.connection = Unconnected(dialect)  # type: ignore[assignment]  # as scripts see it
        self.outcomes: list[Outcome] = []

    def skip(self, skip: Skip) -> None:
        """Take down a skip."""
        self.outcomes.append(Outcome("skipped", *skip))

    def note(self, note: Note) -> None:
        """Take down a note."""
        self.outcomes.append(Outcome("noted", *note))

    def static_output(self, text: str) -> None:
        """Take down a statement."""
        self.outcomes.append(Outcome("sent", "", text.strip().rstrip(";")))

    def refuse(self, error: RefusedDirectiveError) -> None:
        """Take down a refusal."""
        self.outcomes.append(Outcome("refused", "", str(error)))


def rehearse(
    script_fn: Callable[..., Any], dialect: Dialect, options: Mapping[str, Any] | None = None
) -> None:
    """Run the ``upgrade`` or ``downgrade`` of a revision with nothing behind it.

    A script that fails here for another reason, say because it reads data, is left to the live
    run from there on: what it would do afterwards is not known.

    Args:
        script_fn: The function of the revision; it runs to its end, or to its first read.
        dialect: That of the target's engine.
        options: What env.py has configured Alembic with, a naming convention for instance.

    Raises:
        RefusedDirectiveError: The script holds a directive that would be refused.
    """
    with _in_place(Rehearsal(dialect), options or {}):
        try:
            script_fn()
        except RefusedDirectiveError:
            raise
        except Exception:  # noqa: BLE001, S110 - scripts raise what they like; the live run tells
            pass


def survey(script_fn: Callable[..., Any], dialect: Dialect) -> list[Outcome]:
    """Return all that comes of a revision's function; it goes on after what is refused."""
    rehearsal = Rehearsal(dialect)
    with _in_place(rehearsal, {}) as operations:
        _survive(operations, rehearsal)
        try:
            script_fn()
        except RefusedDirectiveError as error:
            rehearsal.refuse(error)
        except Exception as error:  # noqa: BLE001 - scripts raise what they like
            line = _line_in(script_fn, error)
            text = f"from line {line} on: it wants a database ({type(error).__name__})"
            rehearsal.outcomes.append(Outcome("unknown", "", text))
    return rehearsal.outcomes


def _survive(operations: Operations, rehearsal: Rehearsal) -> None:
    """Let a script go on after a directive that is refused."""
    original = operations.invoke

    def invoke(operation: Any) -> Any:  # noqa: ANN401 - Alembic's own arguments
        try:
            return original(operation)
        except RefusedDirectiveError as error:
            rehearsal.refuse(error)
            return None

    batches = operations.batch_alter_table

    @contextmanager
    def batch(*arguments: Any, **named: Any) -> Iterator[BatchOperations]:  # noqa: ANN401 - Alembic's own arguments
        whole = batches(*arguments, **named)  # without it there is nothing to go on with
        try:
            with whole as opened:
                yield opened
        except RefusedDirectiveError as error:
            rehearsal.refuse(error)

    setattr(operations, "invoke", invoke)  # noqa: B010 - no subclass can be a proxy
    setattr(operations, "batch_alter_table", batch)  # noqa: B010 - as above


def _line_in(script_fn: Callable[..., Any], error: Exception) -> int:
    """Return the line of the script where *error* was raised, be it below."""
    file = script_fn.__code__.co_filename
    frames = traceback.extract_tb(error.__traceback__)
    return next((frame.lineno or 0 for frame in reversed(frames) if frame.filename == file), 0)


@contextmanager
def _in_place(rehearsal: Rehearsal, options: Mapping[str, Any]) -> Iterator[Operations]:
    """Let `alembic.op` work on *rehearsal*, and afterwards on what it worked on before."""
    context = MigrationContext(rehearsal.dialect, None, {**options, "as_sql": True})
    context.impl = rehearsal
    outer, operations = getattr(op, "_proxy", None), Operations(context)
    _spare(operations)
    setattr(operations, "batch_alter_table", _batches(operations))  # noqa: B010 - no subclass can be a proxy
    operations._install_proxy()  # noqa: SLF001 - Operations.context() does not restore
    try:
        yield operations
    finally:
        operations._remove_proxy()  # noqa: SLF001 - as above
        if outer is not None:
            outer._install_proxy()  # noqa: SLF001 - as above


def _batches(operations: Operations) -> Callable[..., AbstractContextManager[BatchOperations]]:
    """Return `batch_alter_table` that refuses to copy a table before it looks at that table."""
    original = operations.batch_alter_table

    @contextmanager
    def batch(
        table_name: str,
        schema: str | None = None,
        recreate: Literal["auto", "always", "never"] = "auto",
        **more: Any,  # noqa: ANN401 - Alembic's own arguments
    ) -> Iterator[BatchOperations]:
        if recreate == "always":
            raise recreation_refused(table_name)
        with original(table_name, schema, recreate, **more) as opened:
            _spare(opened)
            yield opened

    return batch


def _spare(operations: Operations | BatchOperations) -> None:
    """Let tables have copies of a script's own columns.

    The script runs again with the same columns. From one that has a table already, Alembic
    makes a copy without its foreign keys.
    """
    original = operations.invoke

    def invoke(operation: Any) -> Any:  # noqa: ANN401 - Alembic's own arguments
        if isinstance(operation, CreateTableOp):
            operation.columns = [_own(each) for each in operation.columns]
        elif isinstance(operation, AddColumnOp):
            operation.column = _own(operation.column)
        return original(operation)

    setattr(operations, "invoke", invoke)  # noqa: B010 - no subclass can be a proxy


def _own(item: Any) -> Any:  # noqa: ANN401 - any part of a table
    """Return a copy of a column that has no table yet; all else as it is."""
    return copied(item) if isinstance(item, Column) and item.table is None else item
