"""What operators import: logs, metrics, status and the operations on stored runs. Names load when first used."""

from typing import TYPE_CHECKING, Any

_HOMES = {
    "activegraph.metrics": ("METRIC_NAMES", "Metrics", "NoOpMetrics"),
    "activegraph.observability.logging": ("LOG_FIELDS", "configure_logging", "get_logger", "runtime_log_extra"),
    "activegraph.observability.prometheus": ("PrometheusMetrics",),
    "activegraph.operations.inspect": ("inspect_run",),
    "activegraph.operations.migrate": ("MigrationReport", "MigrationRunReport", "migrate"),
    "activegraph.runtime.status": (
        "BehaviorInfo",
        "BudgetSnapshot",
        "EventSummary",
        "FrameSnapshot",
        "RuntimeStatus",
        "status_to_dict",
    ),
}

_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = sorted(_HOME_OF)  # noqa: PLE0605 - names, made above


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


if TYPE_CHECKING:
    from activegraph.metrics import METRIC_NAMES as METRIC_NAMES
    from activegraph.metrics import Metrics as Metrics
    from activegraph.metrics import NoOpMetrics as NoOpMetrics
    from activegraph.observability.logging import LOG_FIELDS as LOG_FIELDS
    from activegraph.observability.logging import configure_logging as configure_logging
    from activegraph.observability.logging import get_logger as get_logger
    from activegraph.observability.logging import runtime_log_extra as runtime_log_extra
    from activegraph.observability.prometheus import PrometheusMetrics as PrometheusMetrics
    from activegraph.operations.inspect import inspect_run as inspect_run
    from activegraph.operations.migrate import MigrationReport as MigrationReport
    from activegraph.operations.migrate import MigrationRunReport as MigrationRunReport
    from activegraph.operations.migrate import migrate as migrate
    from activegraph.runtime.status import BehaviorInfo as BehaviorInfo
    from activegraph.runtime.status import BudgetSnapshot as BudgetSnapshot
    from activegraph.runtime.status import EventSummary as EventSummary
    from activegraph.runtime.status import FrameSnapshot as FrameSnapshot
    from activegraph.runtime.status import RuntimeStatus as RuntimeStatus
    from activegraph.runtime.status import status_to_dict as status_to_dict
