"""What if the threshold had been 90? A fork with another setting, what it changed, and who recorded it."""

from __future__ import annotations

from activegraph import Event, Graph, InvalidRuntimeConfiguration, Pack, Runtime
from activegraph.packs import behavior
from activegraph.runtime.facades import BehaviorGraph, Context
from pydantic import BaseModel


class Limits(BaseModel):
    """Nested settings."""

    most_alerts: int = 2


class StorageSettings(BaseModel):
    """Settings of the pack."""

    threshold: int = 80
    limits: Limits = Limits()


@behavior(on=["object.created"], where={"object.type": "volume"})
def watch(event: Event, graph: BehaviorGraph, ctx: Context, *, settings: StorageSettings) -> None:
    """Raise an alert, unless there are enough of them."""
    volume = event.payload["object"]
    is_full = volume["data"]["used_percent"] > settings.threshold
    if is_full and len(ctx.view.objects("alert")) < settings.limits.most_alerts:
        alert = graph.add_object("alert", {"text": f"{volume['data']['name']} is nearly full"})
        graph.add_relation(alert.id, volume["id"], "about")


storage = Pack(name="storage", version="1.0.0", behaviors=(watch,), settings_schema=StorageSettings)

runtime = Runtime(Graph(run_id="run_1"), behaviors=[], packs=[storage], persist_to="storage.db")
with runtime.graph.transaction():
    for name, used in (("data1", 85), ("data2", 95), ("logs", 99)):
        runtime.graph.add_object("volume", {"name": name, "used_percent": used})
before = runtime.graph.events[-1].id
runtime.run_until_idle()
print("as it was:", [alert.data["text"] for alert in runtime.graph.objects("alert")])

for settings in ({"storage": {"threshold": 90}}, {"storage": {"limits": {"most_alerts": 1}}}):
    fork = runtime.fork(before, label="what-if", pack_settings=settings, packs=[storage])
    fork.run_until_idle()
    print(f"\nwith {settings['storage']}:", [alert.data["text"] for alert in fork.graph.objects("alert")])
    for difference in runtime.diff(fork).divergent_objects:
        print("  ", difference.summary())
    override = next(event for event in fork.graph.events if event.type == "pack.settings_overridden")
    print("   recorded by", override.id, "behind", override.caused_by)
    fork.close()

try:
    runtime.fork(before, pack_settings={"storage": {"limits": {"most_alert": 1}}})
except InvalidRuntimeConfiguration as refusal:
    print("\nrefused, and no run was created:", refusal.summary)

# The same from the command line, on the stored run:
#     activegraph fork sqlite:///storage.db --run-id run_1 --at-event <id> --set storage.threshold=90
runtime.close()
