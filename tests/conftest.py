"""Fixtures for every test, and hooks; they live in `tests.support`."""

from __future__ import annotations

import logging
import signal

from tests.support.left_out import pytest_collection_modifyitems, pytest_configure
from tests.support.postgres import database, databases, postgres
from tests.support.tables import pytest_terminal_summary

__all__ = [
    "database",
    "databases",
    "postgres",
    "pytest_collection_modifyitems",
    "pytest_configure",
    "pytest_terminal_summary",
]

# Started in the background of a shell, the whole process tree ignores Ctrl-C. What the
# tests start must be able to hear it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# They tell every request and every byte; a failure is not found among that.
CHATTY = ("databricks", "thrift", "urllib3")
for name in CHATTY:
    logging.getLogger(name).setLevel(logging.WARNING)
