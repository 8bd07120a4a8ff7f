"""Settings of a pack: where they come from, how behaviors get at them, and what the log keeps of them."""

from __future__ import annotations

from pathlib import Path

from activegraph import Event, Graph, Pack, PackSettingsMissingError, Runtime
from activegraph.packs import behavior
from activegraph.runtime.facades import BehaviorGraph, Context
from pydantic import BaseModel, Field, SecretStr


class GreeterSettings(BaseModel):
    """What a user of the pack may choose."""

    greeting: str = "Hello"
    times: int = Field(default=1, ge=1)
    loud: bool = False
    key: SecretStr = SecretStr("none")


@behavior(on=["goal.created"])
def greet(event: Event, graph: BehaviorGraph, ctx: Context, *, settings: GreeterSettings) -> None:
    """The first way: a parameter that is annotated with the settings class."""
    for _ in range(settings.times):
        graph.add_object("greeting", {"text": f"{settings.greeting}, {event.payload['goal']}"})


@behavior(on=["object.created"], where={"object.type": "greeting"}, when=lambda settings: settings.loud)
def shout(event: Event, graph: BehaviorGraph, ctx: Context) -> None:
    """The second and the third; `when=` leaves this behavior out unless the settings say `loud`."""
    assert ctx.settings == ctx.pack_settings("greeter")
    graph.patch_object(event.payload["id"], {"text": event.payload["object"]["data"]["text"].upper()})


greeter = Pack(name="greeter", version="1.0.0", behaviors=(greet, shout), settings_schema=GreeterSettings)


def greetings(runtime: Runtime) -> list[str]:
    """What was said in a run."""
    return [item.data["text"] for item in runtime.graph.objects("greeting")]


for settings in (None, {"greeting": "Good morning"}, GreeterSettings(times=2, loud=True)):
    runtime = Runtime(Graph(), behaviors=[], packs=[(greeter, settings)])
    runtime.run_goal("world")
    print(greetings(runtime), "left out:", runtime.graph.events[0].payload.get("inactive_behaviors", []))

try:
    Runtime(Graph(), behaviors=[]).load_pack(greeter, {"times": 0})
except PackSettingsMissingError as refusal:
    print("refused:", refusal.what_failed.splitlines()[-1])

chosen = {"greeting": "Good evening", "key": "very secret"}
with Runtime(Graph(run_id="run_1"), behaviors=[], packs=[(greeter, chosen)], persist_to="greetings.db") as runtime:
    runtime.run_goal("world")
    print("recorded:", runtime.graph.events[0].payload["settings"])
assert b"very secret" not in Path("greetings.db").read_bytes()

with Runtime.load("greetings.db", behaviors=[]) as again:
    again.load_pack(greeter)
    again.run_goal("moon")
    print("goes on as it was:", greetings(again)[-1])
