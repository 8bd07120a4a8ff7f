"""Tools that a model may call while it answers. Their calls are in the log, and are paid for once."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from activegraph import Event, Graph, Runtime, ToolContext, llm_behavior, tool
from activegraph.llm import LLMMessage, LLMResponse, ToolCall
from activegraph.runtime.facades import BehaviorGraph, Context
from pydantic import BaseModel


class Query(BaseModel):
    """What `price` is asked."""

    article: str


class Answer(BaseModel):
    """What `price` answers."""

    cents: int


calls: list[str | None] = []


@tool(input_schema=Query, output_schema=Answer, cost_per_call="0.002", description="The price of an article.")
def price(args: Query, ctx: ToolContext) -> dict[str, int]:
    """A look-up, say in a shop's catalogue. The key is the same if a crash makes it happen again."""
    calls.append(ctx.idempotency_key)
    return {"cents": 1250 if args.article == "teapot" else 400}


class Model:
    """Stands in for a language model: it asks for the price, then makes an offer."""

    def complete(self, *, messages: list[LLMMessage], model: str, **_: Any) -> LLMResponse:
        """With an answer of a tool at the end it is done, else it asks for one."""
        if messages[-1].role == "tool":
            return LLMResponse(f"It costs {messages[-1].content}.", None, 60, 10, Decimal("0.01"), 0.1, model, "stop")
        wanted = [ToolCall("call_1", "price", {"article": "teapot"})]
        return LLMResponse("", None, 50, 5, Decimal("0.01"), 0.1, model, "tool_use", tool_calls=wanted)

    def estimate_cost(self, **_: Any) -> Decimal:
        """For runs with a cost limit."""
        return Decimal("0.01")

    def count_tokens(self, **_: Any) -> int:
        """For runs with a cost limit."""
        return 50


@llm_behavior(on=["goal.created"], tools=[price], description="Make an offer.")
def seller(event: Event, graph: BehaviorGraph, ctx: Context, text: str) -> None:
    """Runs when the model asks for nothing more."""
    graph.add_object("offer", {"title": text})


runtime = Runtime(Graph(), llm_provider=Model(), budget={"max_tool_calls": 5, "max_cost_usd": "1"})
runtime.run_goal("a teapot, please")
print(runtime.graph.objects("offer")[0].data["title"], len(calls), "call,", runtime.budget.cost_used, "dollars")
print([event.type for event in runtime.graph.events if event.type.startswith(("llm.", "tool."))])

# Prints:
# It costs {"cents": 1250}. 1 call, 0.022 dollars
# ['llm.requested', 'llm.responded', 'tool.requested', 'tool.responded', 'llm.requested', 'llm.responded']
