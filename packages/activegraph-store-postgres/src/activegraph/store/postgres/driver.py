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
    except ModuleNotFoundError as error:
        raise MissingOptionalDependency(package="psycopg", feature="PostgresEventStore", extras="postgres") from error
    except ImportError as error:  # psycopg is there, and libpq is not
        raise MissingOptionalDependency(package="psycopg[binary]", feature="PostgresEventStore") from error
    return psycopg
