"""The path by which store authors import the suite of their contract; it needs the extra `conformance`."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    # The suites stand above the stores, so at run time they are reached by name and when first used.
    from activegraph.conformance import EventStoreConformance

__all__ = ["EventStoreConformance"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("activegraph.conformance"), name)
