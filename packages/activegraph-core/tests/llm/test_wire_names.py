"""Tool names on the wire, and back."""

from __future__ import annotations

import re

import pytest
from activegraph.llm import LLMMessage, ToolCall
from activegraph.llm.wire_names import WireNames, names_of_request
from hypothesis import assume, given
from hypothesis import strategies as st
from support.values import examples


@pytest.mark.parametrize(
    ("name", "wire"), [("look", "look"), ("pack.look", "pack__look"), ("a b/ä-c_d", "a_b__-c_d"), ("a..b", "a____b")]
)
def test_a_name_is_rewritten_to_what_providers_take(name: str, wire: str) -> None:
    names = WireNames([name])

    assert names.outgoing(name) == wire
    assert names.incoming(wire) == name


def test_a_name_of_the_models_own_invention_stays_as_it_is() -> None:
    assert WireNames(["pack.look"]).incoming("other__name") == "other__name"


def test_names_come_back_through_the_table_and_not_by_their_spelling() -> None:
    assert WireNames(["really__so"]).incoming("really__so") == "really__so"


@pytest.mark.parametrize("names", [["a.b", "a__b"], ["a b", "a/b"]])
def test_two_names_that_would_be_one_are_refused(names: list[str]) -> None:
    with pytest.raises(ValueError, match="on the wire") as refusal:
        WireNames(names)

    for name in names:
        assert repr(name) in str(refusal.value)


def test_a_request_has_the_names_of_its_tools_and_of_the_calls_that_it_tells_of() -> None:
    messages = [LLMMessage("assistant", "", tool_calls=(ToolCall("1", "old.one", {}),))]
    names = names_of_request([{"name": "new.one"}], messages)

    assert names.incoming("old__one") == "old.one"
    assert names.incoming("new__one") == "new.one"
    with pytest.raises(ValueError, match="on the wire"):
        names_of_request([{"name": "old__one"}], messages)


@given(st.lists(st.text(min_size=1), unique=True, max_size=5))
@examples(50)
def test_every_name_comes_back(names: list[str]) -> None:
    try:
        table = WireNames(names)
    except ValueError:
        assume(False)
    for name in names:
        assert re.fullmatch(r"[A-Za-z0-9_-]+", table.outgoing(name))
        assert table.incoming(table.outgoing(name)) == name
