"""The kinds of database that the suite runs on, and those that have an ability."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.conformance.adapters import Adapter, MemoryAdapter, PostgresAdapter
from tests.conformance.lakebases import LakebaseAdapter
from tests.conformance.warehouses import DatabricksAdapter

ADAPTERS: Mapping[str, type[Adapter]] = {
    "memory": MemoryAdapter,
    "postgres": PostgresAdapter,
    "lakebase": LakebaseAdapter,
    "databricks": DatabricksAdapter,
}


def _having(names: list[str]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("adapter", names, indirect=True)


#: For tests of a lock that keeps others out.
needs_exclusion = _having([name for name, kind in ADAPTERS.items() if kind.excludes])

#: For tests of a lock that keeps nobody out, as there is none.
without_exclusion = _having([name for name, kind in ADAPTERS.items() if not kind.excludes])

#: For tests of `Transactional`.
needs_rollback = _having([name for name, kind in ADAPTERS.items() if kind.rolls_back])

#: For tests of `Fingerprinting`.
needs_fingerprints = _having([name for name, kind in ADAPTERS.items() if kind.fingerprints])

#: For tests of `Surveying`.
needs_surveys = _having([name for name, kind in ADAPTERS.items() if kind.surveys])
