"""The language of patterns: what parses, and into what."""

from __future__ import annotations

import re
from typing import Any

import pytest
from activegraph.runtime.patterns import (
    AndExpr,
    Comparison,
    MatchClause,
    NodePat,
    NotExists,
    NotExpr,
    Pattern,
    RelPat,
    UnsupportedPatternError,
    parse,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from support.sampling import by_scale


def node(text: str) -> NodePat:
    return parse(text).match.nodes[0]


def condition(text: str) -> Any:
    return parse(f"(a)-[r:t]->(b) WHERE {text}").where


def test_a_chain_has_one_relationship_between_each_two_nodes() -> None:
    pattern = parse("(a:task)-[r:depends_on]->(b)<-[:part_of]-(:project)")

    assert pattern == Pattern(
        match=MatchClause(
            nodes=[NodePat("a", "task", {}), NodePat("b", None, {}), NodePat(None, "project", {})],
            rels=[RelPat("r", "depends_on", "right"), RelPat(None, "part_of", "left")],
        ),
        where=None,
        source="(a:task)-[r:depends_on]->(b)<-[:part_of]-(:project)",
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("()", NodePat(None, None, {})),
        ("({})", NodePat(None, None, {})),
        ("(a {})", NodePat("a", None, {})),
        ("(:t)", NodePat(None, "t", {})),
        ("(_1a:T_2)", NodePat("_1a", "T_2", {})),
        ("(a:t {x: 1, y: 'z'})", NodePat("a", "t", {"x": 1, "y": "z"})),
        ("(o:`my-type`)", NodePat("o", "my-type", {})),
        ("(o:`where`)", NodePat("o", "where", {})),
        ("(o:`Grüße, {]`)", NodePat("o", "Grüße, {]", {})),
    ],
)
def test_a_node_has_a_variable_a_type_and_properties_all_optional(text: str, expected: NodePat) -> None:
    assert node(text) == expected


def test_a_relationship_type_may_be_quoted_too() -> None:
    assert parse("()-[:`is part of`]->()").match.rels == [RelPat(None, "is part of", "right")]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("-12", -12),
        ("1.50", 1.5),
        ("-0.25", -0.25),
        ("9" * 30, int("9" * 30)),
        ("TRUE", True),
        ("false", False),
        ("Null", None),
        ('"double"', "double"),
        ("'single'", "single"),
        ("'it\\'s'", "it's"),
        ('"\\"\\\\\\n\\t\\r"', '"\\\n\t\r'),
        ("'\\u00e9'", "é"),
        ("'\\ud83d\\ude00'", "😀"),
        ("'Größe 😀'", "Größe 😀"),
        ("'a \n b'", "a \n b"),
        ("''", ""),
        ("'WHERE'", "WHERE"),
    ],
)
def test_a_literal_is_a_number_a_string_a_truth_or_null(text: str, value: Any) -> None:
    for parsed in (node(f"(a {{x: {text}}})").properties["x"], condition(f"a.x = {text}").right_value):
        assert parsed == value
        assert type(parsed) is type(value)


def test_a_very_long_number_is_read_like_any_other() -> None:
    digits = "1" + "0" * 5000

    assert node(f"(a {{x: -{digits}}})").properties["x"] == -(10**5000)


@pytest.mark.parametrize("op", ["=", "<>", "!=", "<", "<=", ">", ">="])
def test_a_comparison_keeps_its_operator_as_written(op: str) -> None:
    assert condition(f"a.x {op} 1") == Comparison(["a", "x"], op, None, 1)
    assert condition(f"a.x{op}-1") == Comparison(["a", "x"], op, None, -1)
    assert condition(f"a.x {op} b.data.y") == Comparison(["a", "x"], op, ["b", "data", "y"], None)
    assert condition(f"a{op}r") == Comparison(["a"], op, ["r"], None)


def test_not_binds_tighter_than_and() -> None:
    a, b = Comparison(["a", "x"], "=", None, 1), Comparison(["b", "x"], "=", None, 2)

    assert condition("NOT a.x = 1 AND b.x = 2") == AndExpr([NotExpr(a), b])
    assert condition("NOT (a.x = 1 AND b.x = 2)") == NotExpr(AndExpr([a, b]))
    assert condition("NOT NOT a.x = 1") == NotExpr(NotExpr(a))


def test_parts_of_an_and_stand_side_by_side_and_one_part_stands_alone() -> None:
    a = Comparison(["a", "x"], "=", None, 1)

    assert condition("a.x = 1 AND a.x = 1 AND a.x = 1") == AndExpr([a, a, a])
    assert condition("(a.x = 1 AND a.x = 1) AND a.x = 1") == AndExpr([AndExpr([a, a]), a])
    assert condition("((a.x = 1))") == a


def test_not_exists_holds_a_chain_that_may_name_outer_and_new_variables() -> None:
    chain = MatchClause([NodePat("b", None, {}), NodePat("c", "t", {"x": 1})], [RelPat(None, "p", "left")])

    assert condition("NOT EXISTS { (b)<-[:p]-(c:t {x: 1}) }") == NotExists(chain)
    assert condition("NOT NOT EXISTS { (b)<-[:p]-(c:t {x: 1}) }") == NotExpr(NotExists(chain))


def test_keywords_are_read_in_any_case() -> None:
    assert condition("not a.x = true and Not Exists {()}") == condition("NOT a.x = TRUE AND NOT EXISTS {()}")


def test_refused_keywords_are_ordinary_names_where_no_keyword_could_stand() -> None:
    pattern = parse("(limit:order {skip: 3})-[set:call]->(:match) WHERE limit.order = 1 AND limit.union <= set.with")

    assert pattern.match.nodes[0] == NodePat("limit", "order", {"skip": 3})
    assert pattern.match.rels == [RelPat("set", "call", "right")]
    assert pattern.where == AndExpr(
        [
            Comparison(["limit", "order"], "=", None, 1),
            Comparison(["limit", "union"], "<=", ["set", "with"], None),
        ]
    )


def test_white_space_is_free_between_tokens() -> None:
    spaced = " ( a : t { x : 1 , y : 'b' } ) \n -[ r : p ]-> \t ( ) WHERE ( a . x <-1 ) AND NOT EXISTS { ( a ) } "
    dense = "(a:t{x:1,y:'b'})-[r:p]->()WHERE(a.x<-1)AND NOT EXISTS{(a)}"

    assert (parse(spaced).match, parse(spaced).where) == (parse(dense).match, parse(dense).where)


def test_the_source_is_kept_as_it_was_written() -> None:
    assert parse(" (a)  ").source == " (a)  "


def test_a_condition_may_be_nested_a_hundred_deep_and_no_deeper() -> None:
    assert condition("(" * 100 + "a.x = 1" + ")" * 100) == Comparison(["a", "x"], "=", None, 1)
    with pytest.raises(UnsupportedPatternError, match="nested"):
        condition("(" * 10_000 + "a.x = 1" + ")" * 10_000)


keywords = {"where", "and", "or", "not", "exists", "true", "false", "null"}
plain_names = st.builds("".join, st.tuples(st.sampled_from("aZ_"), st.text(st.sampled_from("bY_9"), max_size=3)))
plain_names |= st.sampled_from(["limit", "ORDER", "match", "wherever", "id", "data"])
texts = st.text(st.sampled_from("ab_0 -'\"\\\n(){}[]:.*é😀"), max_size=6)
types = plain_names | texts.filter(len)
literals = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(-1e6, 1e6).map(lambda x: round(x, 3)), texts)


@st.composite
def parsed_chains(draw: st.DrawFn, prefix: str) -> MatchClause:
    def variable(kind: str) -> str | None:
        return draw(st.none() | st.sampled_from([f"{prefix}{kind}1", f"{prefix}{kind}2"]))

    properties = st.dictionaries(plain_names, literals, max_size=2)
    nodes = [NodePat(variable("n"), draw(st.none() | types), draw(properties))]
    rels = []
    for _ in range(draw(st.integers(0, 3))):
        rels.append(RelPat(variable("r"), draw(types), draw(st.sampled_from(["right", "left"]))))
        nodes.append(NodePat(variable("n"), draw(st.none() | types), draw(properties)))
    return MatchClause(nodes, rels)


@st.composite
def parsed_patterns(draw: st.DrawFn) -> Pattern:
    chain = draw(parsed_chains(""))
    names = sorted({part.var for part in (*chain.nodes, *chain.rels) if part.var is not None})
    leaves = [st.builds(NotExists, parsed_chains("inner"))]
    if names:
        paths = st.lists(plain_names, max_size=3).flatmap(
            lambda rest: st.sampled_from(names).map(lambda name: [name, *rest])
        )
        ops = st.sampled_from(["=", "<>", "!=", "<", "<=", ">", ">="])
        leaves.append(st.builds(Comparison, paths, ops, st.none(), literals))
        leaves.append(st.builds(Comparison, paths, ops, paths, st.none()))
    expressions = st.recursive(
        st.one_of(leaves),
        lambda inner: st.builds(NotExpr, inner) | st.builds(AndExpr, st.lists(inner, min_size=2, max_size=3)),
        max_leaves=5,
    )
    return Pattern(chain, draw(st.none() | expressions))


def written(part: Any) -> str:
    """A parsed pattern as text."""
    match part:
        case Pattern(match, where):
            return written(match) + ("" if where is None else f" WHERE {written(where)}")
        case MatchClause(nodes, rels):
            hops = [written(rel) + written(far) for rel, far in zip(rels, nodes[1:], strict=True)]
            return written(nodes[0]) + "".join(hops)
        case NodePat(var, type, properties):
            inside = ", ".join(f"{key}: {literal(value)}" for key, value in properties.items())
            quoted = "" if type is None else f":{type_name(type)}"
            return f"({var or ''}{quoted}{' {' + inside + '}' if properties else ''})"
        case RelPat(var, type, direction):
            inside = f"[{var or ''}:{type_name(type)}]"
            return f"-{inside}->" if direction == "right" else f"<-{inside}-"
        case Comparison(left, op, None, value):
            return f"{'.'.join(left)} {op} {literal(value)}"
        case Comparison(left, op, right, _):
            return f"{'.'.join(left)} {op} {'.'.join(right)}"
        case NotExpr(inner):
            return f"NOT ({written(inner)})"
        case AndExpr(parts):
            return " AND ".join(f"({written(part)})" for part in parts)
        case NotExists(chain):
            return f"NOT EXISTS {{ {written(chain)} }}"
    raise AssertionError(part)


def type_name(name: str) -> str:
    is_name = re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) and name.lower() not in keywords
    return name if is_name else f"`{name}`"


def literal(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "NULL", True: "TRUE", False: "FALSE"}[value]
    if isinstance(value, str):
        body = value.replace("\\", "\\\\").replace("'", "\\'")
        return f"'{body}'"
    return f"{value:.3f}" if isinstance(value, float) else str(value)


@settings(max_examples=by_scale(100, small=25, full=1000), deadline=None)
@given(pattern=parsed_patterns())
def test_every_pattern_parses_from_its_written_form(pattern: Pattern) -> None:
    parsed = parse(written(pattern))

    assert (parsed.match, parsed.where) == (pattern.match, pattern.where)


pieces = st.sampled_from(
    [
        *("(", ")", "[", "]", "{", "}", "-", "->", "<-", "<", ">", "=", "==", ",", ".", ":", "*", "|", "$"),
        *("'", '"', "`", "\\", "a", "b.x", ":t", "1", "-2.5", "'x'", "é", "\n", "\ud800", " order ", " RETURN "),
        *(" WHERE ", " AND ", " OR ", " NOT ", " EXISTS ", "NULL", "NOT EXISTS {(a)}"),
        *("(a)", "(b:t {x: 1})", "-[:p]->", "<-[r:p]-", "a.x = 1"),
    ]
)


@settings(max_examples=by_scale(500, small=125, full=5000), deadline=None)
@given(text=st.lists(pieces, max_size=12).map("".join) | st.text(max_size=20))
def test_any_other_text_is_refused_by_the_one_error(text: str) -> None:
    try:
        pattern = parse(text)
    except UnsupportedPatternError as error:
        refusal = error
    else:
        assert pattern.source == text
        pattern.compile()
        return

    assert refusal.is_structured()
    assert refusal.at is None or refusal.at in text
