"""What a difference most likely comes from, told from what differs and from a second try."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from activegraph.core.codec import decode_canonical
from activegraph.runtime.verification.comparing import Difference
from activegraph.runtime.verification.differences import Leaf

__all__ = ["likely_cause"]

_TIME = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?)?|\d{2}:\d{2}:\d{2}")
_SOONEST, _LATEST = 1e9, 1e10
"""Seconds since 1970 that could be a time of ours, from 2001 on; milliseconds and so on are multiples."""


def likely_cause(
    difference: Difference,
    leaves: Sequence[Leaf],
    *,
    is_same_again: bool,
    unregistered: Sequence[str],
    failure: bytes | None,
) -> str:
    """One sentence that names the class of the cause.

    Args:
        leaves: Where the payloads or the prompts differ.
        is_same_again: Whether a second re-execution came to the very same difference.
        unregistered: Behaviors of the record that are not there now.
        failure: Payload of a `behavior.failed` before the difference that the record does not have.
    """
    if difference.event is None and difference.actual in ("llm.responded", "tool.responded"):
        return "missing answer: the log has no answer to this request, and nobody is asked in its place"
    if unregistered:
        names = ", ".join(repr(name) for name in unregistered)
        return f"changed code: the record has work of {names}, which is not registered now"
    if failure is not None:
        told = decode_canonical(failure)
        message = (str(told.get("message", "")).splitlines() or [""])[0]
        return f"changed code: {told.get('behavior')!r} fails now: {told.get('exception_type')}: {message}"
    if leaves and all(_are_times(old, new) for _, old, new in leaves):
        return "clock: the values are times; take them from the event, or pass them in as a host's input"
    if not is_same_again:
        return (
            "random: a second re-execution came to yet another result; draw from ctx.random, and ask the outside "
            "through tools, whose answers are recorded"
        )
    type = difference.row.type
    if difference.expected.startswith("prompt_hash="):
        return f"changed prompt: {_parts_of_prompt(leaves)}"
    if type == "pack.loaded":
        return f"changed pack: {_parts(leaves)}"
    if type == "tool.responded":
        return "changed tool: a deterministic tool that was called again gave something else than it did"
    return "changed code, or a frame, seed or policy that is not the one of the recorded run: it comes out the same each time"


def _parts(leaves: Sequence[Leaf]) -> str:
    return ", ".join(dict.fromkeys(re.split(r"[.\[]", path)[0] for path, _, _ in leaves)) or "its content"


def _parts_of_prompt(leaves: Sequence[Leaf]) -> str:
    parts = dict.fromkeys(re.split(r"[.\[]", path.removeprefix("prompt."))[0] for path, _, _ in leaves)
    return ", ".join(parts) or "what the conversation began with"


def _are_times(old: Any, new: Any) -> bool:
    if isinstance(old, str) and isinstance(new, str):
        return bool(_TIME.search(old) and _TIME.search(new)) and _TIME.sub("", old) == _TIME.sub("", new)
    if isinstance(old, bool) or isinstance(new, bool):
        return False
    if isinstance(old, (int, float)) and isinstance(new, (int, float)):
        return any(_SOONEST * unit <= min(old, new) <= max(old, new) <= _LATEST * unit for unit in (1, 1e3, 1e6, 1e9))
    return False
