"""Whether the runtime could call a function as it calls its kind, found out where it is declared."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

__all__ = ["check_signature", "name_of"]

_BY_PLACE = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def check_signature(fn: Callable[..., Any], decorator: str, *given: str, annotated_extras: bool = True) -> None:
    """Refuse a function that cannot take what the runtime hands it.

    Args:
        decorator: `@behavior` and its like, for the message.
        given: Names of the arguments that are handed over by place.
        annotated_extras: Whether further required parameters may stand there if they are annotated;
            by its annotation the runtime finds what to pass.

    Raises:
        TypeError: Fewer places than `given`, or a further required parameter that nothing fills.
    """
    try:
        parameters = list(inspect.signature(fn).parameters.values())
    except (TypeError, ValueError):
        return  # a callable that does not show its signature: nothing can be said of it
    places = [one for one in parameters if one.kind in _BY_PLACE]
    if len(places) < len(given) and not any(one.kind is inspect.Parameter.VAR_POSITIONAL for one in parameters):
        raise TypeError(_refusal(fn, decorator, given, f"it takes {len(places)} arguments by place"))
    for extra in [*places[len(given) :], *(one for one in parameters if one.kind is inspect.Parameter.KEYWORD_ONLY)]:
        if extra.default is not inspect.Parameter.empty:
            continue
        if not annotated_extras or extra.annotation is inspect.Parameter.empty:
            raise TypeError(_refusal(fn, decorator, given, f"nothing fills its parameter {extra.name!r}"))


def name_of(fn: Callable[..., Any]) -> str:
    """What a function is called; the class's name for a callable object without one."""
    return getattr(fn, "__name__", type(fn).__name__)


def _refusal(fn: Callable[..., Any], decorator: str, given: tuple[str, ...], why: str) -> str:
    name = name_of(fn)
    return (
        f"{decorator}: {name!r} cannot be called: {why}. Write\n"
        f"    {decorator}(...)\n"
        f"    def {name}({', '.join(given)}): ..."
    )
