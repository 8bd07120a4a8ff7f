"""Two values side by side: where they differ, in lines that a person can read."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Any

from activegraph.core.codec import encode_payload_bytes

__all__ = ["Leaf", "differing_leaves", "readable"]

_MOST_LINES = 24
_LONGEST_VALUE = 160

Leaf = tuple[str, Any, Any]
"""A place in a payload, and what stands there in both; `MISSING` where nothing does."""


class _Missing:
    def __repr__(self) -> str:
        return "(nothing)"


MISSING = _Missing()


def differing_leaves(old: Any, new: Any, path: str = "") -> Iterator[Leaf]:
    """The innermost places at which two JSON values differ, in document order."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in {**old, **new}:
            yield from differing_leaves(old.get(key, MISSING), new.get(key, MISSING), f"{path}.{key}" if path else key)
    elif isinstance(old, list) and isinstance(new, list):
        for place in range(max(len(old), len(new))):
            before = old[place] if place < len(old) else MISSING
            after = new[place] if place < len(new) else MISSING
            yield from differing_leaves(before, after, f"{path}[{place}]")
    elif old is MISSING or new is MISSING or not _are_equal(old, new):
        yield path, old, new


def readable(leaves: list[Leaf]) -> list[str]:
    """The leaves as lines: recorded and actual value below each other, longer texts as a diff."""
    lines: list[str] = []
    for path, old, new in leaves:
        if isinstance(old, str) and isinstance(new, str) and ("\n" in old or "\n" in new):
            changed = difflib.unified_diff(old.splitlines(), new.splitlines(), "recorded", "now", n=1, lineterm="")
            lines += [f"{path}:", *(f"  {_shortened(line)}" if line.strip() else "" for line in list(changed)[2:])]
        else:
            lines += [f"{path}:", f"  - {_text(old)}", f"  + {_text(new)}"]
    if len(lines) > _MOST_LINES:
        return [*lines[:_MOST_LINES], f"... and {len(lines) - _MOST_LINES} lines more"]
    return lines


def _are_equal(old: Any, new: Any) -> bool:
    return encode_payload_bytes({"": old}) == encode_payload_bytes({"": new})


def _text(value: Any) -> str:
    return repr(value) if value is MISSING else _shortened(encode_payload_bytes({"": value}).decode("utf-8")[4:-1])


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}..."
