"""A provider and tools that answer from a script, and note each call durably before they do anything else."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from activegraph.llm.types import LLMResponse, ToolCall

__all__ = ["CallBook", "ScriptedProvider", "answer", "asking"]


class CallBook:
    """Calls in a file, one line each, on the disk before the call goes on; it outlives any process."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def note(self, *words: str) -> int:
        """Write a line; returns how many there are now."""
        with open(self.path, "ab") as file:
            file.write((" ".join(words) + "\n").encode())
            file.flush()
            os.fsync(file.fileno())
        return len(self.lines())

    def lines(self) -> list[str]:
        """All lines, the oldest first."""
        return self.path.read_text().splitlines() if self.path.exists() else []


def answer(text: str = "fine", **fields: Any) -> LLMResponse:
    """An answer that calls nothing."""
    known: dict[str, Any] = {
        "raw_text": text,
        "parsed": None,
        "input_tokens": 10,
        "output_tokens": 5,
        "cost_usd": Decimal("0.01"),
        "latency_seconds": 0.25,
        "model": "scripted-1",
        "finish_reason": "stop",
    }
    return LLMResponse(**{**known, **fields})


def asking(*calls: tuple[str, dict[str, Any]], text: str = "", **fields: Any) -> LLMResponse:
    """An answer that calls tools: names and arguments."""
    made = [ToolCall(f"call_{number}", name, args) for number, (name, args) in enumerate(calls, 1)]
    return answer(text, tool_calls=made, finish_reason="tool_calls", **fields)


class ScriptedProvider:
    """Answers by a function of what it is asked, or one script entry after the other.

    Args:
        script: Responses, exceptions to raise, or functions of the call's arguments; the last one is repeated.
    """

    default_model = "scripted-1"
    accepts_idempotency_key = True

    def __init__(self, *script: Any, book: CallBook | None = None) -> None:
        self.script: Sequence[Any] = script or (answer(),)
        self.calls: list[dict[str, Any]] = []
        self.counted = 0
        self.book = book
        self.before: Callable[[], object] | None = None
        """Called inside each call, after it was noted."""

    def complete(self, **call: Any) -> Any:
        place = len(self.calls)
        self.calls.append(call)
        if self.book is not None:
            self.book.note("model", call["idempotency_key"])
        if self.before is not None:
            self.before()
        entry = self.script[min(place, len(self.script) - 1)]
        if callable(entry):
            entry = entry(**call)
        if isinstance(entry, BaseException):
            raise entry
        return entry

    def count_tokens(self, **call: Any) -> int:
        self.counted += 1
        return 100

    def estimate_cost(self, *, input_tokens: int, output_tokens: int, model: str) -> Decimal:
        return Decimal(input_tokens + output_tokens) / 100_000
