"""The contracts of stores and metrics backends as suites that anybody can run.

    pytest --pyargs activegraph.conformance --store-url 'mydb://host/db'

or by hand: subclass `EventStoreConformance` or `MetricsConformance`, set `__test__ = True`, and
give `make_store` or `make_metrics`. Needs the extra `conformance` (pytest and hypothesis).
"""

from typing import Any

__all__ = ["BrokenPromise", "EventStoreConformance", "MetricsConformance", "StoreHooks"]

_HOME = {
    "BrokenPromise": "cases",
    "EventStoreConformance": "stores",
    "MetricsConformance": "metrics_cases",
    "StoreHooks": "hooks",
}


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
