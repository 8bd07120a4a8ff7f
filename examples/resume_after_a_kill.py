"""A process is killed in the middle of its work; another one goes on, and does nothing twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

from activegraph import Event, FrozenClock, Graph, Runtime, behavior
from activegraph.runtime.facades import BehaviorGraph, Context


@behavior(on=["goal.created"])
def reader(event: Event, graph: BehaviorGraph, ctx: Context) -> None:
    """One parcel for each word."""
    for title in event.payload["goal"].split():
        graph.add_object("parcel", {"title": title, "status": "open"})


@behavior(on=["object.created"], where={"object.type": "parcel"})
def packer(event: Event, graph: BehaviorGraph, ctx: Context) -> None:
    """Packs a parcel; the plug is pulled after it has begun with the second."""
    graph.patch_object(event.payload["id"], {"status": "packed", "stamp": ctx.random.randrange(1000)})
    if event.payload["id"] == os.environ.get("PULL_THE_PLUG_AT"):
        os.kill(os.getpid(), signal.SIGKILL)


def work(url: str) -> None:
    """Begin a run; this is what the process does that is killed."""
    with Runtime(Graph(run_id="run_parcels", clock=FrozenClock()), persist_to=url) as runtime:
        runtime.run_goal("books shoes plants")


if len(sys.argv) > 1:
    work(sys.argv[1])
    sys.exit()

killed = subprocess.run(
    [sys.executable, __file__, "killed.db"], env={**os.environ, "PULL_THE_PLUG_AT": "parcel#2"}, check=False
)
print("killed by signal", -killed.returncode)

with Runtime.load("killed.db", clock=FrozenClock()) as runtime:
    print("after the kill:", [parcel.data["status"] for parcel in runtime.graph.objects("parcel")])
    runtime.run_until_idle()
    print("gone on with: ", [parcel.data["status"] for parcel in runtime.graph.objects("parcel")])

    work("whole.db")  # the same without a kill
    with Runtime.load("whole.db") as whole:
        # The last event tells what each process has used of its budget; all the others are equal.
        print("the same log:", list(runtime.graph.events)[:-1] == list(whole.graph.events)[:-1])

# Prints:
# killed by signal 9
# after the kill: ['packed', 'open', 'open']
# gone on with:  ['packed', 'packed', 'packed']
# the same log: True
