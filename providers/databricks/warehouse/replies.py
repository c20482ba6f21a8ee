"""The parts that Thrift responses are made of."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from dataclasses import dataclass, field
from uuid import uuid4

from providers.databricks.warehouse.engine import Session
from providers.databricks.warehouse.errors import SqlError
from providers.databricks.warehouse.results import Result, Struct, T, batches, metadata

#: Rows of a result in one answer, where the client does not say.
_ROWS = 100_000


@dataclass(slots=True)
class Operation:
    """A statement that was sent, or a question about the catalog."""

    handle: Struct
    session: Session
    future: Future[Result]
    cancelled: threading.Event = field(default_factory=threading.Event)
    offset: int = 0  #: rows that were fetched


def handle() -> Struct:
    """Return an id as the client wants it: sixteen raw bytes."""
    return T.THandleIdentifier(guid=uuid4().bytes, secret=uuid4().bytes)


def operation_handle(handle: Struct) -> Struct:
    """Return what the client names an operation by from now on."""
    return T.TOperationHandle(handle, T.TOperationType.EXECUTE_STATEMENT, hasResultSet=True)


def page(operation: Operation, count: int | None) -> Struct:
    """Return the next rows, and step past them."""
    result = operation.future.result()
    start = operation.offset
    found = list(batches(result, start, count or _ROWS))
    operation.offset += sum(batch.rowCount for batch in found)
    return T.TFetchResultsResp(
        status=ok(),
        hasMoreRows=operation.offset < result.rows.num_rows,
        results=T.TRowSet(startRowOffset=start, rows=[], arrowBatches=found),
        resultSetMetadata=metadata(result),
    )


def status(operation: Operation) -> Struct:
    """Return how far *operation* has come."""
    if not operation.future.done():
        return T.TGetOperationStatusResp(ok(), T.TOperationState.RUNNING_STATE)
    error = operation.future.exception()
    if error is None:
        finished = T.TOperationState.FINISHED_STATE
        answer = T.TGetOperationStatusResp(ok(), finished, hasResultSet=True)
        answer.numModifiedRows = operation.future.result().modified
        return answer
    return _error_status(error)


def _error_status(error: BaseException) -> Struct:
    state = T.TOperationState.ERROR_STATE
    answer = T.TGetOperationStatusResp(ok(), state, errorCode=0, hasResultSet=False)
    answer.sqlState = error.condition.sqlstate if isinstance(error, SqlError) else "XX000"
    answer.errorMessage = answer.displayMessage = str(error)
    answer.diagnosticInfo = str(error)
    return answer


def ok() -> Struct:
    """Return the status of a call that was answered."""
    return T.TStatus(T.TStatusCode.SUCCESS_STATUS)


def invalid(what: str) -> Struct:
    """Return the status of a call that names a session or operation that is gone."""
    code = T.TStatusCode.INVALID_HANDLE_STATUS
    return T.TStatus(code, errorMessage=f"Invalid {what} handle: it is closed or unknown.")


def failed(error: SqlError) -> Struct:
    """Return the status of a call that was refused."""
    code = T.TStatusCode.ERROR_STATUS
    return T.TStatus(code, sqlState=error.condition.sqlstate, errorMessage=str(error))
