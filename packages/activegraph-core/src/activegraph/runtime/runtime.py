"""`Runtime`: the front door of a run. Each method is a few words and a call into the room that does the work."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

from activegraph.behaviors.base import AnyBehavior
from activegraph.core.changes import require_text
from activegraph.core.clock import Clock
from activegraph.core.graph import Graph
from activegraph.metrics import NoOpMetrics
from activegraph.runtime.approvals import approve, deny
from activegraph.runtime.arguments import (
    call_arguments,
    call_options,
    check_answering,
    checked_graph,
    checked_predicate,
    require_one_store,
)
from activegraph.runtime.budget import Budget
from activegraph.runtime.face import BehaviorFailure, RunFace
from activegraph.runtime.in_doubt import UNSET, resolve_tool
from activegraph.runtime.loop import finish_cut_off, go_on, on_the_stack, run_loop
from activegraph.runtime.measures import SeriesKeeper
from activegraph.runtime.saving import close_run, put_under_store, save_state
from activegraph.runtime.starting import emit_goal, new_engine

if TYPE_CHECKING:
    from activegraph.llm.cache import LLMCache
    from activegraph.packs import Pack
    from activegraph.runtime.diff import Diff
    from activegraph.store.base import EventStore
    from activegraph.tools.base import Tool
    from activegraph.tools.cache import ToolCache
    from activegraph.tools.invoker import ToolInvoker

__all__ = ["BehaviorFailure", "Runtime"]


class Runtime(RunFace):
    """Runs behaviors over a graph, one event after the other.

    Args:
        graph: The graph of the run; the runtime hears of its changes from now on.
        behaviors: Exactly these, instead of the process-wide registry.
        frame, policy: Shown to behaviors; the frame's id is stamped on what the run emits.
        budget: Limits as a dict, or a `Budget`.
        seed: Seed of `ctx.random`.
        persist_to: Store URL or bare SQLite path to record the run in.
        store: An open `EventStore` to record the run in.
        llm_provider: Asked by LLM behaviors.
        tools: Exactly these, instead of the process-wide registry; behaviors bring their own besides.
        tool_invoker: Makes the tool calls; by default the tool's body is called in this process.
        replay_llm_cache, replay_tool_cache: Look for a recorded answer before calling.
        llm_cache, tool_cache: Where to look; empty by default.
        replay_reinvoke_deterministic: Call deterministic tools although an answer is recorded.
        llm_retry_max_attempts: How often a model is asked at most where asking again may help; waits are in seconds.
        metrics: What measures: three methods, as `Metrics` says; by default nothing does.
        packs: Packs, or pairs of a pack and its settings, attached in this order.
        durability: `"effect"`, `"every-step"` or `"os"`: what a power cut may take back.

    Raises:
        InvalidRuntimeConfiguration: Arguments that exclude each other or make no sense.
        InvalidArgumentType: One of another kind than it must be.
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
        replay_strict: bool = False,
        llm_provider: Any = None,
        replay_llm_cache: bool = False,
        llm_cache: LLMCache | None = None,
        tools: Iterable[Tool] | None = None,
        replay_tool_cache: bool = False,
        tool_cache: ToolCache | None = None,
        replay_reinvoke_deterministic: bool = False,
        tool_invoker: ToolInvoker | None = None,
        metrics: Any = None,
        llm_retry_max_attempts: int = 1,
        llm_retry_initial_delay_seconds: float = 0.5,
        llm_retry_max_delay_seconds: float = 8.0,
        packs: Sequence[Any] | None = None,
        durability: str = "effect",
    ) -> None:
        checked_graph(graph)
        require_one_store(persist_to, store)
        check_answering("llm_cache", llm_cache, "get")
        check_answering("tool_cache", tool_cache, "get")
        self.metrics = NoOpMetrics() if metrics is None else metrics
        asked = llm_provider, tools, tool_invoker
        replays = replay_llm_cache, replay_tool_cache, replay_reinvoke_deterministic
        retries = llm_retry_max_attempts, llm_retry_initial_delay_seconds, llm_retry_max_delay_seconds
        options = call_options(**call_arguments(asked, replays, retries))
        told = {"behaviors": behaviors, "frame": frame, "policy": policy, "budget": budget, "seed": seed}
        engine = new_engine(graph, options, self.metrics, durability=durability, **told)
        if packs is not None:
            from activegraph.runtime.pack_loading import attach_packs

            attach_packs(engine, packs)
        engine.model_behaviors.settle_models(engine.behaviors_now())
        put_under_store(engine, persist_to, store)
        engine.attach()
        engine.outside.look_into(llm_cache, tool_cache)
        self._engine = engine
        self.replay_strict = bool(replay_strict)
        self.llm_provider = llm_provider
        self.replay_llm_cache = options.replay_llm_cache
        self.replay_tool_cache = options.replay_tool_cache
        self.replay_reinvoke_deterministic = options.replay_reinvoke_deterministic
        self.graph = graph
        self.frame = frame
        self.policy = policy
        self._series = None if engine.measures is None else SeriesKeeper(engine.measures)

    @property
    def budget(self) -> Budget:
        """Limits and use; may be replaced between runs to go on with more."""
        return self._engine.budget

    @budget.setter
    def budget(self, budget: Budget | Mapping[str, Any]) -> None:
        self._engine.use_budget(budget if isinstance(budget, Budget) else Budget(budget))

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

    def resolve_tool(
        self,
        requested_event_id: str,
        *,
        output: Any = UNSET,
        error: Any = UNSET,
        retry: bool = False,
        cost_usd: Any = 0,
        resolved_by: str | None = None,
    ) -> None:
        """Settle a tool call that a crash left in doubt: what it gave, that it failed, or that it may be made again.

        Args:
            requested_event_id: The `tool.requested` that has no answer.
            output: What the call gave; checked by the tool's schema, None is a value.
            error: Text of its failure.
            retry: Let the next `run_*` make it again, with the same idempotency key.
            cost_usd: What it did cost, in US dollars.

        Raises:
            InvalidRuntimeConfiguration: Not exactly one of the three, or an output that the tool's schema refuses.
            EventNotFoundError: No call of this id is in doubt.
        """
        self._engine.check_open("resolve_tool")
        settle = {"output": output, "error": error, "retry": retry, "cost_usd": cost_usd, "resolved_by": resolved_by}
        resolve_tool(self._engine, requested_event_id, **settle)

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
        from activegraph.runtime.pack_loading import load_pack

        return load_pack(self._engine, pack, settings)

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
        replay_strict: bool = False,
        llm_provider: Any = None,
        replay_llm_cache: bool = False,
        tools: Iterable[Tool] | None = None,
        replay_tool_cache: bool = False,
        replay_reinvoke_deterministic: bool = False,
        tool_invoker: ToolInvoker | None = None,
        metrics: Any = None,
        llm_retry_max_attempts: int = 1,
        llm_retry_initial_delay_seconds: float = 0.5,
        llm_retry_max_delay_seconds: float = 8.0,
        clock: Clock | None = None,
        packs: Sequence[Any] | None = None,
        durability: str = "effect",
    ) -> Self:
        """Rebuild a run from its log; the next `run_*` does what is still owed.

        Args:
            path: Store URL or bare SQLite path.
            run_id: Default: the run that was appended to last.
            clock: Tells the time from now on; by default the system's.
            replay_strict: First execute the run again beside its log, and compare. Answers come from the log,
                nobody is asked, and nothing is written.
            replay_llm_cache, replay_tool_cache: Look for an answer in this run's log, and in those that it was forked from.
            packs: Packs to attach again; they are code, and not in the log.

        The other arguments are those of the constructor, and are given again: none of them is in the log.

        Raises:
            StoreNotFoundError, RunNotFoundError: There is no such store or run; nothing is created.
            CorruptedEventPayloadError, LogInconsistencyError: The log cannot be read as a run.
            ReplayDivergenceError: With `replay_strict`, at the first event that the run does not do again.
        """
        told = {"behaviors": behaviors, "frame": frame, "policy": policy, "budget": budget, "seed": seed}
        asked = llm_provider, tools, tool_invoker
        replays = replay_llm_cache, replay_tool_cache, replay_reinvoke_deterministic
        retries = llm_retry_max_attempts, llm_retry_initial_delay_seconds, llm_retry_max_delay_seconds
        around = {"metrics": metrics, "clock": clock, "packs": packs, "durability": durability}
        calls = call_arguments(asked, replays, retries)
        from activegraph.runtime.taking_up import load_runtime

        return load_runtime(cls, path, run_id, calls, replay_strict=replay_strict, **told, **around)

    def fork(
        self,
        at_event: str,
        label: str | None = None,
        *,
        behaviors: Sequence[AnyBehavior] | None = None,
        llm_provider: Any = None,
        replay_llm_cache: bool = False,
        tools: Iterable[Tool] | None = None,
        replay_tool_cache: bool = False,
        replay_reinvoke_deterministic: bool = False,
        tool_invoker: ToolInvoker | None = None,
        budget: Mapping[str, Any] | Budget | None = None,
        metrics: Any = None,
        llm_retry_max_attempts: int | None = None,
        llm_retry_initial_delay_seconds: float | None = None,
        llm_retry_max_delay_seconds: float | None = None,
        packs: Sequence[Any] | None = None,
        pack_settings: Mapping[str, Mapping[str, Any]] | None = None,
        durability: str | None = None,
    ) -> Self:
        """A new run in the same store that begins with this one's events up to and including `at_event`.

        What is not given is the parent's, but for the budget, the seed, the packs and the three switches of the
        caches. With those, the fork looks for answers in the parent's whole log, also behind `at_event`.

        Args:
            at_event: Id of the last event that both runs share.
            label: A name for the new run, in its record.
            pack_settings: Settings of packs to override in the fork, by pack; nested dicts for nested models.

        Raises:
            EventNotFoundError: This run has no such event; no run is created.
            InvalidRuntimeConfiguration: A setting that the run's packs do not have; no run is created.
            PackError: `packs` do not fit, as for `load_pack`; no run is created.
            IncompatibleRuntimeState: There is no store, or one that cannot fork.
        """
        asked = llm_provider, tools, tool_invoker
        replays = replay_llm_cache, replay_tool_cache, replay_reinvoke_deterministic
        retries = llm_retry_max_attempts, llm_retry_initial_delay_seconds, llm_retry_max_delay_seconds
        told: dict[str, Any] = {"behaviors": behaviors, "budget": budget, "metrics": metrics, "durability": durability}
        of_packs: dict[str, Any] = {"packs": packs, "pack_settings": pack_settings}
        calls = call_arguments(asked, replays, retries)
        from activegraph.runtime.taking_up import fork_runtime

        return fork_runtime(type(self), self, at_event, label, calls, **told, **of_packs)

    def diff(self, other: Runtime) -> Diff:
        """Compare this run with `other`: shared events, then objects and relations that differ."""
        from activegraph.runtime.diff import diff_live

        return diff_live(self, other)

    def close(self) -> None:
        """Detach from the graph, flush, and close a store that this runtime opened; the graph stays readable."""
        close_run(self._engine)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
