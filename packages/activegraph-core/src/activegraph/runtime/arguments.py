"""Arguments of `Runtime` and its methods, checked before anything is changed."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any, Literal, TypeVar

from activegraph.behaviors.base import AnyBehavior, Behavior, RelationBehavior
from activegraph.core.codec import check_header
from activegraph.core.graph import Graph
from activegraph.core.refusals import working
from activegraph.errors import InvalidArgumentType, InvalidRuntimeConfiguration
from activegraph.errors.base import shown
from activegraph.runtime.outside import CallOptions
from activegraph.runtime.retries import checked_retries
from activegraph.tools.base import Tool
from activegraph.tools.invoker import ToolInvoker
from activegraph.tools.registry import checked_tools

__all__ = [
    "Durability",
    "call_arguments",
    "call_options",
    "check_answering",
    "checked_behaviors",
    "checked_durability",
    "checked_fork",
    "checked_frame",
    "checked_graph",
    "checked_path",
    "checked_predicate",
    "given_or",
    "require_one_store",
]

T = TypeVar("T")

Durability = Literal["effect", "every-step", "os"]


def checked_graph(graph: object) -> Graph:
    """`graph` if a runtime may be built on it now.

    Raises:
        InvalidArgumentType: It is no graph.
        IncompatibleRuntimeState: A `run_*` is working on it.
    """
    if not isinstance(graph, Graph):
        raise InvalidArgumentType(
            f"a runtime runs a Graph, not {type(graph).__name__}",
            what_failed=f"`Runtime(graph)` with {shown(graph)}.",
            why="Behaviors react to the events of one graph.",
            how_to_fix="Runtime(Graph())",
            context={"argument": "graph", "type": type(graph).__name__},
        )
    if graph._recorder.runner is not None:
        raise working(graph.run_id, "Runtime(graph)")
    return graph


def checked_behaviors(behaviors: object) -> tuple[AnyBehavior, ...]:
    """`behaviors` as a tuple if they are a sequence of behaviors, else `InvalidArgumentType`."""
    given = list(behaviors) if isinstance(behaviors, Sequence) and not isinstance(behaviors, str) else [behaviors]
    checked: list[AnyBehavior] = []
    for each in given:
        if not isinstance(each, (Behavior, RelationBehavior)):
            raise InvalidArgumentType(
                f"`behaviors` is a list of behaviors, not of {type(each).__name__}",
                what_failed=f"`behaviors=` with {shown(each)}.",
                why="A behavior says which events it reacts to; a bare function does not.",
                how_to_fix="Declare it with `@behavior(on=[...])`, and pass `behaviors=[...]`.",
                context={"argument": "behaviors", "type": type(each).__name__},
            )
        checked.append(each)
    return tuple(checked)


def checked_frame(frame: Any) -> str | None:
    """The id that `frame` has, if there is a frame and it has one.

    Raises:
        InvalidArgumentType: It can be given none, or has one that is no text.
    """
    if frame is None:
        return None
    id = getattr(frame, "id", None)
    try:
        if id is None:
            frame.id = None
        checked: str | None = check_header("frame_id", id)
        return checked
    except Exception as error:  # a frame may be of any class
        raise InvalidArgumentType(
            f"`frame` of type {type(frame).__name__} cannot carry an id",
            what_failed=f"`frame={shown(frame)}`: an id cannot be put on it ({type(error).__name__}).",
            why="The id of a run's frame stands on its events; a frame without one is given the next.",
            how_to_fix='frame=Frame("what the run is for")',
            context={"argument": "frame", "type": type(frame).__name__},
        ) from error


def checked_path(path: object, argument: str) -> str:
    """A store URL or a path as text, else `InvalidArgumentType`."""
    text = os.fspath(path) if isinstance(path, (str, os.PathLike)) else path
    if isinstance(text, str):
        return text
    raise InvalidArgumentType(
        f"`{argument}` is a store URL or a path, not {shown(path)}",
        what_failed=f"Opening a store with `{argument}={shown(path)}`.",
        why="A store is found by its address.",
        how_to_fix='"sqlite:///run.db", or the path of a SQLite file: "run.db"',
        context={"argument": argument, "type": type(path).__name__},
    )


def checked_fork(at_event: object, label: object) -> None:
    """Raise `InvalidArgumentType` unless a fork may be named so."""
    for argument, value, optional in (("at_event", at_event, False), ("label", label, True)):
        if isinstance(value, str) or (optional and value is None):
            continue
        raise InvalidArgumentType(
            f"`{argument}` of a fork is text, not {type(value).__name__}",
            what_failed=f"`fork` with `{argument}={shown(value)}`. No run was created.",
            why="A fork begins with the events up to one of them, which its id names; its label is read by people.",
            how_to_fix='runtime.fork("evt_010", label="what if")',
            context={"argument": argument, "type": type(value).__name__},
        )


def checked_predicate(predicate: object) -> None:
    """Raise `InvalidArgumentType` unless `predicate` can be asked."""
    if not callable(predicate):
        raise InvalidArgumentType(
            f"`run_until` takes a function of the graph, not {type(predicate).__name__}",
            what_failed=f"`run_until({shown(predicate)})`.",
            why="It is asked before each event, and stops the loop when its answer is true.",
            how_to_fix="runtime.run_until(lambda graph: graph.has_object_of_type('answer'))",
            context={"argument": "predicate", "type": type(predicate).__name__},
        )


def checked_durability(durability: str) -> Durability:
    """`durability` if it is one of the three, else `InvalidRuntimeConfiguration`."""
    if durability in ("effect", "every-step", "os"):
        return durability  # type: ignore[return-value]  # narrowed by the line above
    raise InvalidRuntimeConfiguration(
        f"durability {durability!r} is not one of effect, every-step, os",
        what_failed=f"Building a runtime with `durability={durability!r}`.",
        why="It decides what survives a power cut, so a misspelling must not pass for a choice.",
        how_to_fix='Use durability="effect" (the default), "every-step" or "os".',
        context={"durability": str(durability)},
    )


def check_answering(argument: str, given: object, method: str) -> None:
    """Raise `InvalidArgumentType` if something is given that does not have the method by which it is asked."""
    if given is None or callable(getattr(given, method, None)):
        return
    raise InvalidArgumentType(
        f"`{argument}` has no method `{method}`: {shown(given)}",
        what_failed=f"Building a runtime with `{argument}={shown(given)}`.",
        why=f"It is asked by `{method}`, in the middle of a run; what cannot answer is refused before.",
        how_to_fix=_ASKED[argument],
        context={"argument": argument, "type": type(given).__name__, "method": method},
    )


_ASKED = {
    "llm_cache": "llm_cache=LLMCache.from_events(events), or leave it out.",
    "tool_cache": "tool_cache=ToolCache.from_events(events), or leave it out.",
    "tool_invoker": "tool_invoker=DirectToolInvoker(), or leave it out.",
}


def call_arguments(asked: Iterable[Any], replays: Iterable[Any], retries: Iterable[Any]) -> dict[str, Any]:
    """Arguments about calls by their names: who is asked, what is looked up before, and how often is asked."""
    given = (*asked, *replays, *retries)
    return dict(zip(_OF_CALLS, given, strict=True))


_OF_CALLS = (
    "llm_provider",
    "tools",
    "tool_invoker",
    "replay_llm_cache",
    "replay_tool_cache",
    "replay_reinvoke_deterministic",
    "llm_retry_max_attempts",
    "llm_retry_initial_delay_seconds",
    "llm_retry_max_delay_seconds",
)


def call_options(
    *,
    llm_provider: Any,
    tools: Iterable[Tool] | None,
    tool_invoker: ToolInvoker | None,
    replay_llm_cache: bool,
    replay_tool_cache: bool,
    replay_reinvoke_deterministic: bool,
    llm_retry_max_attempts: int,
    llm_retry_initial_delay_seconds: float,
    llm_retry_max_delay_seconds: float,
) -> CallOptions:
    """What a runtime was given for its calls.

    Raises:
        InvalidToolRegistration: `tools` holds something else.
        InvalidRuntimeConfiguration: Retries that make no sense.
        InvalidArgumentType: A `tool_invoker` that cannot invoke.
    """
    check_answering("tool_invoker", tool_invoker, "invoke")
    return CallOptions(
        provider=llm_provider,
        tools=None if tools is None else checked_tools(tools),
        tool_invoker=tool_invoker,
        retries=checked_retries(llm_retry_max_attempts, llm_retry_initial_delay_seconds, llm_retry_max_delay_seconds),
        replay_llm_cache=bool(replay_llm_cache),
        replay_tool_cache=bool(replay_tool_cache),
        replay_reinvoke_deterministic=bool(replay_reinvoke_deterministic),
    )


def given_or(given: T | None, inherited: T) -> T:
    """An argument of a fork, or what its parent has."""
    return inherited if given is None else given


def require_one_store(persist_to: object, store: object) -> None:
    """Refuse two places for one log.

    Raises:
        InvalidRuntimeConfiguration: Both were given.
    """
    if persist_to is not None and store is not None:
        raise InvalidRuntimeConfiguration(
            "`persist_to` and `store` were both given",
            what_failed="Building a runtime with `persist_to=` and `store=`.",
            why="A run has one log.",
            how_to_fix="Give one of the two.",
        )
