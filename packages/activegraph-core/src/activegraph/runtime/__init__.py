"""The runtime: what runs behaviors over a graph, and what rebuilds, forks and compares runs."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from activegraph.runtime.runtime import Runtime

__all__ = ["Runtime"]


def __getattr__(name: str) -> Any:
    # Loaded when asked for, so that a room inside can be used without the loop.
    if name != "Runtime":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from activegraph.runtime.runtime import Runtime

    globals()[name] = Runtime
    return Runtime


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
