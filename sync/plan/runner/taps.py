"""Sees what is sent at the driver's own cursor, whichever way a script sends it.

Each driver is tapped where its cursors are made. What cannot be seen there is refused a
place in a plan: the step runs live.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterable
from typing import Any

from sqlalchemy.engine import Connection, CursorResult

from .errors import RefusedError
from .literals import UnwritableError, named, numbered
from .recorder import Recorder, Sent
from .words import commits_alone

#: Writes the parameters of one statement into it.
Write = Callable[[Any, Any, Any], str]

#: Methods of cursors by which data come and go unseen.
OPAQUE = ("callproc", "copy", "copy_expert", "copy_from", "copy_to", "stream")

LOOKS = ("fetchall", "fetchall_arrow", "fetchmany", "fetchone", "fetchval", "scroll")


def install(connection: Connection, recorder: Recorder) -> None:
    """Let *recorder* see what is sent on *connection* from now on.

    Raises:
        RefusedError: Nobody knows how its driver is tapped.
    """
    driver = connection.dialect.driver
    if driver not in TAPS:
        raise RefusedError(f"a plan cannot be compiled with the driver {driver}")
    TAPS[driver](connection, recorder)
    watch_row_counts(recorder)
    watch_driver(recorder)
    recorder.alone = lambda: commits_alone(connection.connection)
    dialect: Any = connection.dialect  # no event brackets COMMIT
    commit, rollback = dialect.do_commit, dialect.do_rollback
    dialect.do_commit = after(commit, recorder.commit)
    dialect.do_rollback = after(rollback, recorder.rollback)


def after(act: Callable[[Any], None], tell: Callable[[], None]) -> Callable[[Any], None]:
    """Return *act*, followed by *tell*."""

    def both(dbapi_connection: Any) -> None:  # noqa: ANN401 - a driver's object
        act(dbapi_connection)
        tell()

    return both


#: Who may know what scripts may not, without its being noticed.
TRUSTED = ("alembic", "sqlalchemy", __name__.partition(".")[0])


def is_of_script(recorder: Recorder) -> bool:
    """Tell whether a script, or a library of its own, has called the function that asks."""
    caller = sys._getframe(2).f_globals.get("__name__", "")  # noqa: SLF001 - who asks decides
    return bool(recorder.script) and caller.partition(".")[0] not in TRUSTED


def watch_row_counts(recorder: Recorder) -> None:
    """Notice when a script asks how many rows a statement has changed."""
    own = (vars(kind) for kind in CursorResult.__mro__)  # SQLAlchemy 1.4 inherits it
    original: Any = next(names["rowcount"] for names in own if "rowcount" in names)

    def rowcount(result: Any) -> int:  # noqa: ANN401 - a CursorResult
        if is_of_script(recorder):
            recorder.defies("asks how many rows were changed")
        return int(original.fget(result))

    CursorResult.rowcount = property(rowcount)  # type: ignore[assignment]


def watch_driver(recorder: Recorder) -> None:
    """Notice when a script takes the driver's own connection: it may go where we do not see."""
    original: Any = vars(Connection)["connection"]

    def connection(ours: Connection) -> Any:  # noqa: ANN401 - a PoolProxiedConnection
        if is_of_script(recorder):
            recorder.defies("uses the driver's own connection")
        return original.fget(ours)

    Connection.connection = property(connection)  # type: ignore[assignment,method-assign]


def tapped(base: Any, recorder: Recorder, write: Write) -> Any:  # noqa: ANN401 - a driver's class
    """Return a cursor class like *base*, whose acts *recorder* sees."""

    class Tapped(base):  # type: ignore[misc]
        sent: list[Sent] = []  # noqa: RUF012 - replaced, never changed

        def execute(self, operation: Any, *a: Any, **k: Any) -> Any:  # noqa: ANN401 - a driver's own arguments
            text = written(recorder, write, self, operation)
            with recorder.sending(lambda: text([parameters_in(a, k)])) as self.sent:
                return super().execute(operation, *a, **k)

        def executemany(self, operation: Any, rows: Any, *a: Any, **k: Any) -> Any:  # noqa: ANN401 - a driver's own arguments
            text, rows = written(recorder, write, self, operation), list(rows)
            with recorder.sending(lambda: text(rows)) as self.sent:
                return super().executemany(operation, rows, *a, **k)

        def __iter__(self) -> Any:  # noqa: ANN401 - a driver's own rows
            recorder.looked(self.sent)
            return super().__iter__()

    for name in filter(lambda name: hasattr(base, name), LOOKS):
        setattr(Tapped, name, looking(getattr(base, name), recorder))
    for name in filter(lambda name: hasattr(base, name), OPAQUE):
        setattr(Tapped, name, opaque(getattr(base, name), recorder, name))
    return Tapped


def parameters_in(arguments: tuple[Any, ...], named_ones: dict[str, Any]) -> Any:  # noqa: ANN401 - a driver's own arguments
    """Return the parameters of one statement, whichever way a cursor was given them."""
    if arguments:
        return arguments[0]
    names = ("params", "vars", "parameters")
    return next((named_ones[name] for name in names if name in named_ones), None)


def written(
    recorder: Recorder,
    write: Write,
    cursor: Any,  # noqa: ANN401 - a driver's object
    operation: Any,  # noqa: ANN401 - text, bytes, or a driver's own
) -> Callable[[Iterable[Any]], list[str]]:
    """Return what makes literal statements of *operation*, one for each set of parameters."""

    def texts(several: Iterable[Any]) -> list[str]:
        try:
            return [write(cursor, operation, one) for one in several]
        except UnwritableError as error:
            recorder.defies(str(error))
            return []

    return texts


def looking(method: Any, recorder: Recorder) -> Any:  # noqa: ANN401 - a driver's method
    """Return *method*, which looks at what a statement returned, seen by *recorder*."""

    def look(self: Any, *arguments: Any, **named_ones: Any) -> Any:  # noqa: ANN401 - a driver's own arguments
        recorder.looked(self.sent)
        return method(self, *arguments, **named_ones)

    return look


def opaque(method: Any, recorder: Recorder, name: str) -> Any:  # noqa: ANN401 - a driver's method
    """Return *method*, by which data come or go unseen, seen by *recorder*."""

    def act(self: Any, *arguments: Any, **named_ones: Any) -> Any:  # noqa: ANN401 - a driver's own arguments
        recorder.defies(f"uses the driver's {name}()")
        return method(self, *arguments, **named_ones)

    return act


def tap_psycopg(connection: Connection, recorder: Recorder) -> None:
    """Tap psycopg: its connection knows which class its cursors are of."""
    psycopg = importlib.import_module("psycopg")

    def write(cursor: Any, operation: Any, parameters: Any) -> str:  # noqa: ANN401 - a driver's own
        with recorder.silence():
            text: str = psycopg.ClientCursor(cursor.connection).mogrify(operation, parameters)
        return text

    link: Any = connection.connection.dbapi_connection
    link.cursor_factory = tapped(psycopg.Cursor, recorder, write)
    link.server_cursor_factory = tapped(psycopg.ServerCursor, recorder, write)


def tap_psycopg2(connection: Connection, recorder: Recorder) -> None:
    """Tap psycopg2: its connection knows which class its cursors are of."""
    extensions = importlib.import_module("psycopg2.extensions")

    def write(cursor: Any, operation: Any, parameters: Any) -> str:  # noqa: ANN401 - a driver's own
        text: bytes = cursor.mogrify(operation, parameters)
        return text.decode(extensions.encodings[cursor.connection.encoding])

    link: Any = connection.connection.dbapi_connection
    link.cursor_factory = tapped(extensions.cursor, recorder, write)


def tap_asyncpg(connection: Connection, recorder: Recorder) -> None:
    """Tap SQLAlchemy's cursors over asyncpg, of which its connection makes two kinds."""
    module: Any = importlib.import_module("sqlalchemy.dialects.postgresql.asyncpg")
    plain = tapped(module.AsyncAdapt_asyncpg_cursor, recorder, write_asyncpg)
    streaming = tapped(module.AsyncAdapt_asyncpg_ss_cursor, recorder, write_asyncpg)

    def cursor(link: Any, server_side: Any = None) -> Any:  # noqa: ANN401 - SQLAlchemy's own
        return (streaming if server_side else plain)(link)

    type(connection.connection.dbapi_connection).cursor = cursor  # type: ignore[union-attr,method-assign]  # there is one


def write_asyncpg(cursor: Any, operation: str, parameters: Any) -> str:  # noqa: ANN401 - a driver's own
    """Write parameters into a statement; SQLAlchemy 1.4 numbers them only in the cursor."""
    number = getattr(cursor, "_parameter_placeholders", None)
    if number is not None and parameters is not None:
        operation %= number(parameters)
    return numbered(operation, parameters)


def tap_databricks(connection: Connection, recorder: Recorder) -> None:  # noqa: ARG001 - the class is tapped
    """Tap the Databricks connector: its client looks the class of its cursors up by name."""
    module: Any = importlib.import_module("databricks.sql.client")
    module.Cursor = tapped(module.Cursor, recorder, lambda _, sql, p: named(sql, p))


TAPS: dict[str, Callable[[Connection, Recorder], None]] = {
    "asyncpg": tap_asyncpg,
    "databricks": tap_databricks,
    "psycopg": tap_psycopg,
    "psycopg2": tap_psycopg2,
}
