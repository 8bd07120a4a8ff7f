"""Whether a recorded run does again what its log says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from activegraph.behaviors.registry import get_registry
from activegraph.runtime.failures import log_divergence
from activegraph.runtime.loading import read_log
from activegraph.runtime.measures import count_divergence
from activegraph.runtime.verification.comparing import Difference
from activegraph.runtime.verification.recorded import RecordedRun
from activegraph.runtime.verification.report import divergence
from activegraph.runtime.verification.running import Declared, Verification
from activegraph.store.url import safe_url

if TYPE_CHECKING:
    from activegraph.runtime.engine import Engine
    from activegraph.store.base import EventStore

__all__ = ["declared_by", "require_same_run"]


def declared_by(engine: Engine, packs: Any) -> Declared:
    """What a runtime that is being loaded was given to execute."""
    options = engine.outside.options
    return Declared(engine.explicit, engine.frame, engine.policy, engine.seed, options, packs)


def require_same_run(store: EventStore, declared: Declared, url: str, metrics: Any = None) -> None:
    """Execute a stored run again beside its log, and compare. Nothing is written, and nobody outside is asked.

    Args:
        store: The run, for reading.
        declared: What is executed: behaviors, and what else is not in a log.
        url: Where the store is.
        metrics: Where a divergence is counted.

    Raises:
        ReplayDivergenceError: At the first difference; it is counted and logged as critical once.
    """
    first = _Attempt(store, declared)
    if first.difference is None:
        return
    again = _Attempt(store, declared)
    error = divergence(
        first.difference,
        run_id=store.run_id,
        url=safe_url(url),
        began_after=first.recorded.began_after,
        is_same_again=_is_same(first.difference, again.difference),
        unregistered=first.unregistered,
        failure=first.failure,
    )
    log_divergence(store.run_id, error)
    count_divergence(metrics, store.run_id, error.kind)
    raise error


class _Attempt:
    """One re-execution of a stored run."""

    def __init__(self, store: EventStore, declared: Declared) -> None:
        record: Any = getattr(store, "get_run", lambda: None)()
        setup_count = 0 if record is None else record.setup_count or 0
        forked_at = None if record is None else record.forked_at_event_id
        self.recorded = RecordedRun(read_log(store), setup_count=setup_count, forked_at=forked_at)
        run = Verification(self.recorded, store.run_id, declared, setup_count=setup_count, forked_at=forked_at)
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
