"""A tool that lets a model look at the graph: objects of one type that meet a condition."""

from __future__ import annotations

from typing import Any, Protocol

import msgspec
from pydantic import BaseModel, Field, field_validator

from activegraph.core.codec import encode_plain
from activegraph.core.elements import Object
from activegraph.core.where import compile_where
from activegraph.errors import InvalidRuntimeConfiguration
from activegraph.tools.base import Tool

__all__ = ["GraphQueryInput", "GraphQueryOutput", "ObjectRef", "make_graph_query_tool"]

_DESCRIPTION = (
    "Finds objects of the graph. `object_type` is their type; `where` maps a field to the value that it must have, "
    'or to operators, for example {"score": {">": 0.5}}. Operators: >, <, >=, <=, ==, !=, in, not in. '
    "At most `limit` objects are given; `truncated` says whether there are more."
)


class Queryable(Protocol):
    """A graph, as far as a query goes."""

    def objects(self, type: str | None = None, where: dict[str, Any] | None = None) -> list[Object]: ...


class GraphQueryInput(BaseModel):
    """What to look for."""

    object_type: str
    where: dict[str, Any] | None = None
    limit: int = Field(default=50, ge=1, le=500)

    @field_validator("where")
    @classmethod
    def _has_known_operators(cls, where: dict[str, Any] | None) -> dict[str, Any] | None:
        try:
            compile_where(where or {})
        except InvalidRuntimeConfiguration as error:
            raise ValueError(error.summary) from error
        return where


class ObjectRef(BaseModel):
    """One object; what JSON cannot carry in its data stands there as the log writes it."""

    id: str
    type: str
    data: dict[str, Any]


class GraphQueryOutput(BaseModel):
    """What was found, in the graph's order."""

    refs: list[ObjectRef]
    truncated: bool


def make_graph_query_tool(graph: Queryable) -> Tool:
    """A free, deterministic tool `graph_query` over `graph`, for a behavior's `tools=`. It is not registered."""

    def graph_query(args: GraphQueryInput, ctx: Any) -> GraphQueryOutput:
        found = graph.objects(type=args.object_type, where=args.where)
        refs = [ObjectRef(id=one.id, type=one.type, data=_plain(one.data)) for one in found[: args.limit]]
        return GraphQueryOutput(refs=refs, truncated=len(found) > args.limit)

    return Tool(
        name="graph_query",
        fn=graph_query,
        description=_DESCRIPTION,
        input_schema=GraphQueryInput,
        output_schema=GraphQueryOutput,
        timeout_seconds=1.0,
        deterministic=True,
    )


def _plain(data: dict[str, Any]) -> Any:
    return msgspec.json.decode(encode_plain(data))
