"""Calls in doubt: a tool was asked, the process died, and asking twice would do harm.

Nobody but a person can know whether such a call arrived. The run stops with an event that names it, and
goes on when somebody has said what the call gave, that it failed, or that it may be made again.
"""

from __future__ import annotations

from copy import copy
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from activegraph.behaviors.kinds import asks_model
from activegraph.core.changes import Stamp
from activegraph.core.codec import check_header, encode_payload_bytes
from activegraph.core.event import Event
from activegraph.core.event_maker import EventMaker
from activegraph.errors import (
    EventNotFoundError,
    IncompatibleRuntimeState,
    InvalidRuntimeConfiguration,
    NonSerializableEventError,
    ToolError,
)
from activegraph.errors.base import shown

if TYPE_CHECKING:
    from activegraph.runtime.engine import Engine
    from activegraph.runtime.points import CutOff
    from activegraph.tools.base import Tool

__all__ = ["UNSET", "refuse_doubt", "resolve_tool"]


class _Unset:
    """Stands for an argument that was not given, where None would be a value."""

    def __repr__(self) -> str:
        return "UNSET"


UNSET: Final = _Unset()


def refuse_doubt(engine: Engine) -> None:
    """Stop a run whose cut-off invocation left a call in doubt; the event that says so is written once.

    Raises:
        IncompatibleRuntimeState: There is one, and nobody has settled it.
    """
    request = _request_in_doubt(engine)
    if request is None or engine.cut is None:
        return
    if request.id not in engine.cut.in_doubt:
        _say_in_doubt(engine, engine.cut, request)
    from activegraph.tools.context import idempotency_key

    payload = request.payload
    raise IncompatibleRuntimeState(
        f"run {engine.run_id!r} waits: the call {request.id} of tool {payload['tool']!r} is in doubt",
        what_failed=f"Going on with run {engine.run_id!r}: {payload['behavior']!r} had asked the tool {payload['tool']!r} "
        f"({request.id}) when the process ended, and there is no answer in the log.",
        why="The tool says `retry_safe=False`: asking it twice does harm, and whether the first call arrived is not known here.",
        how_to_fix="Find out at the service, by the idempotency key in the context; then say what became of the call:\n"
        f"    runtime.resolve_tool({request.id!r}, output=...)  or  error='...'  or  retry=True\n"
        "and run again. A fork before the call has nothing in doubt, but would make a call of its own, with another key.",
        context={
            "run_id": engine.run_id,
            "requested_event_id": request.id,
            "tool": payload["tool"],
            "behavior": payload["behavior"],
            "idempotency_key": idempotency_key(engine.run_id, request.id),
        },
    )


def resolve_tool(
    engine: Engine,
    requested_event_id: str,
    *,
    output: Any,
    error: Any,
    retry: bool,
    cost_usd: Any,
    resolved_by: str | None,
) -> None:
    """Settle a call in doubt: record its answer, or allow the next `run_*` to make it again.

    Raises:
        InvalidRuntimeConfiguration: Not exactly one of the three ways, or an output that the tool's schema refuses.
        EventNotFoundError: No call of this id is in doubt.
    """
    if (output is not UNSET) + (error is not UNSET) + bool(retry) != 1:
        raise _refusal("give exactly one of `output=`, `error=` and `retry=True`", requested_event_id)
    if error is None:
        raise _refusal("`error=` says what went wrong, so it is a text", requested_event_id)
    from activegraph.runtime.answers import money

    cost = money(cost_usd)
    if cost is None:
        raise _refusal(f"`cost_usd` is no amount of US dollars: {shown(cost_usd)}", requested_event_id)
    request = _request_in_doubt(engine)
    cut = engine.cut
    if request is None or cut is None or request.id != requested_event_id:
        raise EventNotFoundError(
            f"no tool call {requested_event_id!r} of run {engine.run_id!r} is in doubt",
            what_failed=f"`resolve_tool({requested_event_id!r})`. Nothing was changed.",
            why="Only a call that a crash left without an answer, of a tool that must not be asked twice, waits for one.",
            how_to_fix="Look for `tool.in_doubt` in `runtime.trace.lines()`; its `requested_event_id` is the id to give.",
            context={"event_id": requested_event_id, "run_id": engine.run_id},
        )
    if retry:
        cut.may_repeat = request.id
        return
    tool = _tool_named(engine, request.payload["tool"])
    payload = _answer(request, tool, output, error, cost, check_header("actor", resolved_by) or "user")
    _record(engine, request, payload)
    engine.budget.add_cost(cost)


def _request_in_doubt(engine: Engine) -> Event | None:
    """The request that the cut-off invocation ends with, if asking again is not for the runtime to decide."""
    cut = engine.cut
    last = cut.prefix[-1] if cut is not None and cut.prefix else None
    if cut is None or last is None or last.type != "tool.requested" or last.id == cut.may_repeat:
        return None
    payload = last.payload
    if not isinstance(payload.get("tool"), str) or payload.get("cache_hit"):
        return None
    tool = _tool_named(engine, payload["tool"])
    is_unsafe = tool is not None and not tool.retry_safe
    return last if is_unsafe or last.id in cut.in_doubt else None


def _tool_named(engine: Engine, name: str) -> Tool | None:
    """A tool as it is known now; before the first `run_*` too."""
    behaviors = [each for each in engine.behaviors_now() if asks_model(each)]
    return engine.model_behaviors.collect_tools(behaviors).get(name)


def _say_in_doubt(engine: Engine, cut: CutOff, request: Event) -> None:
    from activegraph.tools.context import idempotency_key

    payload = request.payload
    doubt = encode_payload_bytes(
        {
            "behavior": payload["behavior"],
            "tool": payload["tool"],
            "call_id": payload.get("call_id"),
            "requested_event_id": request.id,
            "idempotency_key": idempotency_key(engine.run_id, request.id),
        }
    )
    event = engine.writer.stop("tool.in_doubt", doubt, _stamp(engine, request))
    # Before it is recorded: an interrupt in between must not have it said twice.
    cut.in_doubt.add(request.id)
    engine.last_stop = ("tool.in_doubt", None)
    engine.recorder.record(event)
    engine.recorder.commit_step(engine.host_sync)


def _stamp(engine: Engine, request: Event) -> Stamp:
    return Stamp(check_header("actor", request.actor), request.id, engine.frame_id)


def _answer(request: Event, tool: Tool | None, output: Any, error: Any, cost: Decimal, who: str) -> bytes:
    from activegraph.tools.cache import CachedToolResponse
    from activegraph.tools.checking import checked_output, failure_record

    asked = request.payload
    name = asked["tool"]
    fields: dict[str, Any] = {
        "behavior": asked["behavior"],
        "tool": name,
        "args_hash": asked.get("args_hash"),
        "output": None,
        "error": None,
        "cache_hit": False,
        "latency_seconds": 0.0,
        "cost_usd": str(cost),
        "deterministic": bool(asked.get("deterministic")),
        "resolved_by": who,
    }
    try:
        if error is not UNSET:
            fields["error"] = failure_record(ToolError("tool.execution_error", str(error)), name)
        elif tool is not None:
            fields["output"] = checked_output(tool, CachedToolResponse(output))
        else:
            fields["output"] = output
        return encode_payload_bytes(fields)
    except (ToolError, NonSerializableEventError) as refused:
        why = refused.message if isinstance(refused, ToolError) else refused.summary
        raise _refusal(f"the answer cannot be recorded: {why}", request.id) from refused


def _record(engine: Engine, request: Event, payload: bytes) -> None:
    """Write the answer behind what the invocation had recorded; it is met there when the invocation is executed again."""
    cut = engine.cut
    if cut is None:
        return
    # The graph and its ids stand where the invocation began, so the next id is found on a copy.
    ids = copy(engine.writer.ids)
    for event in cut.prefix:
        ids.saw_event_id(event.id)
    answer = EventMaker(ids, engine.writer.clock).event("tool.responded", payload, _stamp(engine, request))
    engine.recorder.record(answer)
    engine.recorder.commit_step(engine.host_sync)
    cut.prefix.append(answer.event())


def _refusal(what: str, requested_event_id: str) -> InvalidRuntimeConfiguration:
    return InvalidRuntimeConfiguration(
        f"resolve_tool({requested_event_id!r}): {what}",
        what_failed=f"`resolve_tool({requested_event_id!r})`: {what}. Nothing was changed.",
        why="A call in doubt is settled once: it gave this output, it failed, or it may be made again.",
        how_to_fix=f"runtime.resolve_tool({requested_event_id!r}, output=...)  or  error='...'  or  retry=True",
        context={"requested_event_id": requested_event_id},
    )
