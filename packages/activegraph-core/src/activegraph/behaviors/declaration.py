"""What a declaration says, checked and copied, so that nothing wrong or shared reaches a run.

Every behavior object passes here when it is made, by a decorator or by hand.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from copy import deepcopy
from typing import Any

from activegraph.behaviors.delay import parse_activate_after
from activegraph.behaviors.view_spec import checked_view_spec
from activegraph.core.codec import check_header
from activegraph.core.where import compile_where
from activegraph.errors import InvalidArgumentType, InvalidRuntimeConfiguration, NonSerializableEventError
from activegraph.errors.base import shown

__all__ = [
    "check_runs",
    "checked_function",
    "checked_name",
    "checked_view_spec",
    "checked_where",
    "compiled_pattern",
    "listed",
    "own_copy",
    "parse_activate_after",
]


def checked_name(name: object, what: str = "name", *, of: str = "a behavior") -> str:
    """`name` if it can stand in the header of events, else `InvalidArgumentType`."""
    try:
        if isinstance(name, str) and name:
            text: str = check_header("actor", name)
            return text
    except NonSerializableEventError:
        pass
    raise InvalidArgumentType(
        f"{of}'s `{what}` must be non-empty text, not {shown(name)}",
        what_failed=f"Declaring {of} with `{what}={shown(name)}`.",
        why="It stands in the log: a behavior's as the actor of what it emits, a tool's in its calls.",
        how_to_fix=f'{what}="some_name"',
        context={"argument": what, "type": type(name).__name__},
    )


def checked_function(fn: object, name: str, *, overrides_run: bool) -> None:
    """Refuse a behavior with nothing to call; also a function whose call runs nothing, unless `run` knows what to do with it."""
    if not overrides_run:
        check_runs(fn, name, "fn")
    if callable(fn) or (fn is None and overrides_run):
        return
    raise InvalidArgumentType(
        f"behavior {name!r} has no function to call",
        what_failed=f"Declaring behavior {name!r} with `fn={shown(fn)}`.",
        why="The runtime calls `run`, which calls `fn`; it may be None only where a subclass overrides `run`.",
        how_to_fix="Pass a function as `fn`, or override `run` in a subclass.",
        context={"behavior": name, "type": type(fn).__name__},
    )


def check_runs(fn: object, behavior: str, argument: str) -> None:
    """Refuse a function whose call only makes something for others to run: a coroutine or a generator.

    Raises:
        InvalidArgumentType: It is `async`, or holds a `yield`.
    """
    for called in (fn, type(fn).__call__) if callable(fn) else ():
        if inspect.iscoroutinefunction(called) or inspect.isasyncgenfunction(called):
            why = "it is `async`, and the runtime awaits nothing"
        elif inspect.isgeneratorfunction(called):
            why = "it holds a `yield`, so that a call runs nothing of it"
        else:
            continue
        raise InvalidArgumentType(
            f"`{argument}` of behavior {behavior!r} would not run: {why}",
            what_failed=f"Declaring behavior {behavior!r} with `{argument}={shown(fn)}`.",
            why="The runtime calls it and goes on when it returns; a coroutine or a generator would be dropped unrun.",
            how_to_fix="Write it with a plain `def`; where it has to await something: asyncio.run(...) inside it.",
            context={"behavior": behavior, "argument": argument, "type": type(fn).__name__},
        )


def listed(values: Iterable[str] | str | None, what: str, behavior: str) -> list[str]:
    """A new list of texts; a bare string means the list of that string, None an empty one."""
    if values is None:
        return []
    if isinstance(values, str):
        return [values]
    items = list(values) if isinstance(values, Iterable) else [values]
    if all(isinstance(item, str) for item in items):
        return items
    raise InvalidArgumentType(
        f"behavior {behavior!r}: `{what}` must be a list of strings",
        what_failed=f"Declaring behavior {behavior!r} with `{what}={shown(values)}`.",
        why="Types are compared as text.",
        how_to_fix=f'{what}=["task"]',
        context={"behavior": behavior, "argument": what},
    )


def checked_where(where: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """A copy of a condition that compiles; None for an empty one.

    Raises:
        InvalidRuntimeConfiguration: An unknown operator, or no condition at all.
    """
    if where is None:
        return None
    compile_where(where)
    return {key: own_copy(value) for key, value in where.items()} or None


def compiled_pattern(pattern: str) -> Any:
    """The matcher of a pattern's text.

    Raises:
        UnsupportedPatternError: It is none of the language.
    """
    from activegraph.patterns.parser import parse

    return parse(pattern).compile()


def own_copy(value: Any) -> Any:
    """A copy of a list, dict or set at any depth; other values as they are."""
    if not isinstance(value, (list, dict, set, tuple)):
        return value
    try:
        return deepcopy(value)
    except Exception as error:  # whatever class stands inside may refuse to be copied
        raise InvalidRuntimeConfiguration(
            f"a declaration holds a value that cannot be copied: {type(error).__name__}",
            what_failed=f"Copying {shown(value)} out of a declaration.",
            why="A declaration is fixed when it is made; what is shared with its author could change under a run.",
            how_to_fix="Declare with plain lists, dicts and texts.",
        ) from error
