"""What a run tells its metrics backend, and when.

What speaks of an event is told after the commit that holds it, so a commit that failed leaves no
count, and neither does a log that is loaded, copied or compared. Most of it is read from the event.
"""

from __future__ import annotations

import _thread
import sys
from collections.abc import Callable, Container, Sequence
from contextlib import suppress
from decimal import Decimal, InvalidOperation
from threading import Lock
from typing import Any

from activegraph.core.codec import decode_canonical
from activegraph.core.event import Event, raw_payload
from activegraph.core.record import EventRecord
from activegraph.metrics import Metrics, NoOpMetrics
from activegraph.runtime.budget import Budget
from activegraph.runtime.failures import reason_of
from activegraph.runtime.guarded_metrics import GuardedMetrics

__all__ = ["Measures", "SeriesKeeper", "count_divergence", "measures_of"]

_COST_LEFT = "activegraph_budget_cost_remaining_usd"
_EVENTS_LEFT = "activegraph_budget_events_remaining"
_UNKNOWN = "unknown"

_owners: dict[tuple[int, str, str], Measures] = {}
"""Who has set a series of a run last, by backend, metric and run: only it may take the series back."""


def measures_of(metrics: Metrics, run_id: str) -> Measures | None:
    """What measures for a runtime; None where nobody would see it, so that a run need not even build tags."""
    return None if type(metrics) is NoOpMetrics else Measures(metrics, run_id)


def count_divergence(metrics: Metrics | None, run_id: str, kind: str) -> None:
    """Count a difference from the log that was found without a runtime."""
    measures = None if metrics is None else measures_of(metrics, run_id)
    if measures is not None:
        measures.diverged(kind)
        measures.close()


class Measures(GuardedMetrics):
    """The observations of one runtime. What is told at every step calls the backend without a detour.

    Attributes:
        declared_tools: Names that may stand in the tag `tool` of a refused call; models make names up.
    """

    def __init__(self, metrics: Metrics, run_id: str) -> None:
        super().__init__(metrics, run_id)
        self.declared_tools: Container[str] = frozenset()
        self._begun: str | None = None
        """The behavior whose start mark is in the open step."""
        self._last_model = _UNKNOWN
        self._is_counted = False
        """Whether the running invocation's last answer from a model was a failure, and counted as one."""
        self._readers: dict[str, Callable[[dict[str, Any]], None]] = {
            "behavior.failed": self._behavior_failed,
            "llm.requested": self._llm_requested,
            "llm.responded": self._llm_responded,
            "tool.requested": self._tool_requested,
            "tool.responded": self._tool_responded,
        }

    def committed(self, events: Sequence[EventRecord]) -> None:
        """These events are in the log now."""
        counter, readers = self._counter, self._readers
        for event in events:
            type = event.type
            try:
                counter("activegraph_events_emitted_total", {"event_type": type})
            except Exception as error:  # a border: somebody's backend
                self._failed("activegraph_events_emitted_total", error)
                counter = self._counter
            if type in readers:
                readers[type](decode_canonical(event.payload))
                counter = self._counter
        behavior = self._begun
        if behavior is not None:
            self._begun = None
            try:
                counter("activegraph_behaviors_invoked_total", {"behavior": behavior})
            except Exception as error:  # a border: somebody's backend
                self._failed("activegraph_behaviors_invoked_total", error)

    def begins(self, behavior: str) -> None:
        """The open step holds the mark that an invocation begins with."""
        self._begun = behavior
        self._is_counted, self._last_model = False, _UNKNOWN

    def met(self, event: Event) -> None:
        """A resumed invocation has met this event in its prefix; it was counted when it was committed."""
        if event.type == "llm.responded":
            self._note_answer(decode_canonical(raw_payload(event)))

    def finished(self, behavior: str, seconds: float) -> None:
        """An invocation has ended, well or not, after so long."""
        try:
            self._histogram("activegraph_behaviors_duration_seconds", {"behavior": behavior}, seconds)
        except Exception as error:  # a border: somebody's backend
            self._failed("activegraph_behaviors_duration_seconds", error)

    def evaluated(self, seconds: float) -> None:
        """A pattern was evaluated against an event, which took so long."""
        self.counter("activegraph_patterns_evaluated_total", {})
        self.histogram("activegraph_patterns_evaluation_duration_seconds", {}, seconds)

    def diverged(self, kind: str) -> None:
        """A re-execution was not what the log says."""
        self.counter("activegraph_replay_divergence_detected_total", {"reason": kind})

    def queued(self, depth: int) -> None:
        """So many events wait now."""
        try:
            self._gauge("activegraph_queue_depth", {}, depth)
        except Exception as error:  # a border: somebody's backend
            self._failed("activegraph_queue_depth", error)

    def budget(self, budget: Budget) -> None:
        """A `run_*` starts or ends with this budget."""
        self._set_left(_EVENTS_LEFT, budget.events_remaining())
        self.cost_left(budget)

    def events_left(self, budget: Budget) -> None:
        """An event was taken from the queue of a run that may take so many."""
        self._set_left(_EVENTS_LEFT, budget.events_remaining())

    def cost_left(self, budget: Budget) -> None:
        """Something was paid."""
        left = budget.cost_remaining_amount()
        self._set_left(_COST_LEFT, None if left is None else float(left))

    def close(self) -> None:
        """Take back the series that live only as long as the run is active."""
        self._set_left(_EVENTS_LEFT, None)
        self._set_left(_COST_LEFT, None)
        self.say_dropped()

    @property
    def has_series(self) -> bool:
        """Whether a series of this run is shown that this runtime has set."""
        return any(_owners.get(self._key(name)) is self for name in (_EVENTS_LEFT, _COST_LEFT))

    def _key(self, name: str) -> tuple[int, str, str]:
        return id(self.backend), name, self.run_id

    def _set_left(self, name: str, left: float | None) -> None:
        key = self._key(name)
        if left is not None:
            _owners[key] = self
            self.gauge(name, {"run_id": self.run_id}, left)
        elif _owners.get(key) is self:
            del _owners[key]
            self.remove_gauge(name, {"run_id": self.run_id})

    def _behavior_failed(self, payload: dict[str, Any]) -> None:
        reason = reason_of(payload)
        tags = {"behavior": _tag(payload.get("behavior")), "reason": reason}
        self.counter("activegraph_behaviors_failed_total", tags)
        if reason.startswith("llm.") and not self._is_counted:
            # An answer that could not be used, or a call that came to nothing before it was made.
            self._llm_failed(_tag(payload.get("model"), self._last_model), reason)
        elif reason == "tool.unknown_tool":
            tool = payload.get("tool")
            known = isinstance(tool, str) and tool in self.declared_tools
            self._tool_failed(_tag(tool) if known else _UNKNOWN, reason)

    def _llm_requested(self, payload: dict[str, Any]) -> None:
        model = _tag(payload.get("model"))
        self.counter("activegraph_llm_calls_total", {"model": model})
        if payload.get("cache_hit") is True:
            self.counter("activegraph_llm_cache_hits_total", {"model": model})

    def _llm_responded(self, payload: dict[str, Any]) -> None:
        self._note_answer(payload)
        model, reason = self._last_model, _failure(payload)
        is_cached = payload.get("cache_hit") is True
        if reason is not None:
            self._llm_failed(model, reason)
        elif not is_cached:
            for name in ("tokens_in", "tokens_out"):
                tokens = _number(payload.get({"tokens_in": "input_tokens", "tokens_out": "output_tokens"}[name]))
                if tokens is not None:
                    self.histogram(f"activegraph_llm_{name}", {"model": model}, tokens)
        cost = 0.0 if is_cached else _dollars(payload.get("cost_usd"))
        if cost > 0:
            self.histogram("activegraph_llm_cost_usd", {"model": model}, cost)

    def _note_answer(self, payload: dict[str, Any]) -> None:
        self._last_model = _tag(payload.get("model"))
        self._is_counted = _failure(payload) is not None

    def _llm_failed(self, model: str, reason: str) -> None:
        if not reason.startswith("budget."):
            self.counter("activegraph_llm_failed_total", {"model": model, "reason": reason})

    def _tool_requested(self, payload: dict[str, Any]) -> None:
        tool = _tag(payload.get("tool"))
        self.counter("activegraph_tools_calls_total", {"tool": tool})
        if payload.get("cache_hit") is True:
            self.counter("activegraph_tools_cache_hits_total", {"tool": tool})

    def _tool_responded(self, payload: dict[str, Any]) -> None:
        tool, reason = _tag(payload.get("tool")), _failure(payload)
        if reason is not None:
            self._tool_failed(tool, reason)
        has_run = payload.get("cache_hit") is not True and reason != "tool.invalid_input"
        seconds = _number(payload.get("latency_seconds"))
        if has_run and seconds is not None and "resolved_by" not in payload:
            self.histogram("activegraph_tools_duration_seconds", {"tool": tool}, seconds)

    def _tool_failed(self, tool: str, reason: str) -> None:
        self.counter("activegraph_tools_failed_total", {"tool": tool, "reason": reason})


class SeriesKeeper:
    """Takes the series of a runtime back when the runtime that holds this is collected without having been closed."""

    def __init__(self, measures: Measures) -> None:
        self._measures = measures

    def __del__(self) -> None:
        with suppress(Exception):  # whatever is left of the interpreter by then
            if self._measures.has_series and not sys.is_finalizing():
                _take_back(self._measures)


def _take_back(measures: Measures) -> None:
    """Close from a thread of its own, and wait a moment for it.

    A collection may come while this very thread holds a lock of the backend's, which would wait for itself.
    """
    done = Lock()
    done.acquire()

    def close() -> None:
        try:
            measures.close()
        finally:
            done.release()

    _thread.start_new_thread(close, ())
    done.acquire(timeout=0.25)


def _tag(value: Any, otherwise: str = _UNKNOWN) -> str:
    return value if isinstance(value, str) and value else otherwise


def _failure(payload: dict[str, Any]) -> str | None:
    """The reason of an answer that is a failure; None for an answer."""
    error = payload.get("error")
    if error is None:
        return None
    return _tag(error.get("reason")) if isinstance(error, dict) else _UNKNOWN


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _dollars(value: Any) -> float:
    try:
        return float(Decimal(str(value)))
    except (InvalidOperation, OverflowError):
        return 0.0
