"""Generated patterns, and changes of graphs small enough that each has a good chance to matter.

All choices come from one `random.Random`: what is drawn is dense in matches, which strategies that
favour the smallest value are not.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from random import Random
from typing import Any

from activegraph.core.graph import Graph

__all__ = ["OBJECTS", "RELATIONS", "Change", "apply", "beginning", "change", "pattern"]

OBJECTS = ["o1", "o2", "o3", "o4", "o5"]
RELATIONS = ["r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8", "o1"]
"""One relation has the id of an object: they are two things."""

_VALUES: list[Any] = [1, 1, 1, 0, 2, 1.5, "a", None, True, "o1", [1], {"z": 1}, {"z": None}]
_LITERALS = ["1", "1", "1", "0", "2", "1.5", "'a'", "NULL", "TRUE", "'o1'", "-1", "1.0"]
_OBJECT_PATHS = ["", ".id", ".type", ".version", ".x", ".x", ".y", ".data.x", ".data.y", ".x.z", ".data"]
_RELATION_PATHS = ["", ".id", ".type", ".source", ".target", ".x", ".data.y"]


@dataclass(frozen=True)
class Change:
    """One event that changes a graph."""

    type: str
    payload: dict[str, Any]


def apply(graph: Graph, change: Change) -> None:
    """Apply an event past the log."""
    graph._projection.apply(change.type, json.dumps(change.payload).encode())


def beginning(rng: Random) -> list[Change]:
    """Most of the elements that there can be."""
    return [
        *(_new_object(rng, id) for id in OBJECTS if rng.random() < 0.9),
        *(_new_relation(rng, id) for id in RELATIONS if rng.random() < 0.7),
    ]


def change(rng: Random) -> Change:
    """Any change: of an element that is there or is not, new or made again under its id."""
    match rng.choices(["relation", "no relation", "patch", "object", "no object"], [5, 3, 4, 2, 1])[0]:
        case "relation":
            return _new_relation(rng, rng.choice(RELATIONS))
        case "no relation":
            return Change("relation.removed", {"id": rng.choice(RELATIONS)})
        case "object":
            return _new_object(rng, rng.choice(OBJECTS))
        case "no object":
            return Change("object.removed", {"id": rng.choice(OBJECTS)})
    op = rng.choice(["update", "update", "replace"])
    return Change(
        "patch.applied", {"patch": {"id": "patch", "target": rng.choice(OBJECTS), "op": op, "value": _data(rng)}}
    )


def pattern(rng: Random) -> str:
    """A pattern with any feature of the language."""
    variables = _Variables()
    text = _chain(rng, variables, hops=rng.choice([0, 1, 1, 2, 2, 3]))
    if rng.random() < 0.7:
        text += f" WHERE {_condition(rng, variables, depth=2)}"
    return text


class _Variables:
    def __init__(self) -> None:
        self.nodes: list[str] = []
        self.relations: list[str] = []


def _new_object(rng: Random, id: str) -> Change:
    fields = {"id": id, "type": rng.choice("ttu"), "data": _data(rng), "version": 1, "provenance": {}}
    return Change("object.created", {"object": fields})


def _new_relation(rng: Random, id: str) -> Change:
    fields = {
        "id": id,
        "source": rng.choice(OBJECTS),
        "target": rng.choice(OBJECTS),
        "type": rng.choice("ppq"),
        "data": _data(rng),
        "provenance": {},
    }
    return Change("relation.created", {"relation": fields})


def _data(rng: Random) -> dict[str, Any]:
    return {name: rng.choice(_VALUES) for name in "xy" if rng.random() < 0.6}


def _chain(rng: Random, variables: _Variables, *, hops: int, known: tuple[str, ...] = ()) -> str:
    text = _node(rng, variables, known)
    for _ in range(hops):
        name = rng.choice(["k", "l", "", "", "", ""])
        if name:
            variables.relations.append(name)
        type = rng.choice("pppq")
        text += rng.choice([f"-[{name}:{type}]->", f"<-[{name}:{type}]-"]) + _node(rng, variables, known)
    return text


def _node(rng: Random, variables: _Variables, known: tuple[str, ...]) -> str:
    fresh = next(name for name in "abcdefgh" if name not in (*variables.nodes, *known))
    repeated = [*variables.nodes, *known] or [fresh]
    kind = rng.random()
    name = fresh if kind < 0.55 else rng.choice(repeated) if kind < (0.9 if known else 0.7) else ""
    if name:
        variables.nodes.append(name)
    type = rng.choice(["", "", "", "", ":t", ":u"])
    properties = f" {{{rng.choice('xy')}: {rng.choice(_LITERALS)}}}" if rng.random() < (0.35 if known else 0.15) else ""
    return f"({name}{type}{properties})"


def _condition(rng: Random, variables: _Variables, depth: int) -> str:
    paths = [name + path for name in variables.nodes for path in _OBJECT_PATHS]
    paths += [name + path for name in variables.relations for path in _RELATION_PATHS]
    kinds = ["absence", "absence", *(["comparison"] * 2 if paths else []), *(["not", "and", "and"] if depth else [])]
    match rng.choice(kinds):
        case "absence":
            inner = _Variables()
            inner.relations += variables.relations
            chain = _chain(rng, inner, hops=rng.choice([0, 1, 1, 2]), known=tuple(variables.nodes))
            return f"NOT EXISTS {{ {chain} }}"
        case "not":
            return f"NOT ({_condition(rng, variables, depth - 1)})"
        case "and":
            both = f"{_condition(rng, variables, depth - 1)} AND {_condition(rng, variables, depth - 1)}"
            return rng.choice([both, f"({both})"])
    right = rng.choice(_LITERALS) if rng.random() < 0.6 else rng.choice(paths)
    return f"{rng.choice(paths)} {rng.choice(['=', '=', '<>', '!=', '<', '<=', '>', '>='])} {right}"
