"""The keys of tool calls, and the answers that were recorded under them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from decimal import Decimal, InvalidOperation
from typing import Any, Self

from activegraph.core.canonical_json import canonical_hash
from activegraph.core.event import Event
from activegraph.core.model_dump import plain_dump
from activegraph.tools.answers import Answers, recorded_answers

__all__ = ["CachedToolResponse", "ToolCache", "canonicalize_args", "hash_tool_call", "recorded_cost"]


@dataclass
class CachedToolResponse:
    """What a call gave, whoever answered it.

    Attributes:
        output: A JSON value.
        error: `{"reason", "message", ...}` of a failed call.
        latency_seconds: How long the call took; of the recorded one, where it was served again.
        cost_usd: US dollars.
        cache_hit: Whether it was served from what had been recorded.
        requesting_event_id: The `tool.requested` that it answers, where it came from a log.
        is_dump: Whether `output` is the dump of an instance of the tool's output schema, which then
            has nothing left to check: a dump need not be readable by the schema that it comes from.
    """

    output: Any
    error: dict[str, Any] | None = None
    latency_seconds: float = 0.0
    cost_usd: Decimal = Decimal(0)
    cache_hit: bool = False
    requesting_event_id: str | None = None
    is_dump: bool = field(default=False, repr=False, compare=False)


def canonicalize_args(args: Any) -> Any:
    """`args` as the plain value that is recorded and hashed: models dumped, Decimals as text, tuples as lists."""
    if isinstance(args, Decimal):
        return str(args)
    if isinstance(args, Mapping):
        return {key: canonicalize_args(value) for key, value in args.items()}
    if isinstance(args, (list, tuple)):
        return [canonicalize_args(value) for value in args]
    return plain_dump(args) if hasattr(args, "model_dump") and not isinstance(args, type) else args


def hash_tool_call(*, tool_name: str, args: Any) -> str:
    """The key of a call: the same for equal arguments, in every run and process."""
    return canonical_hash({"tool": tool_name, "args": canonicalize_args(args)})


class ToolCache:
    """Answers of tools under the hash of their call. Failures are never kept."""

    def __init__(self) -> None:
        self._answers: Answers[CachedToolResponse] = Answers()

    def __len__(self) -> int:
        return len(self._answers)

    def has(self, args_hash: str) -> bool:
        """Whether an answer to this call is known."""
        return self._answers.has(args_hash)

    def get(self, args_hash: str, *, earlier: int | None = None) -> CachedToolResponse | None:
        """A copy of an answer, marked as a cache hit; None if there is none.

        Args:
            earlier: How often the run has made this call before: its next answer is the next
                recorded one, and the last one from then on. None gives the last one.
        """
        found = self._answers.find(args_hash, earlier)
        return None if found is None else replace(found, output=deepcopy(found.output), cache_hit=True)

    def record(self, args_hash: str, response: CachedToolResponse, *, requesting_event_id: str | None = None) -> None:
        """Keep a copy of `response` behind the answers that this call has already."""
        kept = replace(
            response,
            output=deepcopy(response.output),
            cache_hit=False,
            requesting_event_id=requesting_event_id or response.requesting_event_id,
        )
        self._answers.add(args_hash, kept)

    @classmethod
    def from_events(cls, events: Iterable[Event]) -> Self:
        """The answers of a log, in its order."""
        cache = cls()
        for key, request_id, payload in recorded_answers(events, "tool", "args_hash"):
            # What an event hands out can't change, so it needs no copy on its way in.
            cache._answers.add(
                key,
                CachedToolResponse(
                    payload.get("output"),
                    latency_seconds=float(payload.get("latency_seconds") or 0.0),
                    cost_usd=recorded_cost(payload.get("cost_usd")),
                    requesting_event_id=request_id,
                    is_dump=True,
                ),
            )
        return cache


def recorded_cost(text: Any) -> Decimal:
    """US dollars from a recorded amount; 0 for what is none."""
    try:
        amount = Decimal(str(text or 0))
    except InvalidOperation:
        return Decimal(0)
    return amount if amount.is_finite() and amount > 0 else Decimal(0)
