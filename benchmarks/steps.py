"""Steps through the runtime: one event in, one behavior, one object out, the default view."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks.appends import INSERT, INSERT_POSTGRES, POSTGRES_VALUES, postgres_row, postgres_tables, sqlite_tables
from benchmarks.samples import RUN, row

EVENTS_A_STEP = 3
_TIME = "2026-05-15T10:32:01Z"


def new_runtime(behaviors: list[Any], folder: Path, store: str, url: str = "") -> Any:
    """A runtime on an empty graph over a store of this kind."""
    from activegraph import Graph, Runtime

    where = {"memory": None, "sqlite": f"sqlite:///{folder}/run.db", "postgres": url}[store]
    return Runtime(Graph(), behaviors=behaviors, persist_to=where)


def chain(steps: int, also: Callable[[], None] | None = None) -> Any:
    """A behavior that makes the next object of each, `steps` times, and does what it is told besides."""
    from activegraph import Behavior

    def make_next(event: Any, graph: Any, ctx: Any) -> None:
        number = event.payload["object"]["data"]["n"]
        if also is not None:
            also()
        if number < steps:
            graph.add_object("task", {"n": number + 1, "title": "Look up the price of oak"})

    return Behavior("chain", make_next, on=["object.created"])


def step(folder: Path, store: str, steps: str, url: str = "", idle: str = "0", all_in: str = "") -> float:
    """Mean microseconds per step.

    Args:
        idle: Behaviors that are subscribed to other types.
        all_in: Patterns, a relation behavior and delays are subscribed too.
    """
    from activegraph import Behavior

    number = int(steps)
    behaviors = [chain(number), *(Behavior(f"idle{n}", _nothing, on=[f"other.{n}"]) for n in range(int(idle)))]
    if all_in:
        behaviors += _everything_else()
    runtime = new_runtime(behaviors, folder, store, url)
    runtime.graph.add_object("task", {"n": 0, "title": "Look up the price of oak"})
    began = perf_counter()
    runtime.run_until_idle()
    return (perf_counter() - began) / number * 1e6


WINDOW = 1500


def growth(folder: Path, store: str, early: str, late: str, url: str = "", all_in: str = "") -> float:
    """Mean cost of the steps behind event `early` over that of the steps before event `late`."""
    marks: list[tuple[int, float]] = []
    places = [int(early), int(early) + WINDOW, int(late) - WINDOW, int(late)]
    behaviors = [chain(int(late)), *(_everything_else() if all_in else [])]
    runtime = new_runtime(behaviors, folder, store, url)

    def mark(graph: Any) -> bool:
        head = runtime._engine.log.head
        if head >= places[0]:
            del places[0]
            marks.append((head, perf_counter()))
        return not places

    runtime.graph.add_object("task", {"n": 0, "title": "Look up the price of oak"})
    runtime.run_until(mark)
    (a, t_a), (b, t_b), (c, t_c), (d, t_d) = marks
    return float(((t_d - t_c) / (d - c)) / ((t_b - t_a) / (b - a)))


def _nothing(event: Any, graph: Any, ctx: Any) -> None:
    pass


def _everything_else() -> list[Any]:
    from activegraph import Behavior, RelationBehavior, behavior, clear_registry

    @behavior(name="two hops", on=["relation.created"], pattern="(a:task)-[:before]->(b:task)-[:before]->(c:task)")
    def hops(event: Any, graph: Any, ctx: Any) -> None:
        len(ctx.new_matches)

    @behavior(name="late", on=["never"], activate_after=3)
    def late(event: Any, graph: Any, ctx: Any) -> None:
        pass

    def look(event: Any, graph: Any, ctx: Any) -> None:
        ctx.view.objects()

    def find(event: Any, graph: Any, ctx: Any) -> None:
        ctx.view.objects("rare"), ctx.view.get_object("task#1"), ctx.view.relations(source="task#1")

    clear_registry()
    around = {"around": "event.payload.object.id", "recent_events": 5}
    return [
        hops,
        late,
        RelationBehavior("follow", _nothing, "before", on=["object.created"]),
        Behavior("look", look, on=["object.created"], view_spec=around),
        Behavior("find", find, on=["object.created"]),
    ]


def sqlite_rows(folder: Path, steps: str) -> float:
    """Microseconds per step's rows in one transaction, bare."""
    connection: sqlite3.Connection = sqlite_tables(folder / "run.db")
    number, position = int(steps), 0
    began = perf_counter()
    for _ in range(number):
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(INSERT, [row(position + k, _fields(position + k)) for k in range(1, EVENTS_A_STEP + 1)])
        connection.execute("COMMIT")
        position += EVENTS_A_STEP
    return (perf_counter() - began) / number * 1e6


def postgres_rows(folder: Path, steps: str, url: str) -> float:
    """Microseconds per step's rows in one statement that commits by itself, bare and prepared."""
    connection = postgres_tables(url)
    insert = INSERT_POSTGRES + f", {POSTGRES_VALUES}" * (EVENTS_A_STEP - 1)
    number, position = int(steps), 0
    began = perf_counter()
    for _ in range(number):
        values = [v for k in range(1, EVENTS_A_STEP + 1) for v in postgres_row(position + k, _fields(position + k))]
        connection.execute(insert, values, prepare=True)
        position += EVENTS_A_STEP
    return (perf_counter() - began) / number * 1e6


def _fields(position: int) -> dict[str, Any]:
    """The events of a step, as the runtime writes them: a start, an object, an outcome."""
    step, kind = divmod(position - 1, EVENTS_A_STEP)
    cause = f"evt_{max(1, EVENTS_A_STEP * step - 1)}"
    fields = {"id": f"evt_{position}", "actor": "runtime", "frame_id": None, "caused_by": cause, "timestamp": _TIME}
    if kind == 0:
        start = {"behavior": "chain", "event_id": cause, "triggering_event_type": "object.created"}
        return {**fields, "type": "behavior.started", "payload": {**start, "triggering_object_id": f"task#{step}"}}
    if kind == 1:
        made = {
            "id": f"task#{step + 1}",
            "type": "task",
            "data": {"n": step, "title": "Look up the price of oak"},
            "version": 1,
            "provenance": {
                "created_by": "chain",
                "caused_by_event": cause,
                "frame_id": None,
                "timestamp": _TIME,
                "evidence": [],
                "run_id": RUN,
            },
        }
        payload = {"object": made, "id": made["id"]}
        return {**fields, "type": "object.created", "payload": payload, "actor": "chain"}
    outcome = {
        "behavior": "chain",
        "event_id": cause,
        "objects_created": 1,
        "relations_created": 0,
        "patches_applied": 0,
        "patches_proposed": 0,
        "events_emitted": 0,
    }
    return {**fields, "type": "behavior.completed", "payload": outcome}
