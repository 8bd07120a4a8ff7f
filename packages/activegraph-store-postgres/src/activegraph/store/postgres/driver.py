"""The driver, imported when a store is first opened."""

from __future__ import annotations

from functools import cache
from types import ModuleType

from activegraph.errors import MissingOptionalDependency

__all__ = ["psycopg"]


@cache
def psycopg() -> ModuleType:
    """The module `psycopg`.

    Raises:
        MissingOptionalDependency: It is not installed, or finds no libpq.
    """
    try:
        import psycopg
    except ImportError as error:
        raise MissingOptionalDependency(package="psycopg", feature="PostgresEventStore", extras="postgres") from error
    return psycopg
