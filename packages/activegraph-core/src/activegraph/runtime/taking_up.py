"""A runtime on a run that a store holds: loaded from its log, or forked from the run of another runtime."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

from activegraph.core.clock import Clock
from activegraph.runtime.arguments import call_options, checked_behaviors, checked_durability, checked_fork, given_or
from activegraph.runtime.budget import Budget
from activegraph.runtime.face import RunFace
from activegraph.runtime.forking import fork_in_store, override_events, require_forkable
from activegraph.runtime.loading import load_run
from activegraph.runtime.outside import CallOptions
from activegraph.runtime.pack_loading import attach_packs, check_fork
from activegraph.runtime.starting import (
    adopt_frame,
    load_with_use,
    log_forked,
    log_loaded,
    open_recorded_run,
    resume_engine,
)

__all__ = ["fork_runtime", "load_runtime"]

R = TypeVar("R", bound=RunFace)


def load_runtime(
    make: Callable[..., R],
    path: str | os.PathLike[str],
    run_id: str | None,
    calls: dict[str, Any],
    *,
    frame: Any,
    budget: Mapping[str, Any] | Budget | None,
    replay_strict: bool,
    metrics: Any,
    clock: Clock | None,
    packs: Sequence[Any] | None,
    durability: str,
    **told: Any,
) -> R:
    """The runtime of a stored run; `Runtime.load` says what the arguments are, and what is raised.

    Args:
        make: Called with the graph, and with what the new runtime is told.
        calls: Its arguments about models, tools, their caches and retries.
        told: What only the new runtime is told.
    """
    checked_durability(durability)
    limits = budget if isinstance(budget, Budget) else Budget(budget)
    url, store = open_recorded_run(path, run_id)
    try:
        with _advice_naming(url):
            loaded = load_with_use(store, clock, limits)
        adopt_frame(frame, loaded)
        told |= {"frame": frame, "replay_strict": replay_strict, "metrics": metrics, "durability": durability}
        runtime = make(loaded.graph, budget=limits, **calls, **told)
        if replay_strict:
            from activegraph.runtime.verification.verify import declared_by, log_in, require_same_run

            require_same_run(log_in(store, url), declared_by(runtime._engine, packs), metrics)
        resume_engine(runtime._engine, loaded, url)
        attach_packs(runtime._engine, packs)
    except BaseException:
        store.close()
        raise
    log_loaded(runtime._engine)
    return runtime


def fork_runtime(
    make: Callable[..., R],
    parent: RunFace,
    at_event: str,
    label: str | None,
    calls: dict[str, Any],
    *,
    behaviors: Any,
    budget: Mapping[str, Any] | Budget | None,
    metrics: Any,
    packs: Sequence[Any] | None,
    pack_settings: Mapping[str, Mapping[str, Any]] | None,
    durability: str | None,
) -> R:
    """The runtime of a new run that begins with a part of another; `Runtime.fork` says what the arguments are.

    Everything is checked before there is a new run.

    Args:
        make: Called with the graph, and with what the new runtime is told.
        calls: Its arguments about models, tools, their caches and retries; None for what the parent has.
    """
    engine = parent._engine
    engine.check_callable("fork")
    checked_fork(at_event, label)
    how = checked_durability(given_or(durability, engine.durability))
    limits = budget if isinstance(budget, Budget) else Budget(budget)
    explicit = engine.explicit if behaviors is None else checked_behaviors(behaviors)
    require_forkable(engine, at_event)
    overrides = override_events(engine, at_event, pack_settings)
    calls = _inherited(engine.outside.options, calls)
    options = call_options(**calls)
    calls["tools"] = options.tools  # what was given may be read only once
    check_fork(engine, at_event, packs, overrides, behaviors=explicit, options=options)
    with _advice_naming(engine.url):
        store = fork_in_store(engine, at_event, label, overrides)
    try:
        with _advice_naming(engine.url):
            loaded = load_run(store, clock=engine.graph.clock)
        told = {"metrics": given_or(metrics, parent.metrics), "durability": how}
        runtime = make(loaded.graph, explicit, engine.frame, engine.policy, limits, **calls, **told)
        resume_engine(runtime._engine, loaded, engine.url)
        attach_packs(runtime._engine, packs)
    except BaseException:
        store.close()
        raise
    log_forked(runtime._engine, engine.run_id, at_event)
    return runtime


def _advice_naming(url: str | None) -> AbstractContextManager[None]:
    """A block whose errors advise with the store's own address, where that is known."""
    if url is None:
        return nullcontext()
    from activegraph.store.runs import advice_naming
    from activegraph.store.url import parse_store_url

    return advice_naming(parse_store_url(url))


def _inherited(parent: CallOptions, calls: dict[str, Any]) -> dict[str, Any]:
    """The arguments about calls that a fork is made with: its own, else its parent's."""
    retries = parent.retries
    of_parent = {
        "llm_provider": parent.provider,
        "tools": parent.tools,
        "tool_invoker": parent.tool_invoker,
        "llm_retry_max_attempts": retries.max_attempts,
        "llm_retry_initial_delay_seconds": retries.initial_delay_seconds,
        "llm_retry_max_delay_seconds": retries.max_delay_seconds,
    }
    return {name: given_or(given, of_parent.get(name)) for name, given in calls.items()}
