"""Every durable store has an index of the event types that status and inspect look up, and of no others."""

from __future__ import annotations

import re

import pytest
from activegraph.store.postgres.schema import ddl as postgres_ddl
from activegraph.store.records import RARE_TYPES
from activegraph.store.sqlite.schema import ddl as sqlite_ddl


@pytest.mark.parametrize("ddl", [sqlite_ddl, postgres_ddl], ids=["sqlite", "postgres"])
def test_the_partial_index_covers_the_types_that_are_looked_up(ddl: object) -> None:
    assert callable(ddl)

    assert re.findall(r"type = '([^']+)'", ddl()) == list(RARE_TYPES)
