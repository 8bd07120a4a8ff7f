"""`Runtime`: the front door of a run. Each method is a few words and a call into the room that does the work."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from activegraph.behaviors.base import AnyBehavior
from activegraph.core.changes import require_text
from activegraph.core.clock import Clock
from activegraph.core.graph import Graph
from activegraph.errors import InvalidRuntimeConfiguration
from activegraph.metrics import NoOpMetrics
from activegraph.runtime.approvals import PendingApproval, approve, deny
from activegraph.runtime.arguments import checked_behaviors, checked_durability, checked_graph, checked_predicate
from activegraph.runtime.budget import Budget
from activegraph.runtime.diff import Diff, diff_logs
from activegraph.runtime.engine import Engine
from activegraph.runtime.forking import fork_in_store
from activegraph.runtime.loading import load_run
from activegraph.runtime.lookup import find_behavior, find_tool
from activegraph.runtime.loop import finish_cut_off, go_on, on_the_stack, run_loop
from activegraph.runtime.measures import SeriesKeeper, measures_of
from activegraph.runtime.pack_loading import attach_packs, load_pack
from activegraph.runtime.saving import close_owned, put_under_store, save_state
from activegraph.runtime.starting import (
    adopt_frame,
    emit_goal,
    load_with_use,
    log_forked,
    log_loaded,
    open_recorded_run,
    resume_engine,
)
from activegraph.runtime.status import RuntimeStatus, status_of
from activegraph.runtime.subscriptions import Subscriptions
from activegraph.trace.export import export_jsonl
from activegraph.trace.printer import Trace, graph_lines

if TYPE_CHECKING:
    from activegraph.packs import Pack
    from activegraph.store.base import EventStore
    from activegraph.tools.base import Tool

__all__ = ["BehaviorFailure", "Runtime"]


class BehaviorFailure(NamedTuple):
    """One failed invocation, read from its `behavior.failed` event."""

    behavior: str
    event_id: str
    reason: str | None
    exception_type: str
    message: str
    failed_event_id: str


class Runtime:
    """Runs behaviors over a graph, one event after the other.

    Args:
        graph: The graph of the run; the runtime hears of its changes from now on.
        behaviors: Exactly these, instead of the process-wide registry.
        frame, policy: Shown to behaviors; the frame's id is stamped on what the run emits.
        budget: Limits as a dict, or a `Budget`.
        seed: Seed of `ctx.random`.
        persist_to: Store URL or bare SQLite path to record the run in.
        store: An open `EventStore` to record the run in.
        packs: Packs, or pairs of a pack and its settings, attached in this order.
        durability: `"effect"`, `"every-step"` or `"os"`: what a power cut may take back.

    Raises:
        InvalidRuntimeConfiguration: Arguments that exclude each other or make no sense.
        PackError: A pack does not fit, as for `load_pack`.
    """

    def __init__(
        self,
        graph: Graph,
        behaviors: Sequence[AnyBehavior] | None = None,
        frame: Any = None,
        policy: Any = None,
        budget: Mapping[str, Any] | Budget | None = None,
        seed: int = 0,
        *,
        persist_to: str | os.PathLike[str] | None = None,
        store: EventStore | None = None,
        metrics: Any = None,
        packs: Sequence[Any] | None = None,
        durability: str = "effect",
    ) -> None:
        checked_graph(graph)
        how = checked_durability(durability)
        explicit = None if behaviors is None else checked_behaviors(behaviors)
        limits = budget if isinstance(budget, Budget) else Budget(budget)
        if persist_to is not None and store is not None:
            raise InvalidRuntimeConfiguration(
                "`persist_to` and `store` were both given",
                what_failed="Building a runtime with `persist_to=` and `store=`.",
                why="A run has one log.",
                how_to_fix="Give one of the two.",
            )
        self.metrics = NoOpMetrics() if metrics is None else metrics
        engine = Engine(graph, behaviors=explicit, frame=frame, policy=policy, budget=limits, seed=seed, durability=how)
        engine.measures = measures_of(self.metrics, graph.run_id)
        attach_packs(engine, packs)
        put_under_store(engine, persist_to, store)
        engine.attach()
        self._engine = engine
        self.graph = graph
        self.frame = frame
        self.policy = policy
        self._series = None if engine.measures is None else SeriesKeeper(engine.measures)

    @property
    def run_id(self) -> str:
        """The graph's run id."""
        return self._engine.run_id

    @property
    def budget(self) -> Budget:
        """Limits and use; may be replaced between runs to go on with more."""
        return self._engine.budget

    @budget.setter
    def budget(self, budget: Budget | Mapping[str, Any]) -> None:
        self._engine.use_budget(budget if isinstance(budget, Budget) else Budget(budget))

    @property
    def errors(self) -> list[BehaviorFailure]:
        """Failed invocations, oldest first, read from the log."""
        return [
            BehaviorFailure(
                event.payload.get("behavior", ""),
                event.payload.get("event_id", ""),
                event.payload.get("reason"),
                event.payload.get("exception_type", ""),
                event.payload.get("message", ""),
                event.id,
            )
            for event in self.trace.failures()
        ]

    @property
    def trace(self) -> Trace:
        """The log as lines for people."""
        return Trace(self.graph)

    @property
    def registry(self) -> Subscriptions | None:
        """The behaviors of the last `run_*`; None before the first."""
        return self._engine.subscriptions

    def run_goal(self, goal: str, *, actor: str = "user") -> None:
        """Emit `goal.created` and run until idle; an invocation cut off by a crash is finished first.

        Raises:
            IncompatibleRuntimeState: The runtime is closed or stopped, or a run or transaction is open.
            ReplayDivergenceError: What was cut off did something else than it had recorded.
        """
        require_text("goal", goal)
        with on_the_stack(self._engine, "run_goal") as subscriptions:
            finish_cut_off(self._engine, subscriptions)
            emit_goal(self._engine, goal, actor)
            run_loop(self._engine, subscriptions)

    def run_until_idle(self) -> None:
        """Dispatch until the queue is empty or the budget is used up; raises what `run_goal` raises."""
        with on_the_stack(self._engine, "run_until_idle") as subscriptions:
            go_on(self._engine, subscriptions)

    def run_until(self, predicate: Callable[[Graph], Any]) -> None:
        """Dispatch until `predicate(graph)`, asked before each event, is truthy; raises what `run_goal` raises."""
        checked_predicate(predicate)
        with on_the_stack(self._engine, "run_until") as subscriptions:
            go_on(self._engine, subscriptions, predicate)

    def status(self, recent: int = 20) -> RuntimeStatus:
        """A frozen picture between two commits; from any thread, at any time, O(recent + behaviors)."""
        return status_of(self._engine, recent)

    def print_trace(self) -> None:
        """Print the trace to stdout."""
        self.trace.print()

    def print_graph(self) -> None:
        """Print objects and relations to stdout."""
        print("\n".join(graph_lines(self.graph)))  # noqa: T201 - the call is for printing

    def export_trace(self, path: str | os.PathLike[str]) -> None:
        """Write every event as one line of canonical JSON."""
        with open(path, "wb") as file:
            export_jsonl(self._engine.log.read(), file)

    def get_behavior(self, name: str) -> AnyBehavior:
        """The behavior of this name; a behavior of a pack is found by its short name too.

        Raises:
            BehaviorNotFoundError: There is none.
            AmbiguousBehaviorError: Several packs have one of this short name.
        """
        return find_behavior(self._engine, name)

    def get_tool(self, name: str) -> Tool:
        """The tool of this name; a tool of a pack is found by its short name too.

        Raises:
            ToolNotFoundError: There is none.
            AmbiguousToolError: Several packs have one of this short name.
        """
        return find_tool(self._engine, name)

    def load_pack(self, pack: Pack, settings: Any = None) -> bool:
        """Attach a pack; its behaviors take part from the next dispatch on, also for events that wait.

        Args:
            settings: A dict or an instance of the pack's settings class; None for what the log has
                recorded, else the defaults.

        Returns:
            False where it is attached already.

        Raises:
            PackVersionConflictError, PackConflictError, PackSettingsMissingError: Nothing was changed.
            IncompatibleRuntimeState: The runtime is closed or at work, or finishing an invocation comes first.
        """
        return load_pack(self._engine, pack, settings)

    def loaded_packs(self) -> list[Pack]:
        """The attached packs, in load order."""
        return [attachment.pack for attachment in self._engine.packs.attachments]

    def pending_approvals(self) -> list[PendingApproval]:
        """What behaviors proposed and nobody has decided on, oldest first."""
        return self._engine.approvals.pending()

    def approve(self, approval_id: str, approved_by: str | None = None) -> str:
        """Create a proposed object, with the decision in the log; returns its id.

        Raises:
            ApprovalNotFoundError: It is unknown or was decided already.
        """
        self._engine.check_host_call("approve")
        return approve(self._engine, approval_id, approved_by)

    def deny(self, approval_id: str, denied_by: str | None = None, reason: str = "") -> None:
        """Refuse a proposed object, with the decision in the log.

        Raises:
            ApprovalNotFoundError: It is unknown or was decided already.
        """
        self._engine.check_host_call("deny")
        deny(self._engine, approval_id, denied_by, reason)

    def save_state(self, path: str | os.PathLike[str] | None = None) -> str:
        """Make the run durable; opens a SQLite store at `path` if it has none. Returns where it is."""
        self._engine.check_callable("save_state")
        return save_state(self._engine, path)

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        run_id: str | None = None,
        *,
        behaviors: Sequence[AnyBehavior] | None = None,
        frame: Any = None,
        policy: Any = None,
        budget: Mapping[str, Any] | Budget | None = None,
        seed: int = 0,
        metrics: Any = None,
        clock: Clock | None = None,
        packs: Sequence[Any] | None = None,
        durability: str = "effect",
    ) -> Self:
        """Rebuild a run from its log; the next `run_*` does what is still owed.

        Args:
            path: Store URL or bare SQLite path.
            run_id: Default: the run that was appended to last.
            packs: Packs to attach again; they are code, and not in the log.

        Raises:
            StoreNotFoundError, RunNotFoundError: There is no such store or run; nothing is created.
            CorruptedEventPayloadError, LogInconsistencyError: The log cannot be read as a run.
        """
        checked_durability(durability)
        limits = budget if isinstance(budget, Budget) else Budget(budget)
        url, store = open_recorded_run(path, run_id)
        try:
            loaded = load_with_use(store, clock, limits)
            adopt_frame(frame, loaded)
            runtime = cls(loaded.graph, behaviors, frame, policy, limits, seed, metrics=metrics, durability=durability)
            resume_engine(runtime._engine, loaded, url)
            attach_packs(runtime._engine, packs)
        except BaseException:
            store.close()
            raise
        log_loaded(runtime._engine)
        return runtime

    def fork(
        self,
        at_event: str,
        label: str | None = None,
        *,
        behaviors: Sequence[AnyBehavior] | None = None,
        budget: Mapping[str, Any] | Budget | None = None,
        metrics: Any = None,
        packs: Sequence[Any] | None = None,
        durability: str | None = None,
    ) -> Self:
        """A new run in the same store that begins with this one's events up to and including `at_event`.

        Raises:
            EventNotFoundError: This run has no such event; no run is created.
            IncompatibleRuntimeState: There is no store, or one that cannot fork.
        """
        engine = self._engine
        engine.check_callable("fork")
        how = checked_durability(engine.durability if durability is None else durability)
        limits = budget if isinstance(budget, Budget) else Budget(budget)
        explicit = engine.explicit if behaviors is None else checked_behaviors(behaviors)
        store = fork_in_store(engine, at_event, label)
        try:
            loaded = load_run(store, clock=self.graph.clock)
            backend = self.metrics if metrics is None else metrics
            runtime = type(self)(
                loaded.graph, explicit, self.frame, self.policy, limits, metrics=backend, durability=how
            )
            resume_engine(runtime._engine, loaded, engine.url)
            attach_packs(runtime._engine, packs)
        except BaseException:
            store.close()
            raise
        log_forked(runtime._engine, self.run_id, at_event)
        return runtime

    def diff(self, other: Runtime) -> Diff:
        """Compare this run with `other`: shared events, then objects and relations that differ."""
        mine, theirs = self._engine, other._engine
        return diff_logs(
            self.run_id, other.run_id, mine.log.read(), theirs.log.read(), mine.projection, theirs.projection
        )

    def close(self) -> None:
        """Detach from the graph, flush, and close a store that this runtime opened; the graph stays readable."""
        engine = self._engine
        if engine.closed and engine.owned is None:
            return
        engine.check_callable("close")
        engine.detach()
        try:
            if engine.log.failure is None and engine.host_sync:
                engine.log.flush()
        finally:
            close_owned(engine)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
