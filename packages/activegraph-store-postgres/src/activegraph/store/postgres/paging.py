"""Long reads, a page at a time by key: no cursor, no transaction and no connection is held in between."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from heapq import merge
from typing import Any

from activegraph.store.postgres import reads
from activegraph.store.postgres.session import Session
from activegraph.store.refusals import missing_position
from activegraph.store.serde import log_inconsistency

__all__ = ["Row", "dense", "rows", "rows_of_types"]

Row = tuple[Any, ...]
Read = Callable[[Callable[[Session], list[Row]]], list[Row]]
"""Runs a query somewhere and gives its rows."""

_FIRST_PAGE = 200
_CHARACTERS = 8 * 1024 * 1024
_PAYLOAD = 4


def rows(read: Read, run_id: str, start: int, stop: int) -> Iterator[Row]:
    """Rows at positions `start` to `stop`."""
    return _pages(read, start, stop, lambda s, first, limit: reads.page(s, run_id, first, stop, limit))


def rows_of_types(read: Read, run_id: str, types: Sequence[str], stop: int) -> Iterator[Row]:
    """Rows of these types up to `stop`, in order; rare types each by their index."""
    wanted = tuple(dict.fromkeys(types))
    if not wanted:
        return iter(())
    groups = [(type,) for type in wanted] if all(type in reads.SELECT_RARE for type in wanted) else [wanted]
    streams = [_of_types(read, run_id, group, stop) for group in groups]
    return streams[0] if len(streams) == 1 else merge(*streams, key=lambda row: row[0])


def _of_types(read: Read, run_id: str, types: tuple[str, ...], stop: int) -> Iterator[Row]:
    return _pages(read, 1, stop, lambda s, first, limit: reads.page_of_types(s, run_id, types, first, stop, limit))


def _pages(read: Read, start: int, stop: int, page: Callable[[Session, int, int], list[Row]]) -> Iterator[Row]:
    limit = _FIRST_PAGE
    while start <= stop:
        found = read(lambda session: page(session, start, limit))  # noqa: B023 - called at once
        yield from found
        if len(found) < limit:
            return
        start = found[-1][0] + 1
        # Pages hold many small rows or few large ones, so that a long read needs little memory.
        characters = sum(len(row[_PAYLOAD]) for row in found)
        limit = max(1, min(reads.PAGE, limit * 10, _CHARACTERS * len(found) // max(characters, 1)))


def dense(run_id: str, found: Iterable[Row], start: int) -> Iterator[Row]:
    """The rows, as long as their positions follow each other from `start`.

    Raises:
        LogInconsistencyError: A position is missing (`reason` is `gap`).
    """
    expected = start
    for row in found:
        if row[0] != expected:
            error = missing_position(run_id, expected, row[0])
            log_inconsistency(error, run_id)
            raise error
        expected += 1
        yield row
