"""The canonical form: what is written for a value, and what text is read back as."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, time
from decimal import Decimal
from itertools import permutations
from typing import Any

import msgspec
import pytest
from activegraph.core.codec import (
    MAX_BYTES,
    CodecError,
    decode_canonical,
    decode_value,
    encode_payload_bytes,
    encode_plain,
    encode_value,
)
from activegraph.errors import NonSerializableEventError
from hypothesis import given
from support.values import examples, plain_dicts, same, typed_values

CANONICAL = [
    ({"z": 1, "a": 2, "m": 3}, b'{"z":1,"a":2,"m":3}'),
    ("é\U0001f600\u2028\x7f", '"é\U0001f600\u2028\x7f"'.encode()),
    ('"\\/', b'"\\"\\\\/"'),
    ("\b\t\n\f\r\x01\x1f", b'"\\b\\t\\n\\f\\r\\u0001\\u001f"'),
    ([1.0, -0.0, 1e23, 0.00001, 5e-324], b"[1.0,-0.0,1e23,0.00001,5e-324]"),
    ([True, False, None, 1, 2**63 - 1, -(2**63)], b"[true,false,null,1,9223372036854775807,-9223372036854775808]"),
    (2**63, b'{"$ag.int":"9223372036854775808"}'),
    (-(2**63) - 1, b'{"$ag.int":"-9223372036854775809"}'),
    ([math.nan, math.inf, -math.inf], b'[{"$ag.float":"nan"},{"$ag.float":"inf"},{"$ag.float":"-inf"}]'),
    ("a\x00", b'{"$ag.str":"YQA="}'),
    ("\ud800", b'{"$ag.str":"7aCA"}'),
    ("\\u0000", b'"\\\\u0000"'),
    (b"\x00\xff", b'{"$ag.bytes":"AP8="}'),
    ({"\x00": 1, "b": 2}, b'{"$ag.dict":[[{"$ag.str":"AA=="},1],["b",2]]}'),
    ({"$ag.int": "5"}, b'{"$ag.dict":[["$ag.int","5"]]}'),
    ({"$ag.int": "5", "b": 1}, b'{"$ag.int":"5","b":1}'),
    ({"$ref": 1}, b'{"$ref":1}'),
    ({}, b"{}"),
    ([], b"[]"),
]

TYPED = [
    (Decimal("12.50"), b'{"$ag.decimal":"12.50"}'),
    (datetime(2026, 5, 15, 10, 32, 1), b'{"$ag.datetime":"2026-05-15T10:32:01"}'),
    (datetime(2026, 5, 15, 10, 32, 1, 5, UTC), b'{"$ag.datetime":"2026-05-15T10:32:01.000005+00:00"}'),
    (date(2026, 5, 15), b'{"$ag.date":"2026-05-15"}'),
    (time(10, 32), b'{"$ag.time":"10:32:00"}'),
    ((1, "a"), b'{"$ag.tuple":[1,"a"]}'),
    (set(), b'{"$ag.set":[]}'),
    ({3, 1, 2}, b'{"$ag.set":[1,2,3]}'),
    ({"b", 1, None}, b'{"$ag.set":[null,1,"b"]}'),
    ({frozenset({2}), frozenset({1})}, b'{"$ag.set":[{"$ag.set":[1]},{"$ag.set":[2]}]}'),
]


@pytest.mark.parametrize(("value", "text"), CANONICAL)
def test_payloads_and_values_have_one_written_form(value: Any, text: bytes) -> None:
    assert encode_plain(value) == text
    assert encode_value(value) == text
    assert same(decode_value(text), value)
    assert same(decode_canonical(text.decode("utf-8")), value)


@pytest.mark.parametrize(("value", "text"), TYPED)
def test_the_codec_keeps_types_that_json_has_not(value: Any, text: bytes) -> None:
    assert encode_value(value) == text
    assert same(decode_value(text), value)


@given(value=typed_values())
@examples(200)
def test_every_value_comes_back_in_type_value_and_order(value: Any) -> None:
    text = encode_value(value)
    assert same(decode_value(text), value)
    assert encode_value(decode_value(text)) == text


@given(payload=plain_dicts())
@examples(200)
def test_plain_payloads_pass_the_boundary_as_they_are(payload: dict[str, Any]) -> None:
    text = encode_payload_bytes(payload)
    assert same(decode_canonical(text), payload)
    assert encode_payload_bytes(decode_canonical(text)) == text == encode_value(payload)


@given(payload=plain_dicts())
@examples(200)
def test_canonical_text_is_json_that_a_jsonb_column_takes(payload: dict[str, Any]) -> None:
    text = encode_payload_bytes(payload)
    text.decode("utf-8")  # no lone surrogates
    assert b"\n" not in text
    assert "\x00" not in str(msgspec.json.decode(text))


def test_integers_of_any_size_survive_whatever_limit_the_interpreter_has() -> None:
    number = 7**20_000
    assert decode_value(encode_value([number, -number])) == [number, -number]
    assert decode_value("1" * 5000) == 10**5000 // 9


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{ "b" : 1 ,\n"a":[ 2 ] }', {"b": 1, "a": [2]}),
        ('"\\u0041\\ud83d\\ude00\\/"', "A\U0001f600/"),
        ('"\\u0000"', "\x00"),
        ('"\\ud800"', "\ud800"),
        ("[1E2,10.50,-0]", [100.0, 10.5, 0]),
        ("123456789012345678901234567890", 123456789012345678901234567890),
        ('{ "$ag.int" : "5" }', 5),
        ('{"\\u0024ag.int":"5"}', 5),
        ('{"a":1,"a":2}', {"a": 2}),
    ],
)
def test_text_edited_with_ordinary_tools_reads_as_the_same_values(text: str, value: Any) -> None:
    assert same(decode_value(text), value)
    assert same(decode_value(text.encode("utf-8")), value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        '{"a":}',
        "NaN",
        "Infinity",
        "1e400",
        "01",
        "'a'",
        '"\t"',
        "[1,]",
        "\ufeff1",
        '{"$ag.what":1}',
        '{"$ag.":1}',
        '{"$ag.int":"1","$ag.int":"x"}',
        '{"$ag.int":5}',
        '{"$ag.int":""}',
        '{"$ag.int":"--5"}',
        '{"$ag.int":"+5"}',
        '{"$ag.int":"05"}',
        '{"$ag.int":"1_000"}',
        '{"$ag.int":"\u0665"}',
        '{"$ag.float":"NaN"}',
        '{"$ag.float":[]}',
        '{"$ag.str":"!"}',
        '{"$ag.str":"/w=="}',
        '{"$ag.bytes":"QQ"}',
        '{"$ag.bytes":"QR=="}',
        '{"$ag.bytes":"QQ==\\n"}',
        '{"$ag.dict":{}}',
        '{"$ag.dict":[["a"]]}',
        '{"$ag.dict":[[1,2]]}',
        '{"$ag.dict":[["a",1],["a",2]]}',
        '{"$ag.decimal":" 1"}',
        '{"$ag.decimal":"x"}',
        '{"$ag.datetime":"20260515T103201"}',
        '{"$ag.datetime":"yesterday"}',
        '{"$ag.date":"2026-W01-1"}',
        '{"$ag.time":"T10:00:00"}',
        '{"$ag.tuple":"ab"}',
        '{"$ag.set":[1,1.0]}',
        '{"$ag.set":[[1]]}',
        "[" * 100_000,
    ],
)
def test_what_the_codec_never_writes_is_corruption(text: str) -> None:
    with pytest.raises(CodecError):
        decode_value(text)
    with pytest.raises(CodecError):
        decode_value(text.encode("utf-8"))


def test_bytes_that_are_no_utf8_are_corruption() -> None:
    with pytest.raises(CodecError):
        decode_value(b'"\xff"')


def test_a_reader_is_told_where_text_stops_being_json() -> None:
    with pytest.raises(CodecError) as corruption:
        decode_value('{"a":\n  nope}')
    assert (corruption.value.line, corruption.value.column) == (2, 3)


@pytest.mark.parametrize("value", [object(), bytearray(b"a"), {1: 2}, type("S", (str,), {})("a"), {"a": {1j}}])
def test_values_outside_the_table_are_refused_by_the_codec(value: Any) -> None:
    with pytest.raises(NonSerializableEventError):
        encode_value(value)


def test_a_set_is_written_in_one_order_however_its_elements_compare() -> None:
    parts = [frozenset({1}), frozenset({2, 3}), frozenset({1, 2}), frozenset()]
    assert len({encode_value(set(order)) for order in permutations(parts)}) == 1
    assert encode_value({math.nan, 2.0, 1.0}) == encode_value({1.0, math.nan, 2.0})
    assert encode_value({float("nan"), float("nan")}) == b'{"$ag.set":[{"$ag.float":"nan"}]}'


def test_a_payload_may_be_64_mib_long_and_no_longer() -> None:
    shell = len(b'{"a":""}')
    assert len(encode_payload_bytes({"a": "x" * (MAX_BYTES - shell)})) == MAX_BYTES
    with pytest.raises(NonSerializableEventError) as refusal:
        encode_payload_bytes({"a": "x" * (MAX_BYTES - shell + 1)})
    assert refusal.value.context == {"path": "<root>", "type": "dict"}
