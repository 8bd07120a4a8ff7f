"""Conditions on objects and events: one small language, compiled once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any

from activegraph.core.elements import Object
from activegraph.core.event import Event
from activegraph.core.state import ObjectState
from activegraph.errors import InternalEvaluatorError, InvalidRuntimeConfiguration, internal_bug_fields
from activegraph.errors.base import shown

__all__ = ["Where", "compile_where", "evaluate_where"]

_EVENT_FIELDS = ("actor", "frame_id", "type", "id", "caused_by", "timestamp")
_OBJECT_FIELDS = ("id", "type", "data", "version", "provenance")


def _quietly(compare: Callable[[Any, Any], Any], *, otherwise: bool = False) -> Callable[[Any, Any], bool]:
    """A comparison that is `otherwise` where the values cannot be compared: data is never an error."""

    def holds(actual: Any, expected: Any) -> bool:
        try:
            return bool(compare(actual, expected))
        except Exception:  # the expected value may be of any class, and compare as it likes
            return otherwise

    return holds


def _ordered(compare: Callable[[Any, Any], Any]) -> Callable[[Any, Any], bool]:
    return _quietly(lambda actual, expected: actual is not None and compare(actual, expected))


_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    ">": _ordered(lambda a, b: a > b),
    "<": _ordered(lambda a, b: a < b),
    ">=": _ordered(lambda a, b: a >= b),
    "<=": _ordered(lambda a, b: a <= b),
    "==": _quietly(lambda a, b: a == b),
    "!=": _quietly(lambda a, b: a != b, otherwise=True),
    "in": _quietly(lambda a, b: a in b),
    "not in": _quietly(lambda a, b: a not in b, otherwise=True),
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

    def matches_state(self, state: ObjectState) -> bool:
        """The same against an object of the projection, without making a handle."""
        data = state.data()
        return all(holds(_from_state(state, data, path), expected) for path, holds, expected in self._tests)

    def matches(self, root: Any) -> bool:
        """Against any root: an event, an object, a mapping, or something with attributes."""
        if isinstance(root, Event):
            return self.matches_event(root)
        if isinstance(root, Object):
            return self.matches_object(root)
        return all(holds(_walk(root, path), expected) for path, holds, expected in self._tests)


def compile_where(where: Mapping[str, Any], *, declared: bool = True) -> Where:
    """Compile a condition.

    Args:
        declared: Whether it stands in a declaration, where an unknown operator is the caller's
            mistake and nothing is kept by reference; a read is over before anybody changes it.

    Raises:
        InvalidRuntimeConfiguration: An unknown operator or a key that is no text, in a declaration.
        InternalEvaluatorError: The same in a read.
    """
    if not isinstance(where, Mapping):
        raise _refusal(f"{shown(where)} is no dict", declared)
    tests = []
    own = _own if declared else _as_it_is
    for key, value in where.items():
        if not isinstance(key, str):
            raise _refusal(f"key {shown(key)} is no text", declared)
        path = tuple(key.split("."))
        if not isinstance(value, dict):
            tests.append((path, _OPERATORS["=="], own(value)))
            continue
        for operator, expected in value.items():
            holds = _OPERATORS.get(operator) if isinstance(operator, str) else None
            if holds is None:
                raise _refusal(f"operator {shown(operator)} of {shown(key)} is unknown", declared)
            tests.append((path, holds, own(expected)))
    return Where(tuple(tests))


def _own(value: Any) -> Any:
    """A copy of a container; other values stay as they are, since they may be of any class."""
    if not isinstance(value, (list, dict, set)):
        return value
    try:
        return deepcopy(value)
    except Exception:  # something inside refuses to be copied
        return value


def _as_it_is(value: Any) -> Any:
    return value


def evaluate_where(where: Mapping[str, Any] | None, root: Any) -> bool:
    """Whether `root` (an object, an event or a mapping) meets the condition; None and `{}` hold.

    Raises:
        InternalEvaluatorError: An unknown operator.
    """
    return not where or compile_where(where, declared=False).matches(root)


def _from_event(event: Event, payload: Any, path: tuple[str, ...]) -> Any:
    first = path[0]
    if isinstance(payload, Mapping) and first in payload:
        return _walk(payload, path)
    if first == "event" and len(path) > 1:
        return _field(event, path[1:], (*_EVENT_FIELDS, "payload"))
    return _field(event, path, _EVENT_FIELDS)


def _from_object(root: Any, path: tuple[str, ...]) -> Any:
    data = root.data
    if isinstance(data, Mapping) and path[0] in data:
        return _walk(data, path)
    return _field(root, path, _OBJECT_FIELDS)


def _from_state(state: ObjectState, data: dict[str, Any], path: tuple[str, ...]) -> Any:
    first = path[0]
    if first in data:
        return data[first] if len(path) == 1 else _walk(data, path)
    if first == "data":
        return _walk(data, path[1:])
    if first == "provenance":
        return _walk(state.provenance(), path[1:])
    return _field(state, path, _OBJECT_FIELDS)


def _field(root: Any, path: tuple[str, ...], names: tuple[str, ...]) -> Any:
    """A path that begins at one of the documented fields; others are missing."""
    return _walk(root, path) if path[0] in names else None


def _walk(root: Any, path: tuple[str, ...]) -> Any:
    value = root
    for part in path:
        if isinstance(value, Mapping):
            value = value.get(part)
        else:
            try:
                value = getattr(value, part, None)
            except Exception:  # a property of a class that we do not know
                return None
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
