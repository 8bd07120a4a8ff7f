"""Reads of a log by type."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from activegraph.core.event import Event

if TYPE_CHECKING:
    from activegraph.core.graph import Graph

__all__ = ["events_of_type"]


def events_of_type(graph: Graph, type: str) -> Iterator[Event]:
    """Events of one type in log order, by the store's index where it has one."""
    yield from graph._log.of_type(type)
    yield from (record.event() for record in graph._recorder.step if record.type == type)
