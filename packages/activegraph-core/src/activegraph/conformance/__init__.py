"""The contracts of stores and metrics backends as suites that anybody can run.

    pytest --pyargs activegraph.conformance --store-url 'mydb://host/db'

or by hand: subclass `EventStoreConformance` or `MetricsConformance`, set `__test__ = True`, and
give `make_store` or `make_metrics`. Needs the extra `conformance` (pytest and hypothesis).
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from activegraph.conformance.cases import BrokenPromise
    from activegraph.conformance.hooks import StoreHooks
    from activegraph.conformance.metrics_cases import MetricsConformance
    from activegraph.conformance.stores import EventStoreConformance

__all__ = ["BrokenPromise", "EventStoreConformance", "MetricsConformance", "StoreHooks"]

_HOME = {
    "BrokenPromise": "cases",
    "EventStoreConformance": "stores",
    "MetricsConformance": "metrics_cases",
    "StoreHooks": "hooks",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    except ModuleNotFoundError as error:
        if error.name not in ("hypothesis", "pytest"):
            raise
        from activegraph.errors import MissingOptionalDependency

        raise MissingOptionalDependency(package="activegraph-core[conformance]", feature=name) from error
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
