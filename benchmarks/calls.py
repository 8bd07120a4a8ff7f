"""Paid calls through the runtime: one conversation that grows by a model's answer and a tool's, turn by turn."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks.appends import INSERT, sqlite_tables
from benchmarks.samples import row

CALLS_A_TURN = 2
"""A model's and a tool's; each is a request and an answer, and each of those a commit that is waited for."""


class _Provider:
    """Answers at once: it asks for the tool until it has been asked often enough."""

    default_model = "bench-1"

    def __init__(self, turns: int) -> None:
        self.turns = turns
        self.asked: list[float] = []

    def complete(self, **call: Any) -> Any:
        from activegraph.llm import LLMResponse, ToolCall

        self.asked.append(perf_counter())
        text = "The slow queries began when the index on the order table was rebuilt."
        calls = [ToolCall(f"call_{len(self.asked)}", "look", {"at": len(self.asked)})]
        return LLMResponse(
            raw_text=text,
            parsed=None,
            input_tokens=1200,
            output_tokens=40,
            cost_usd=Decimal("0.0042"),
            latency_seconds=0.0,
            model="bench-1",
            finish_reason="tool_use",
            tool_calls=calls if len(self.asked) < self.turns else None,
        )

    def count_tokens(self, **call: Any) -> int:
        return 1200

    def estimate_cost(self, **call: Any) -> Decimal:
        return Decimal("0.01")


def _conversation(turns: int, store: str | None) -> tuple[_Provider, Any]:
    from activegraph import Graph, LLMBehavior, Runtime, Tool

    provider = _Provider(turns)
    tool = Tool("look", lambda args, ctx: {"at": args["at"], "rows": [1, 2, 3]})
    asker = LLMBehavior("asker", on=["goal.created"], handler=_nothing, tools=[tool], max_tool_turns=turns)
    runtime = Runtime(Graph(), [asker], llm_provider=provider, persist_to=store)
    runtime.run_goal("find out why the checkout is slow")
    if runtime.errors:
        raise RuntimeError(runtime.errors[0].message)
    return provider, runtime


def _nothing(event: Any, graph: Any, ctx: Any, out: Any) -> None:
    pass


def overhead(folder: Path, turns: str) -> float:
    """Microseconds that a call takes above two bare commits, waited for, of the rows that it wrote."""
    number = int(turns)
    provider, runtime = _conversation(number, f"sqlite:///{folder}/run.db")
    ours = (provider.asked[-1] - provider.asked[0]) / (number - 1) / CALLS_A_TURN
    written = [event.to_dict() for event in runtime.graph.events if event.type.startswith(("llm.", "tool."))]
    runtime.close()
    rows = [row(position, fields) for position, fields in enumerate(written, 1)]
    connection = sqlite_tables(folder / "bare.db", "full")
    began = perf_counter()
    for values in rows:
        connection.execute(INSERT, values)
    bare = (perf_counter() - began) / len(rows) * 2
    return (ours - bare) * 1e6


def growth(folder: Path, turns: str) -> float:
    """Mean cost of the last tenth of a conversation's turns over that of the second tenth, without a store."""
    provider, _ = _conversation(int(turns), None)
    asked, tenth = provider.asked, int(turns) // 10
    return (asked[-1] - asked[-1 - tenth]) / (asked[2 * tenth] - asked[tenth])
