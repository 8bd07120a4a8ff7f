"""Conditions on objects and events: one small language (runtime.md 4.8), compiled once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from activegraph.core.event import Event
from activegraph.errors import InternalEvaluatorError, InvalidRuntimeConfiguration, internal_bug_fields

__all__ = ["Where", "compile_where", "evaluate_where"]

_EVENT_FIELDS = ("actor", "frame_id", "type", "id", "caused_by", "timestamp")


def _ordered(compare: Callable[[Any, Any], Any]) -> Callable[[Any, Any], bool]:
    def holds(actual: Any, expected: Any) -> bool:
        if actual is None:
            return False
        try:
            return bool(compare(actual, expected))
        except TypeError:
            return False

    return holds


def _is_in(actual: Any, container: Any) -> bool:
    try:
        return actual in container
    except TypeError:
        return False


_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    ">": _ordered(lambda a, b: a > b),
    "<": _ordered(lambda a, b: a < b),
    ">=": _ordered(lambda a, b: a >= b),
    "<=": _ordered(lambda a, b: a <= b),
    "==": lambda a, b: bool(a == b),
    "!=": lambda a, b: bool(a != b),
    "in": _is_in,
    "not in": lambda a, b: not _is_in(a, b),
}


class Where:
    """A compiled condition: all its entries must hold; an empty one holds."""

    def __init__(self, tests: tuple[tuple[tuple[str, ...], Callable[[Any, Any], bool], Any], ...]) -> None:
        self._tests = tests

    def matches_event(self, event: Event) -> bool:
        """Against an event's payload, then its own fields."""
        payload = event.payload
        return all(holds(_from_event(event, payload, path), expected) for path, holds, expected in self._tests)

    def matches_object(self, root: Any) -> bool:
        """Against an object: its data fields first, then `id`, `type`, `data`, `version`, `provenance`."""
        return all(holds(_from_object(root, path), expected) for path, holds, expected in self._tests)

    def matches(self, root: Any) -> bool:
        """Against any root: an event, an object, or a mapping."""
        if isinstance(root, Event):
            return self.matches_event(root)
        if isinstance(root, Mapping):
            return all(holds(_walk(root, path), expected) for path, holds, expected in self._tests)
        return self.matches_object(root)


def compile_where(where: Mapping[str, Any], *, declared: bool = True) -> Where:
    """Compile a condition.

    Args:
        declared: Whether it stands in a declaration, where an unknown operator is the caller's mistake.

    Raises:
        InvalidRuntimeConfiguration: An unknown operator or a key that is no text, in a declaration.
        InternalEvaluatorError: The same in a read.
    """
    tests = []
    for key, value in where.items():
        if not isinstance(key, str):
            raise _refusal(f"key {key!r} is no text", declared)
        path = tuple(key.split("."))
        if not isinstance(value, dict):
            tests.append((path, _OPERATORS["=="], value))
            continue
        for operator, expected in value.items():
            holds = _OPERATORS.get(operator) if isinstance(operator, str) else None
            if holds is None:
                raise _refusal(f"operator {operator!r} of {key!r} is unknown", declared)
            tests.append((path, holds, expected))
    return Where(tuple(tests))


def evaluate_where(where: Mapping[str, Any] | None, root: Any) -> bool:
    """Whether `root` (an object, an event or a mapping) meets the condition; None and `{}` hold.

    Raises:
        InternalEvaluatorError: An unknown operator.
    """
    return not where or compile_where(where, declared=False).matches(root)


def _from_event(event: Event, payload: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    first = path[0]
    if first in payload:
        return _walk(payload, path)
    if first == "event" and len(path) > 1:
        return _walk(event, path[1:])
    if first in _EVENT_FIELDS:
        return _walk(event, path)
    return None


def _from_object(root: Any, path: tuple[str, ...]) -> Any:
    data = getattr(root, "data", None)
    if isinstance(data, Mapping) and path[0] in data:
        return _walk(data, path)
    return _walk(root, path)


def _walk(root: Any, path: tuple[str, ...]) -> Any:
    value = root
    for part in path:
        if isinstance(value, Mapping):
            value = value.get(part)
        else:
            value = getattr(value, part, None)
        if value is None:
            return None
    return value


def _refusal(what: str, declared: bool) -> Exception:
    known = ", ".join(_OPERATORS)
    if declared:
        return InvalidRuntimeConfiguration(
            f"where condition: {what}",
            what_failed=f"Compiling a `where` condition: {what}.",
            why="A condition that cannot be evaluated would never, or always, hold.",
            how_to_fix=f'Use one of {known}, for example {{"object.data.score": {{">": 0.5}}}}.',
        )
    return InternalEvaluatorError(
        **internal_bug_fields(
            summary=f"where condition: {what}",
            what_happened=f"Evaluating a `where` condition: {what}. Known operators: {known}.",
            why_invariant="Conditions are checked where they are declared; a read evaluates what it is given.",
            location="activegraph.core.where",
        )
    )
