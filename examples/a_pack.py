"""A pack: types with schemas, behaviors, a tool and a policy in one value, loaded into two runtimes."""

from __future__ import annotations

from activegraph import Event, Graph, ObjectType, Pack, PackPolicy, PackSchemaViolation, RelationType, Runtime
from activegraph.packs import behavior, tool
from activegraph.runtime.facades import BehaviorGraph, Context
from activegraph.tools import ToolContext
from pydantic import BaseModel, Field


class Volume(BaseModel):
    """What is known of a volume."""

    name: str
    used_percent: int = Field(ge=0, le=100)


class Query(BaseModel):
    """What the tool is asked."""

    name: str


@behavior(on=["object.created"], where={"object.type": "volume", "object.data.used_percent": {">": 80}})
def watch(event: Event, graph: BehaviorGraph, ctx: Context) -> None:
    """Raise an alert about a volume that is nearly full."""
    alert = graph.add_object("alert", {"text": f"{event.payload['object']['data']['name']} is nearly full"})
    graph.add_relation(alert.id, event.payload["id"], "about")


@behavior(on=["relation.created"], where={"relation.type": "about"})
def ask(event: Event, graph: BehaviorGraph, ctx: Context) -> None:
    """Propose to clean up; a person decides."""
    ctx.propose_object("clean_up", {"volume": event.payload["target"]}, reason="deletes files")


@tool(description="How full a volume is, in percent.", deterministic=True)
def usage(args: Query, ctx: ToolContext) -> dict[str, int]:
    """What a model could call; nothing in this example does."""
    return {"percent": 91}


storage = Pack(
    name="storage",
    version="1.0.0",
    object_types=(ObjectType("volume", Volume),),
    relation_types=(RelationType("about", source_types=("alert",), target_types=("volume",)),),
    behaviors=(watch, ask),
    tools=(usage,),
    policies=(PackPolicy("careful", requires_approval=("clean_up",)),),
)

runtime = Runtime(Graph(), behaviors=[], packs=[storage])
runtime.graph.add_object("volume", {"name": "data1", "used_percent": "93"})
runtime.run_until_idle()
print("behaviors:", [info.name for info in runtime.status().registered_behaviors])
print("tool:", runtime.get_tool("usage").name)
print("alerts:", [alert.data["text"] for alert in runtime.graph.objects("alert")])

(pending,) = runtime.pending_approvals()
print("wants a decision:", pending.object_type, "of pack", pending.pack)
print("decided:", runtime.approve(pending.id, approved_by="anna"))

try:
    runtime.graph.add_object("volume", {"name": "data2", "used_percent": 400})
except PackSchemaViolation as refusal:
    print("refused:", refusal.summary)

other = Runtime(Graph(), behaviors=[])
other.graph.add_object("volume", {"anything": "goes"})
print("a runtime without the pack knows nothing of it:", other.loaded_packs())
