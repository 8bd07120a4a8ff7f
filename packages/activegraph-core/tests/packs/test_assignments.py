"""`pack.setting=value` as texts."""

from __future__ import annotations

from typing import Any

import pytest
from activegraph.errors import InvalidRuntimeConfiguration
from activegraph.packs.assignments import read_assignments


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("p.s=0.9", 0.9),
        ("p.s=5", 5),
        ("p.s=-1", -1),
        ("p.s=true", True),
        ("p.s=null", None),
        ("p.s=None", None),
        ("p.s=NONE", None),
        ('p.s="none"', "none"),
        ("p.s=rules", "rules"),
        ("p.s= a b ", "a b"),
        ("p.s=", ""),
        ("p.s=a=b", "a=b"),
        ("p.s=NaN", "NaN"),
        ("p.s=0x10", "0x10"),
        ("p.s=[1, 2]", [1, 2]),
        ('p.s={"a": {"b": 1}}', {"a": {"b": 1}}),
    ],
)
def test_a_value_is_json_or_none_or_the_text_itself(text: str, value: Any) -> None:
    read = read_assignments([text])

    assert read == {"p": {"s": value}}
    assert read.texts == {"p": [text]}
    assert type(read["p"]["s"]) is type(value)


def test_nested_keys_of_several_packs_keep_the_order_of_first_mention() -> None:
    texts = ["b.x.y=1", "a.s=2", "b.x.z=3", "b.t=4"]
    read = read_assignments(texts)

    assert read == {"b": {"x": {"y": 1, "z": 3}, "t": 4}, "a": {"s": 2}}
    assert list(read) == ["b", "a"]
    assert read.texts == {"b": ["b.x.y=1", "b.x.z=3", "b.t=4"], "a": ["a.s=2"]}


def test_of_equal_keys_the_last_wins_and_all_texts_are_kept() -> None:
    read = read_assignments(["p.s=1", "p.s=2"])

    assert read == {"p": {"s": 2}}
    assert read.texts == {"p": ["p.s=1", "p.s=2"]}


def test_no_text_says_nothing() -> None:
    assert read_assignments([]) == {}


@pytest.mark.parametrize(
    "texts",
    [
        ["p.s"],
        ["p=1"],
        ["=1"],
        [""],
        [".s=1"],
        ["p.=1"],
        ["p..s=1"],
        ["p.s.=1"],
        ["my-pack.s=1"],
        ["P.s=1"],
        ["p.a=1", "p.a.b=2"],
        ["p.a.b=2", "p.a=1"],
        ["p.a.b.c=1", "p.a={}"],
    ],
)
def test_a_text_of_another_shape_is_refused(texts: list[str]) -> None:
    with pytest.raises(InvalidRuntimeConfiguration, match="setting cannot be read"):
        read_assignments(texts)
