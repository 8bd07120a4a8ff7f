"""Frozen values: dict and list to every reader, closed to every writer, plain when copied."""

from __future__ import annotations

import copy
import heapq
import json
import pickle
from typing import Any

import msgspec
import pytest
from activegraph.core.codec import decode_canonical, encode_payload_bytes
from activegraph.core.frozen import freeze, frozen_copy, thaw
from hypothesis import given
from support.values import examples, plain_dicts, same


def frozen() -> Any:
    return freeze({"a": [1, {"b": 2}], "c": {"d": []}})


def drop_key(x: Any) -> None:
    del x["a"]


def drop_place(x: Any) -> None:
    del x[0]


def set_slice(x: Any) -> None:
    x[:] = []


def union(x: Any) -> None:
    x |= {"z": 1}


def extend_in_place(x: Any) -> None:
    x += [1]


def repeat_in_place(x: Any) -> None:
    x *= 2


DICT_WRITES = {
    "set": lambda x: x.__setitem__("a", 1),
    "delete": drop_key,
    "clear": lambda x: x.clear(),
    "pop": lambda x: x.pop("a"),
    "pop with default": lambda x: x.pop("missing", None),
    "popitem": lambda x: x.popitem(),
    "setdefault": lambda x: x.setdefault("z", 1),
    "update": lambda x: x.update(z=1),
    "update by nothing": lambda x: x.update(),
    "union in place": union,
    "init": lambda x: x.__init__({"z": 1}),
    "attribute": lambda x: setattr(x, "note", 1),
}
LIST_WRITES = {
    "set": lambda x: x.__setitem__(0, 1),
    "set a slice": set_slice,
    "delete": drop_place,
    "append": lambda x: x.append(1),
    "extend": lambda x: x.extend([1]),
    "insert": lambda x: x.insert(0, 1),
    "pop": lambda x: x.pop(),
    "remove": lambda x: x.remove(1),
    "clear": lambda x: x.clear(),
    "sort": lambda x: x.sort(),
    "reverse": lambda x: x.reverse(),
    "add in place": extend_in_place,
    "multiply in place": repeat_in_place,
    "init": lambda x: x.__init__([1]),
}


@pytest.mark.parametrize("write", DICT_WRITES.values(), ids=DICT_WRITES)
def test_a_frozen_dict_refuses_every_change_at_any_depth(write: Any) -> None:
    value = frozen()
    for place in (value, value["a"][1], value["c"]):
        with pytest.raises((TypeError, AttributeError)):
            write(place)
    assert value == {"a": [1, {"b": 2}], "c": {"d": []}}


@pytest.mark.parametrize("write", LIST_WRITES.values(), ids=LIST_WRITES)
def test_a_frozen_list_refuses_every_change_at_any_depth(write: Any) -> None:
    value = frozen()
    for place in (value["a"], value["c"]["d"]):
        with pytest.raises(TypeError):
            write(place)
    assert value == {"a": [1, {"b": 2}], "c": {"d": []}}


def test_what_reaches_past_the_refusal_reaches_no_other_value() -> None:
    # C code that takes any list, and asks no method.
    heapq.heappush(frozen()["c"]["d"], 1)

    assert frozen()["c"]["d"] == freeze([]) == []


def test_the_refusal_names_both_ways() -> None:
    with pytest.raises(TypeError, match=r"patch_object.*copy\.deepcopy"):
        frozen()["a"] = 1
    with pytest.raises(TypeError, match=r"patch_object.*copy\.deepcopy"):
        frozen()["a"].append(1)


def call(**fields: Any) -> dict[str, Any]:
    return fields


def test_every_reader_sees_the_truth() -> None:
    value, plain = frozen(), {"a": [1, {"b": 2}], "c": {"d": []}}
    assert value == plain
    assert isinstance(value, dict)
    assert isinstance(value["a"], list)
    assert json.dumps(value) == json.dumps(plain)
    assert json.dumps(value, indent=1, sort_keys=True) == json.dumps(plain, indent=1, sort_keys=True)
    assert msgspec.json.encode(value) == msgspec.json.encode(plain)
    assert msgspec.to_builtins(value) == plain
    assert dict(value) == {**value} == call(**value) == value | {} == plain
    assert list(value) == ["a", "c"]
    assert [*value["a"]] == value["a"] + [] == value["a"][:] == [1, {"b": 2}]
    assert value.get("missing", 5) == 5
    assert repr(value) == repr(plain)
    match value:
        case {"a": [1, {"b": found}]}:
            assert found == 2
        case _:
            pytest.fail("a frozen dict is a mapping to `match`")


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda v: pickle.loads(pickle.dumps(v)), thaw])
def test_deep_copies_are_plain_at_every_depth(copied: Any) -> None:
    other = copied(frozen())
    assert other == frozen()
    other["a"][1]["b"] = "changed"
    other["c"]["d"].append("changed")
    assert type(other) is type(other["c"]) is dict
    assert type(other["a"]) is list


def test_shallow_copies_are_plain_on_the_outside() -> None:
    for other in (copy.copy(frozen()), frozen().copy(), dict(frozen()), type(frozen())(frozen())):
        assert type(other) is dict
        other["a"] = 1
    for items in (copy.copy(frozen()["a"]), frozen()["a"].copy(), list(frozen()["a"]), type(frozen()["a"])([1])):
        assert type(items) is list
        items.append(1)
    assert type(type(frozen()).fromkeys("ab", 1)) is dict


@given(payload=plain_dicts())
@examples(60)
def test_freezing_changes_nothing_but_the_right_to_write(payload: dict[str, Any]) -> None:
    text = encode_payload_bytes(payload)
    value = freeze(decode_canonical(text))
    assert same(thaw(value), payload)
    assert encode_payload_bytes(value) == text
    assert encode_payload_bytes(frozen_copy(decode_canonical(text))) == text


def test_a_frozen_copy_leaves_its_source_as_it_is() -> None:
    source: dict[str, Any] = {"a": [{"b": 1}]}
    value = frozen_copy(source)
    source["a"][0]["b"] = 2
    assert value == {"a": [{"b": 1}]}
    with pytest.raises(TypeError):
        value["a"][0]["b"] = 3
