"""Which calls a behavior's answer came from, followed through a log that is read in order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from msgspec import Struct

from activegraph.core.codec import UNREADABLE

if TYPE_CHECKING:
    from activegraph.runtime.log_rows import LogRow

__all__ = ["NO_CALLS", "CallOrigin", "Calls"]


class Calls(NamedTuple):
    """The calls that the handler of one invocation stands on.

    Attributes:
        request_id: The `llm.requested` whose answer it was given; None where no model was asked.
        tool_request_ids: All `tool.requested` of the invocation, in order.
    """

    request_id: str | None = None
    tool_request_ids: tuple[str, ...] = ()


NO_CALLS = Calls()


class _Answer(Struct, gc=False):
    error: Any = None


_decode_answer = msgspec.json.Decoder(_Answer).decode


class CallOrigin:
    """The calls of the invocation that a log stands in.

    A conversation is one chain of causes: the first request is caused by the trigger, a later turn by
    the request before it, another attempt by the answer that failed.
    """

    _behavior: str | None = None
    _trigger: str | None = None
    _answered: str | None = None

    def __init__(self) -> None:
        self._tools: list[str] = []
        self._chain: set[str] = set()

    def see(self, row: LogRow) -> None:
        """Take the next `llm.*` or `tool.*` event into account."""
        if row.type == "llm.requested":
            if row.caused_by not in self._chain:
                self.end()
                self._behavior, self._trigger = row.actor, row.caused_by
            self._chain.add(row.id)
        elif row.type == "llm.responded":
            self._chain.add(row.id)
            if not _has_failed(row.payload):
                self._answered = row.caused_by
        elif row.type == "tool.requested":
            self._tools.append(row.id)

    def end(self) -> None:
        """The invocation is over, and what is known of it with it."""
        self._behavior = self._trigger = self._answered = None
        self._tools, self._chain = [], set()

    def calls_behind(self, row: LogRow) -> Calls:
        """What an event of the handler stands on."""
        if self._answered is None or (row.actor, row.caused_by) != (self._behavior, self._trigger):
            return NO_CALLS
        return Calls(self._answered, tuple(self._tools))


def _has_failed(payload: bytes | str) -> bool:
    try:
        return _decode_answer(payload).error is not None
    except UNREADABLE:
        return True
