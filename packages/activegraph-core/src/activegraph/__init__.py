"""Active Graph: an event-sourced, reactive graph runtime. Public names load when first used.

`_HOMES` says where each name lives, and `_ELSEWHERE` which of these places belong to a distribution
of its own. A new public name is one line in `_HOMES` and one in the block for type checkers.
"""

__path__ = __import__("pkgutil").extend_path(__path__, __name__)

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

__path__.append(f"{__path__[0]}/absent")  # last: where nobody has brought a module, it says what to install

_HOMES = {
    "activegraph.behaviors.base": ("Behavior", "RelationBehavior"),
    "activegraph.behaviors.decorators": (
        "behavior",
        "clear_registry",
        "get_registry",
        "register",
        "relation_behavior",
    ),
    "activegraph.core.clock": ("Clock", "FrozenClock", "TickingClock"),
    "activegraph.core.event": ("Event",),
    "activegraph.core.graph": ("Graph", "Object", "Relation"),
    "activegraph.core.ids": ("IDGen",),
    "activegraph.core.patch": ("Patch",),
    "activegraph.core.view": ("View",),
    "activegraph.errors": (
        "ActiveGraphError",
        "AmbiguousBehaviorError",
        "AmbiguousToolError",
        "ApprovalNotFoundError",
        "BehaviorNotFoundError",
        "ConcurrentWriterError",
        "ConfigurationError",
        "CorruptedEventPayloadError",
        "DuplicateEventError",
        "EventNotFoundError",
        "ExecutionError",
        "IncompatibleRuntimeState",
        "InternalEvaluatorError",
        "InvalidActivateAfter",
        "InvalidArgumentType",
        "InvalidPatchLifecycleState",
        "InvalidPatchOperation",
        "InvalidRuntimeConfiguration",
        "InvalidStoreURL",
        "InvalidToolRegistration",
        "LLMBehaviorError",
        "LogInconsistencyError",
        "MissingOptionalDependency",
        "MissingProviderError",
        "MissingToolError",
        "NonSerializableEventError",
        "PackConflictError",
        "PackError",
        "PackNotFoundError",
        "PackPromptLoadError",
        "PackSchemaViolation",
        "PackSettingsMissingError",
        "PackValidationError",
        "PackVersionConflictError",
        "PatternError",
        "RegistrationError",
        "ReplayDivergenceError",
        "ReplayError",
        "RunExistsError",
        "RunNotFoundError",
        "RuntimeContextRequiredError",
        "SchemaVersionMismatch",
        "StorageError",
        "StoreNotFoundError",
        "StoreReadOnlyError",
        "StoreUnavailableError",
        "ToolError",
        "ToolNotFoundError",
        "UnknownToolError",
        "UnsupportedPatternError",
    ),
    "activegraph.frame": ("Frame",),
    "activegraph.llm.behavior": ("LLMBehavior",),
    "activegraph.llm.decorators": ("llm_behavior",),
    "activegraph.metrics": ("Metrics", "NoOpMetrics"),
    "activegraph.observability.logging": ("configure_logging",),
    "activegraph.observability.prometheus": ("PrometheusMetrics",),
    "activegraph.operations.inspect": ("inspect_run",),
    "activegraph.operations.migrate": ("MigrationReport", "MigrationRunReport", "migrate"),
    "activegraph.packs": (
        "DiscoveredPack",
        "EmptySettings",
        "ObjectType",
        "Pack",
        "PackPolicy",
        "PackPrompt",
        "PendingApproval",
        "RelationType",
        "clear_discovery_cache",
        "discover",
        "load_by_name",
        "load_prompts_from_dir",
    ),
    "activegraph.policy": ("Policy",),
    "activegraph.runtime.budget": ("Budget",),
    "activegraph.runtime.diff": ("Diff", "DivergentObject", "DivergentRelation"),
    "activegraph.runtime.runtime": ("BehaviorFailure", "Runtime"),
    "activegraph.runtime.status": ("RuntimeStatus",),
    "activegraph.store.base": ("EventStore", "RunRecord", "replay_into"),
    "activegraph.store.memory": ("InMemoryEventStore",),
    "activegraph.store.runs": ("list_runs", "open_store"),
    "activegraph.store.sqlite": ("SQLiteEventStore",),
    "activegraph.store.url": ("parse_store_url",),
    "activegraph.tools.base": ("Tool",),
    "activegraph.tools.context": ("ToolContext",),
    "activegraph.tools.decorators": ("clear_tool_registry", "get_tool_registry", "tool"),
}

_ELSEWHERE = {
    "activegraph.observability.logging": "activegraph-observability",
    "activegraph.observability.prometheus": "activegraph-observability",
    "activegraph.store.sqlite": "activegraph-store-sqlite",
}
"""Places that a distribution other than activegraph-core brings, and its name."""

_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = sorted(_HOME_OF)  # noqa: PLE0605 - names, made above


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    try:
        module = import_module(home)
    except ModuleNotFoundError as error:
        distribution = _ELSEWHERE.get(home)
        if distribution is None or error.name is None or not f"{home}.".startswith(f"{error.name}."):
            raise
        from activegraph.errors import MissingOptionalDependency

        raise MissingOptionalDependency(package=distribution, feature=f"activegraph.{name}") from error
    value = getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


if TYPE_CHECKING:
    from activegraph.behaviors.base import Behavior as Behavior
    from activegraph.behaviors.base import RelationBehavior as RelationBehavior
    from activegraph.behaviors.decorators import behavior as behavior
    from activegraph.behaviors.decorators import clear_registry as clear_registry
    from activegraph.behaviors.decorators import get_registry as get_registry
    from activegraph.behaviors.decorators import register as register
    from activegraph.behaviors.decorators import relation_behavior as relation_behavior
    from activegraph.core.clock import Clock as Clock
    from activegraph.core.clock import FrozenClock as FrozenClock
    from activegraph.core.clock import TickingClock as TickingClock
    from activegraph.core.event import Event as Event
    from activegraph.core.graph import Graph as Graph
    from activegraph.core.graph import Object as Object
    from activegraph.core.graph import Relation as Relation
    from activegraph.core.ids import IDGen as IDGen
    from activegraph.core.patch import Patch as Patch
    from activegraph.core.view import View as View
    from activegraph.errors import ActiveGraphError as ActiveGraphError
    from activegraph.errors import AmbiguousBehaviorError as AmbiguousBehaviorError
    from activegraph.errors import AmbiguousToolError as AmbiguousToolError
    from activegraph.errors import ApprovalNotFoundError as ApprovalNotFoundError
    from activegraph.errors import BehaviorNotFoundError as BehaviorNotFoundError
    from activegraph.errors import ConcurrentWriterError as ConcurrentWriterError
    from activegraph.errors import ConfigurationError as ConfigurationError
    from activegraph.errors import CorruptedEventPayloadError as CorruptedEventPayloadError
    from activegraph.errors import DuplicateEventError as DuplicateEventError
    from activegraph.errors import EventNotFoundError as EventNotFoundError
    from activegraph.errors import ExecutionError as ExecutionError
    from activegraph.errors import IncompatibleRuntimeState as IncompatibleRuntimeState
    from activegraph.errors import InternalEvaluatorError as InternalEvaluatorError
    from activegraph.errors import InvalidActivateAfter as InvalidActivateAfter
    from activegraph.errors import InvalidArgumentType as InvalidArgumentType
    from activegraph.errors import InvalidPatchLifecycleState as InvalidPatchLifecycleState
    from activegraph.errors import InvalidPatchOperation as InvalidPatchOperation
    from activegraph.errors import InvalidRuntimeConfiguration as InvalidRuntimeConfiguration
    from activegraph.errors import InvalidStoreURL as InvalidStoreURL
    from activegraph.errors import InvalidToolRegistration as InvalidToolRegistration
    from activegraph.errors import LLMBehaviorError as LLMBehaviorError
    from activegraph.errors import LogInconsistencyError as LogInconsistencyError
    from activegraph.errors import MissingOptionalDependency as MissingOptionalDependency
    from activegraph.errors import MissingProviderError as MissingProviderError
    from activegraph.errors import MissingToolError as MissingToolError
    from activegraph.errors import NonSerializableEventError as NonSerializableEventError
    from activegraph.errors import PackConflictError as PackConflictError
    from activegraph.errors import PackError as PackError
    from activegraph.errors import PackNotFoundError as PackNotFoundError
    from activegraph.errors import PackPromptLoadError as PackPromptLoadError
    from activegraph.errors import PackSchemaViolation as PackSchemaViolation
    from activegraph.errors import PackSettingsMissingError as PackSettingsMissingError
    from activegraph.errors import PackValidationError as PackValidationError
    from activegraph.errors import PackVersionConflictError as PackVersionConflictError
    from activegraph.errors import PatternError as PatternError
    from activegraph.errors import RegistrationError as RegistrationError
    from activegraph.errors import ReplayDivergenceError as ReplayDivergenceError
    from activegraph.errors import ReplayError as ReplayError
    from activegraph.errors import RunExistsError as RunExistsError
    from activegraph.errors import RunNotFoundError as RunNotFoundError
    from activegraph.errors import RuntimeContextRequiredError as RuntimeContextRequiredError
    from activegraph.errors import SchemaVersionMismatch as SchemaVersionMismatch
    from activegraph.errors import StorageError as StorageError
    from activegraph.errors import StoreNotFoundError as StoreNotFoundError
    from activegraph.errors import StoreReadOnlyError as StoreReadOnlyError
    from activegraph.errors import StoreUnavailableError as StoreUnavailableError
    from activegraph.errors import ToolError as ToolError
    from activegraph.errors import ToolNotFoundError as ToolNotFoundError
    from activegraph.errors import UnknownToolError as UnknownToolError
    from activegraph.errors import UnsupportedPatternError as UnsupportedPatternError
    from activegraph.frame import Frame as Frame
    from activegraph.llm.behavior import LLMBehavior as LLMBehavior
    from activegraph.llm.decorators import llm_behavior as llm_behavior
    from activegraph.metrics import Metrics as Metrics
    from activegraph.metrics import NoOpMetrics as NoOpMetrics
    from activegraph.observability.logging import configure_logging as configure_logging
    from activegraph.observability.prometheus import PrometheusMetrics as PrometheusMetrics
    from activegraph.operations.inspect import inspect_run as inspect_run
    from activegraph.operations.migrate import MigrationReport as MigrationReport
    from activegraph.operations.migrate import MigrationRunReport as MigrationRunReport
    from activegraph.operations.migrate import migrate as migrate
    from activegraph.packs import DiscoveredPack as DiscoveredPack
    from activegraph.packs import EmptySettings as EmptySettings
    from activegraph.packs import ObjectType as ObjectType
    from activegraph.packs import Pack as Pack
    from activegraph.packs import PackPolicy as PackPolicy
    from activegraph.packs import PackPrompt as PackPrompt
    from activegraph.packs import PendingApproval as PendingApproval
    from activegraph.packs import RelationType as RelationType
    from activegraph.packs import clear_discovery_cache as clear_discovery_cache
    from activegraph.packs import discover as discover
    from activegraph.packs import load_by_name as load_by_name
    from activegraph.packs import load_prompts_from_dir as load_prompts_from_dir
    from activegraph.policy import Policy as Policy
    from activegraph.runtime.budget import Budget as Budget
    from activegraph.runtime.diff import Diff as Diff
    from activegraph.runtime.diff import DivergentObject as DivergentObject
    from activegraph.runtime.diff import DivergentRelation as DivergentRelation
    from activegraph.runtime.runtime import BehaviorFailure as BehaviorFailure
    from activegraph.runtime.runtime import Runtime as Runtime
    from activegraph.runtime.status import RuntimeStatus as RuntimeStatus
    from activegraph.store.base import EventStore as EventStore
    from activegraph.store.base import RunRecord as RunRecord
    from activegraph.store.base import replay_into as replay_into
    from activegraph.store.memory import InMemoryEventStore as InMemoryEventStore
    from activegraph.store.runs import list_runs as list_runs
    from activegraph.store.runs import open_store as open_store
    from activegraph.store.sqlite import SQLiteEventStore as SQLiteEventStore
    from activegraph.store.url import parse_store_url as parse_store_url
    from activegraph.tools.base import Tool as Tool
    from activegraph.tools.context import ToolContext as ToolContext
    from activegraph.tools.decorators import clear_tool_registry as clear_tool_registry
    from activegraph.tools.decorators import get_tool_registry as get_tool_registry
    from activegraph.tools.decorators import tool as tool
