"""Whether a recorded run does again what its log says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from activegraph.behaviors.registry import get_registry
from activegraph.runtime.failures import log_divergence
from activegraph.runtime.loading import read_log
from activegraph.runtime.log_rows import LogRow
from activegraph.runtime.measures import count_divergence
from activegraph.runtime.verification.comparing import Difference
from activegraph.runtime.verification.packs import latest_loads
from activegraph.runtime.verification.recorded import RecordedRun
from activegraph.runtime.verification.report import divergence
from activegraph.runtime.verification.running import Declared, Verification
from activegraph.store.url import safe_url

if TYPE_CHECKING:
    from activegraph.runtime.engine import Engine
    from activegraph.store.base import EventStore

__all__ = ["StoredLog", "declared_by", "log_in", "require_same_run"]


class StoredLog(Struct, frozen=True):
    """A log that can be read from its beginning, more than once."""

    run_id: str
    url: str
    """Of its store; it is shown without a password."""
    rows: Callable[[], Iterator[LogRow]]
    setup_count: int
    """Events that the graph held before its first runtime."""
    forked_at: str | None
    """The event that the run was forked at."""


def log_in(store: EventStore, url: str) -> StoredLog:
    """The log of the run that a store holds."""
    record: Any = getattr(store, "get_run", lambda: None)()
    setup_count, forked_at = (0, None) if record is None else (record.setup_count or 0, record.forked_at_event_id)
    return StoredLog(store.run_id, url, lambda: read_log(store), setup_count, forked_at)


def declared_by(engine: Engine, packs: Any) -> Declared:
    """What a runtime that is being loaded was given to execute."""
    options = engine.outside.options
    return Declared(engine.explicit, engine.frame, engine.policy, engine.seed, options, packs)


def require_same_run(log: StoredLog, declared: Declared, metrics: Any = None) -> None:
    """Execute a run again beside its log, and compare. Nothing is written, and nobody outside is asked.

    Args:
        declared: What is executed: behaviors, and what else is not in a log.
        metrics: Where a divergence is counted.

    Raises:
        ReplayDivergenceError: At the first difference; it is counted and logged as critical once.
    """
    first = _Attempt(log, declared)
    if first.difference is None:
        return
    again = _Attempt(log, declared)
    error = divergence(
        first.difference,
        run_id=log.run_id,
        url=safe_url(log.url),
        began_after=first.recorded.began_after,
        is_same_again=_is_same(first.difference, again.difference),
        unregistered=first.unregistered,
        failure=first.failure,
    )
    log_divergence(log.run_id, error)
    count_divergence(metrics, log.run_id, error.kind)
    raise error


class _Attempt:
    """One re-execution."""

    def __init__(self, log: StoredLog, declared: Declared) -> None:
        self.recorded = RecordedRun(log.rows(), setup_count=log.setup_count, forked_at=log.forked_at)
        run = Verification(
            self.recorded,
            log.run_id,
            declared,
            setup_count=log.setup_count,
            forked_at=log.forked_at,
            latest_loads=latest_loads(log.rows, declared.packs),
        )
        self.difference: Difference | None = run.difference()
        self.failure = run.failure
        known = {behavior.name for behavior in get_registry() if declared.behaviors is None}
        known |= {behavior.name for behavior in declared.behaviors or ()}
        self.unregistered = sorted(self.recorded.acted - known - run.pack_behaviors)


def _is_same(first: Difference, again: Difference | None) -> bool:
    return again is not None and (first.row.id, first.expected, first.actual) == (
        again.row.id,
        again.expected,
        again.actual,
    )
