"""A metrics backend behind a guard: whatever it raises is dropped, counted, and said once."""

from __future__ import annotations

import logging
from typing import Any
from weakref import WeakValueDictionary

from activegraph.core.log_lines import error_fields, say
from activegraph.metrics import Metrics

__all__ = ["GuardedMetrics"]

_logger = logging.getLogger("activegraph.observability")

_PATIENCE = 100
"""Failures in a row after which a backend is called no more."""


class _Faults:
    """What was said already of one backend, whichever runtime met it."""

    def __init__(self, backend: Any) -> None:
        self.backend = backend
        self.said: set[str] = set()


_faults: WeakValueDictionary[int, _Faults] = WeakValueDictionary()
"""By the backend's identity, for as long as a runtime uses it."""


class GuardedMetrics:
    """One runtime's way to its backend.

    Attributes:
        dropped: Observations that the backend has not taken.
    """

    def __init__(self, backend: Metrics, run_id: str) -> None:
        self.run_id = run_id
        self.dropped = 0
        self._in_a_row = 0
        self._has_failed = False
        self._faults = _faults.setdefault(id(backend), _Faults(backend))
        self._counter = _method(backend, "counter")
        self._histogram = _method(backend, "histogram")
        self._gauge = _method(backend, "gauge")

    @property
    def backend(self) -> Any:
        """The backend itself."""
        return self._faults.backend

    def counter(self, name: str, tags: dict[str, str], value: float = 1.0) -> None:
        """Add to a total."""
        try:
            self._counter(name, tags, value)
        except Exception as error:  # a border: somebody's backend
            self._failed(name, error)

    def histogram(self, name: str, tags: dict[str, str], value: float) -> None:
        """Record one observation."""
        try:
            self._histogram(name, tags, value)
        except Exception as error:  # a border: somebody's backend
            self._failed(name, error)

    def gauge(self, name: str, tags: dict[str, str], value: float) -> None:
        """Set what a series stands at."""
        try:
            self._gauge(name, tags, value)
        except Exception as error:  # a border: somebody's backend
            self._failed(name, error)

    def remove_gauge(self, name: str, tags: dict[str, str]) -> None:
        """Drop a series, where the backend knows how."""
        try:
            remove = getattr(self.backend, "remove_gauge", None)
            if remove is not None:
                remove(name, tags)
        except Exception as error:  # a border: somebody's backend
            self._failed(name, error)

    def say_dropped(self) -> None:
        """The closing line of a runtime whose backend has not taken everything."""
        dropped, self.dropped = self.dropped, 0
        if dropped:
            message = "metrics backend dropped %d observations"
            say(_logger, logging.INFO, message, dropped, run_id=self.run_id)

    def _failed(self, name: str, error: Exception) -> None:
        self.dropped += 1
        self._in_a_row += 1
        if not self._has_failed:
            self._has_failed = True
            self._counter, self._histogram, self._gauge = map(
                self._noting_success, (self._counter, self._histogram, self._gauge)
            )
        if name not in self._faults.said:
            self._faults.said.add(name)
            fields = {"run_id": self.run_id, **error_fields(error)}
            say(_logger, logging.WARNING, "metrics backend failed: %s", name, **fields)
        if self._in_a_row == _PATIENCE:
            self._counter = self._histogram = self._gauge = self._drop
            fields = {"run_id": self.run_id, **error_fields(error)}
            message = "metrics backend is called no more after %d failures in a row"
            say(_logger, logging.WARNING, message, _PATIENCE, **fields)

    def _noting_success(self, observe: Any) -> Any:
        """As `observe`; what it takes ends a row of failures. A backend that has never failed is spared that."""

        def noted(name: str, tags: dict[str, str], value: float = 1.0) -> None:
            observe(name, tags, value)
            self._in_a_row = 0

        return noted

    def _drop(self, name: str, tags: dict[str, str], value: float = 1.0) -> None:
        self.dropped += 1


def _method(backend: object, name: str) -> Any:
    """A method of the backend's; where it has none, what says so at each call, as any failure is said."""
    try:
        return getattr(backend, name)
    except Exception as error:  # a border: somebody's backend
        failure = error

        def missing(*_: object) -> None:
            raise failure

        return missing
