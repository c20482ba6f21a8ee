"""Answers the Thrift calls of the client: sessions, statements and their results."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from uuid import UUID

from providers.databricks.warehouse import errors, replies
from providers.databricks.warehouse.engine import Engine, Patterns, Session
from providers.databricks.warehouse.errors import SqlError
from providers.databricks.warehouse.faults import CutError, FaultKind, Faults, RefusedError
from providers.databricks.warehouse.model import Scope
from providers.databricks.warehouse.replies import Operation
from providers.databricks.warehouse.results import Result, Struct, T, metadata
from providers.databricks.warehouse.statements import Statement, Status
from providers.databricks.warehouse.tags import read_tags

_log = logging.getLogger(__name__)

#: Seconds that ExecuteStatement waits for an end before it answers "running".
_DIRECT = 1.0
#: Seconds that GetOperationStatus waits for an end: else the client asks without a pause.
_POLL = 0.1
#: Statements that run at a time.
_THREADS = 256

_VERSION = T.TProtocolVersion.SPARK_CLI_SERVICE_PROTOCOL_V8


class Operations:
    """All sessions of one warehouse."""

    def __init__(self, engine: Engine, catalog: str, monotonic: Callable[[], float]) -> None:
        """Set up.

        Args:
            engine: What runs statements.
            catalog: That of sessions which name none.
            monotonic: Seconds; only differences count.
        """
        self.faults = Faults(monotonic, self.end_sessions)
        self._engine = engine
        self._catalog = catalog
        self._pool = ThreadPoolExecutor(_THREADS, "statement")
        self._lock = threading.Lock()
        self._sessions: dict[bytes, Session] = {}
        self._operations: dict[bytes, Operation] = {}
        self._calls: dict[str, Callable[[Struct], Struct]] = {
            "OpenSession": self._open_session,
            "CloseSession": self._close_session,
            "ExecuteStatement": self._execute,
            "GetCatalogs": self._get_catalogs,
            "GetSchemas": self._get_schemas,
            "GetTables": self._get_tables,
            "GetColumns": self._get_columns,
            "GetOperationStatus": self._get_status,
            "GetResultSetMetadata": self._get_metadata,
            "FetchResults": self._fetch,
            "CancelOperation": self._cancel,
            "CloseOperation": self._close_operation,
        }

    def answer(self, call: str, request: Struct) -> Struct:
        """Return the response of *call* to *request*.

        Raises:
            KeyError: There is no such call.
            RefusedError, CutError: A fault says so.
        """
        return self._calls[call](request)

    def end_sessions(self) -> None:
        """Cancel what runs, and forget all sessions."""
        with self._lock:
            operations = list(self._operations.values())
            sessions = list(self._sessions.values())
            self._operations.clear()
            self._sessions.clear()
        for operation in operations:
            _stop(operation)
        wait([operation.future for operation in operations])
        for session in sessions:
            session.close()

    def close(self) -> None:
        """End all sessions and threads."""
        self.end_sessions()
        self._pool.shutdown()

    def _open_session(self, request: Struct) -> Struct:
        asked = request.initialNamespace
        catalog = (asked and asked.catalogName) or self._catalog
        schema = (asked and asked.schemaName) or "default"
        settings = request.configuration or {}
        tags = read_tags(settings.get("QUERY_TAGS") or settings.get("query_tags"))
        try:
            session = self._engine.open(Scope(catalog.lower(), schema.lower()), tags)
        except SqlError as error:
            return T.TOpenSessionResp(replies.failed(error), _VERSION)
        handle = replies.handle()
        with self._lock:
            self._sessions[handle.guid] = session
        return T.TOpenSessionResp(
            status=replies.ok(),
            serverProtocolVersion=_VERSION,
            sessionHandle=T.TSessionHandle(handle),
            configuration={},
            initialNamespace=T.TNamespace(session.scope.catalog, session.scope.schema),
            canUseMultipleCatalogs=True,
        )

    def _close_session(self, request: Struct) -> Struct:
        with self._lock:
            session = self._sessions.pop(request.sessionHandle.sessionId.guid, None)
            left = [each for each in self._operations.values() if each.session is session]
        if session is None:
            return T.TCloseSessionResp(replies.invalid("session"))
        for operation in left:
            _stop(operation)
            self._forget(operation)
        wait([operation.future for operation in left])
        session.close()
        return T.TCloseSessionResp(replies.ok())

    def _execute(self, request: Struct) -> Struct:
        session = self._session(request)
        if session is None:
            return T.TExecuteStatementResp(replies.invalid("session"))
        if self.faults.take(FaultKind.UNAVAILABLE, request.statement):
            raise RefusedError(503, "The warehouse is not available.")
        if self.faults.take(FaultKind.CUT_BEFORE, request.statement):
            raise CutError
        operation = self._submit(session, request)
        if self.faults.take(FaultKind.CUT_AFTER, request.statement):
            wait([operation.future])
            raise CutError
        return self._respond(operation, request, T.TExecuteStatementResp)

    def _submit(self, session: Session, request: Struct) -> Operation:
        handle = replies.handle()
        overlay = request.confOverlay or {}
        tags = (*session.tags, *read_tags(overlay.get("query_tags")))
        query_id = str(UUID(bytes=handle.guid))
        statement = self._engine.log.start(query_id, request.statement, tags)
        operation = Operation(replies.operation_handle(handle), session, Future())
        with self._lock:
            self._operations[handle.guid] = operation
        parameters = request.parameters or []
        self._pool.submit(self._run, operation, statement, parameters)
        return operation

    def _run(
        self, operation: Operation, statement: Statement, parameters: Sequence[Struct]
    ) -> None:
        """Run *statement* and give its result, or its error, to whoever waits for it."""
        try:
            self.faults.hold_up(FaultKind.SLOW, statement.text, operation.cancelled)
            self._overtake(statement)
            result = operation.session.execute(statement, parameters, operation.cancelled)
            self._fail_after_commit(statement)
        except SqlError as error:
            self._log_failure(statement, error)
            operation.future.set_exception(error)
        except Exception as error:  # noqa: BLE001 - a fault of our own is an answer, too
            internal = _internal(f"statement {statement.id}", error)
            self._log_failure(statement, internal)
            operation.future.set_exception(internal)
        else:
            self._engine.log.end(statement.id, Status.FINISHED)
            self.faults.hold_up(FaultKind.SLOW_REPLY, statement.text, operation.cancelled)
            operation.future.set_result(result)

    def _overtake(self, statement: Statement) -> None:
        """Raise SqlError where the next fault wants another writer to have been quicker."""
        if self.faults.take(FaultKind.OVERTAKEN, statement.text):
            text = "The metadata of the table has been changed by a concurrent update."
            raise SqlError(errors.METADATA_CHANGED, text)

    def _fail_after_commit(self, statement: Statement) -> None:
        """Raise SqlError where the next fault wants what follows on a commit to fail."""
        if self.faults.take(FaultKind.HOOK_FAILED, statement.text):
            text = "Committing to the Delta table succeeded but error while executing a hook."
            raise SqlError(errors.POST_COMMIT_HOOK_FAILED, text)

    def _log_failure(self, statement: Statement, error: SqlError) -> None:
        was_cancelled = error.condition is errors.OPERATION_CANCELED
        status = Status.CANCELED if was_cancelled else Status.FAILED
        self._engine.log.end_badly(statement.id, status, str(error))

    def _ask(
        self, request: Struct, response: Struct, answer: Callable[[Session], Result]
    ) -> Struct:
        """Answer a question about the catalog, at once."""
        session = self._session(request)
        if session is None:
            return response(replies.invalid("session"))
        future: Future[Result] = Future()
        operation = Operation(replies.operation_handle(replies.handle()), session, future)
        with self._lock:
            self._operations[operation.handle.operationId.guid] = operation
        try:
            future.set_result(answer(session))
        except SqlError as error:
            future.set_exception(error)
        except Exception as error:  # noqa: BLE001 - a fault of our own is an answer, too
            future.set_exception(_internal(response.__name__, error))
        return self._respond(operation, request, response)

    def _get_catalogs(self, request: Struct) -> Struct:
        return self._ask(request, T.TGetCatalogsResp, lambda at: at.catalogs())

    def _get_schemas(self, request: Struct) -> Struct:
        def answer(session: Session) -> Result:
            return session.schemas(request.catalogName, request.schemaName)

        return self._ask(request, T.TGetSchemasResp, answer)

    def _get_tables(self, request: Struct) -> Struct:
        def answer(session: Session) -> Result:
            return session.tables(_where(request), request.tableTypes)

        return self._ask(request, T.TGetTablesResp, answer)

    def _get_columns(self, request: Struct) -> Struct:
        def answer(session: Session) -> Result:
            return session.columns(_where(request), request.columnName)

        return self._ask(request, T.TGetColumnsResp, answer)

    def _respond(self, operation: Operation, request: Struct, response: Struct) -> Struct:
        """Answer with the result itself where it is there soon, and the client wants it so."""
        answer = response(status=replies.ok(), operationHandle=operation.handle)
        wanted = request.getDirectResults
        if wanted is None:
            return answer
        wait([operation.future], _DIRECT)
        direct = T.TSparkDirectResults(operationStatus=replies.status(operation))
        answer.directResults = direct
        if operation.future.done() and operation.future.exception() is None:
            direct.resultSetMetadata = metadata(operation.future.result())
            direct.resultSet = replies.page(operation, wanted.maxRows)
            if not direct.resultSet.hasMoreRows:
                direct.closeOperation = T.TCloseOperationResp(replies.ok())
                self._forget(operation)
        return answer

    def _get_status(self, request: Struct) -> Struct:
        operation = self._operation(request)
        if operation is None:
            return T.TGetOperationStatusResp(replies.ok(), T.TOperationState.CLOSED_STATE)
        wait([operation.future], _POLL)
        return replies.status(operation)

    def _get_metadata(self, request: Struct) -> Struct:
        operation = self._ended_well(request)
        if operation is None:
            return T.TGetResultSetMetadataResp(replies.invalid("operation"))
        return metadata(operation.future.result())

    def _fetch(self, request: Struct) -> Struct:
        operation = self._ended_well(request)
        if operation is None:
            return T.TFetchResultsResp(replies.invalid("operation"))
        return replies.page(operation, request.maxRows)

    def _cancel(self, request: Struct) -> Struct:
        operation = self._operation(request)
        if operation is not None:
            _stop(operation)
        return T.TCancelOperationResp(replies.ok())

    def _close_operation(self, request: Struct) -> Struct:
        operation = self._operation(request)
        if operation is not None:
            self._forget(operation)
        return T.TCloseOperationResp(replies.ok())

    def _session(self, request: Struct) -> Session | None:
        with self._lock:
            return self._sessions.get(request.sessionHandle.sessionId.guid)

    def _operation(self, request: Struct) -> Operation | None:
        with self._lock:
            return self._operations.get(request.operationHandle.operationId.guid)

    def _ended_well(self, request: Struct) -> Operation | None:
        """Return the operation that *request* names, once it has a result; else None."""
        operation = self._operation(request)
        if operation is None or operation.future.exception() is not None:
            return None
        return operation

    def _forget(self, operation: Operation) -> None:
        with self._lock:
            self._operations.pop(operation.handle.operationId.guid, None)


def _internal(what: str, error: Exception) -> SqlError:
    """Return what the client is told of a fault of our own; the log has all of it."""
    _log.warning("%s failed in the warehouse", what, exc_info=error)
    return SqlError(errors.INTERNAL_ERROR, f"{type(error).__name__}: {error}")


def _stop(operation: Operation) -> None:
    if not operation.future.done():
        operation.cancelled.set()
        operation.session.interrupt()


def _where(request: Struct) -> Patterns:
    return request.catalogName, request.schemaName, request.tableName
