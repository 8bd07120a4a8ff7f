"""A language model of one's own, here a script that stands in for one: three methods make a provider."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from activegraph import Event, Graph, Runtime, llm_behavior
from activegraph.llm import LLMMessage, LLMResponse
from activegraph.runtime.facades import BehaviorGraph, Context
from pydantic import BaseModel


class Verdict(BaseModel):
    """What the model is to answer."""

    mood: str
    urgent: bool


class ScriptedModel:
    """Answers from a script. Costs are exact: a cent for a question."""

    default_model = "script-1"
    asked = 0

    def complete(
        self, *, system: str, messages: list[LLMMessage], model: str, output_schema: type[BaseModel] | None, **_: Any
    ) -> LLMResponse:
        """One question, one answer."""
        self.asked += 1
        question = messages[-1].content.partition("## Triggering event")[2]
        is_angry = "at once" in question.lower()
        text = Verdict(mood="angry" if is_angry else "calm", urgent=is_angry).model_dump_json()
        parsed = output_schema.model_validate_json(text) if output_schema else None
        return LLMResponse(text, parsed, 200, 20, Decimal("0.01"), 0.1, model, "stop")

    def estimate_cost(self, *, input_tokens: int, output_tokens: int, model: str) -> Decimal:
        """Asked before a call where a run has a cost limit."""
        return Decimal("0.01")

    def count_tokens(self, *, system: str, messages: list[LLMMessage], model: str) -> int:
        """As good as it can be told beforehand."""
        return 200


@llm_behavior(
    on=["object.created"], where={"object.type": "letter"}, output_schema=Verdict, description="Judge the letter."
)
def judge(event: Event, graph: BehaviorGraph, ctx: Context, verdict: Verdict) -> None:
    """Gets the answer, checked against the schema."""
    graph.patch_object(event.payload["id"], {"mood": verdict.mood, "urgent": verdict.urgent})


model = ScriptedModel()
limits = {"max_cost_usd": "0.025"}
runtime = Runtime(Graph(run_id="run_letters"), llm_provider=model, budget=limits, persist_to="letters.db")
for text in ("Send it at once!", "Whenever it suits you.", "At once, at once!"):
    runtime.graph.add_object("letter", {"text": text})
runtime.run_until_idle()
print([letter.data.get("mood", "not asked") for letter in runtime.graph.objects("letter")])
print("asked", model.asked, "spent", runtime.budget.cost_used, "-", runtime.errors[0].reason)

fork = runtime.fork(runtime.graph.events[2].id, llm_provider=model, replay_llm_cache=True)
fork.run_until_idle()  # without a limit: two answers are in the log, and only the third is paid for
print([letter.data["mood"] for letter in fork.graph.objects("letter")], "asked", model.asked)
fork.close()
runtime.close()

# Prints:
# ['angry', 'calm', 'not asked']
# asked 2 spent 0.02 - budget.cost_exhausted
# ['angry', 'calm', 'angry'] asked 3
