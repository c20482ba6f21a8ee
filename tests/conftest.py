"""Fixtures for every test; they live in `tests.support`."""

from __future__ import annotations

from tests.support.postgres import database, databases, postgres

__all__ = ["database", "databases", "postgres"]
