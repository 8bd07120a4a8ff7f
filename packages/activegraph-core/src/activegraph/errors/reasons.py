"""The base of errors that end a behavior with a reason of their own, and the texts per reason."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from activegraph.errors.base import ExecutionError

__all__ = ["Explanation", "_ReasonedError"]

Explanation = tuple[str, str]
"""Why a reason ends the behavior, and how to fix it."""


class _ReasonedError(ExecutionError):
    """A failure that stands in the log under its reason.

    Attributes:
        reason: Dotted word that dashboards and handlers go by. Any text is accepted.
        message: What happened, one line where possible; it stands in the log.
        payload_extras: Further keys of the failure's event.
    """

    _quotes_others: ClassVar[bool] = True
    _explanations: ClassVar[Mapping[str, Explanation]] = {}
    _what: ClassVar[str] = "A call failed"

    def __init__(self, reason: str, message: str, *, payload_extras: Mapping[str, Any] | None = None) -> None:
        why, how_to_fix = self._explanations.get(reason) or _general(str(reason))
        extras = dict(payload_extras or {})
        super().__init__(
            f"{reason}: {message}",
            what_failed=f"{self._what}, with reason {reason!r}:\n{message}",
            why=why,
            how_to_fix=how_to_fix,
            context={"reason": reason, "message": message, "payload_extras": extras},
        )
        self.reason = reason
        self.message = message
        self.payload_extras = extras


def _general(reason: str) -> Explanation:
    if reason.startswith("budget."):
        return (
            f"A limit is checked before each call, so that no call passes it; the reason {reason!r} names it. "
            "Nothing was asked, the behavior ends with it, and the run goes on.",
            "Raise the limit, and repeat the invocation in the fork that the message names.",
        )
    return (
        f"The behavior ends with the reason {reason!r}, and the run goes on.",
        "Look at the message, and at the code that gives this reason.",
    )
