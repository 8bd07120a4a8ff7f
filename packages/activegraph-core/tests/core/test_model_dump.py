"""A model's dump is the same in every process, and shows no secret where none may be shown."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from activegraph import Graph
from activegraph.core.model_dump import plain_dump
from activegraph.llm import LLMResponse
from activegraph.packs import ObjectType, Pack
from activegraph.tools.cache import hash_tool_call
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    RootModel,
    SecretStr,
    SerializeAsAny,
    computed_field,
    field_serializer,
)
from support.runtimes import new

NUMBERS = {3, 100, 20}
"""Python keeps them in the order of their hashes, which is another one."""
IN_ORDER = [3, 20, 100]
"""As the log holds any set."""


class Tagged(BaseModel):
    tags: set[int] = NUMBERS


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)
    n: int


@dataclass
class Plain:
    tags: frozenset[int]


class Everything(BaseModel):
    model_config = ConfigDict(extra="allow")
    aliased: set[int] = Field(NUMBERS, serialization_alias="other")
    nested: list[dict[int, Tagged]] = [{1: Tagged()}]
    of_models: set[Frozen] = {Frozen(n=n) for n in NUMBERS}
    of_sets: frozenset[frozenset[int]] = frozenset({frozenset(NUMBERS)})
    data: Plain = Plain(frozenset(NUMBERS))
    whatever: Any = (NUMBERS, deque([NUMBERS]))
    subclass: SerializeAsAny[BaseModel] = Tagged()
    wrapped: RootModel[set[int]] = RootModel[set[int]](NUMBERS)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def made(self) -> set[int]:
        return set(NUMBERS)


def test_sets_stand_in_one_order_wherever_they_are() -> None:
    assert list(NUMBERS) != IN_ORDER
    dumped = plain_dump(Everything(further=NUMBERS))  # type: ignore[call-arg]

    assert dumped == {
        "aliased": IN_ORDER,
        "nested": [{"1": {"tags": IN_ORDER}}],
        "of_models": [{"n": n} for n in (100, 20, 3)],
        "of_sets": [IN_ORDER],
        "data": {"tags": IN_ORDER},
        "whatever": [IN_ORDER, [IN_ORDER]],
        "subclass": {"tags": IN_ORDER},
        "wrapped": IN_ORDER,
        "made": IN_ORDER,
        "further": IN_ORDER,
    }
    assert plain_dump(Everything(), by_alias=True)["other"] == IN_ORDER


def test_what_is_no_set_keeps_its_order() -> None:
    class Ordered(BaseModel):
        numbers: list[int] = [3, 100, 20]
        pairs: dict[str, int] = {"b": 1, "a": 2}
        more: Any = None

    assert plain_dump(Ordered()) == {"numbers": [3, 100, 20], "pairs": {"b": 1, "a": 2}, "more": None}
    assert list(plain_dump(Ordered())["pairs"]) == ["b", "a"]


def test_a_serializer_of_the_models_own_is_left_its_word() -> None:
    class Own(BaseModel):
        tags: set[int] = NUMBERS
        shown: set[int] = NUMBERS

        @field_serializer("tags")
        def _tags(self, value: set[int]) -> str:
            return f"{len(value)} tags"

        @field_serializer("shown")
        def _shown(self, value: set[int]) -> Mapping[str, int]:
            return {"count": len(value)}

    assert plain_dump(Own()) == {"tags": "3 tags", "shown": {"count": 3}}


def test_a_secret_is_masked_even_where_its_model_would_show_it() -> None:
    class Open(BaseModel):
        key: SecretStr = SecretStr("sk-hush")
        empty: SecretStr = SecretStr("")
        many: dict[str, list[SecretStr]] = {"a": [SecretStr("sk-hush")]}

        @field_serializer("key")
        def _key(self, value: SecretStr) -> str:
            return value.get_secret_value()

    assert plain_dump(Open(), of_secret=lambda secret: "***") == {"key": "***", "empty": "***", "many": {"a": ["***"]}}
    assert plain_dump(Open())["key"] == "sk-hush"


@pytest.mark.parametrize("declared", [True, False])
def test_an_object_holds_a_set_in_one_order_whether_a_pack_declares_it_or_not(declared: bool) -> None:
    graph: Graph = new(packs=[Pack("p", "1", object_types=[ObjectType("tagged", Tagged)])] if declared else []).graph

    assert graph.add_object("tagged", {"tags": NUMBERS}).data == {"tags": IN_ORDER}


def test_a_parsed_answer_is_recorded_in_one_order() -> None:
    answer = LLMResponse("", Tagged(), 1, 1, 0, 0.1, "m", "stop")  # type: ignore[arg-type]

    assert answer.to_dict()["parsed"] == {"tags": IN_ORDER}


def test_a_call_has_one_key_in_every_process() -> None:
    assert hash_tool_call(tool_name="look", args=Tagged()) == hash_tool_call(tool_name="look", args={"tags": IN_ORDER})


def test_settings_and_objects_are_the_same_in_two_processes() -> None:
    first, second = (_process(seed) for seed in ("1", "4242"))

    assert b"alpha" in first
    assert first == second


def _process(hash_seed: str) -> bytes:
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    return subprocess.run([sys.executable, "-c", _PROGRAM], env=environment, capture_output=True, check=True).stdout


_PROGRAM = """
from activegraph import FrozenClock, Graph, Runtime
from activegraph.core.event import canonical_payload
from activegraph.packs import ObjectType, Pack, behavior
from pydantic import BaseModel

class Named(BaseModel):
    names: set[str] = {"alpha", "beta", "gamma", "delta", "epsilon", "zeta"}

@behavior(on=["goal.created"])
def go(event, graph, ctx):
    graph.add_object("named", {})

pack = Pack("p", "1", behaviors=[go], object_types=[ObjectType("named", Named)], settings_schema=Named)
runtime = Runtime(Graph(clock=FrozenClock(), run_id="run_1"), [], packs=[pack])
runtime.run_goal("x")
for event in runtime.graph.events:
    print(canonical_payload(event).decode())
"""
