"""The status of a run, live or stored; the definitions are part of core."""

from activegraph.operations.inspect import inspect_run
from activegraph.runtime.status import (
    BehaviorInfo,
    BudgetSnapshot,
    EventSummary,
    FrameSnapshot,
    RuntimeStatus,
    status_to_dict,
)

__all__ = [
    "BehaviorInfo",
    "BudgetSnapshot",
    "EventSummary",
    "FrameSnapshot",
    "RuntimeStatus",
    "inspect_run",
    "status_to_dict",
]
