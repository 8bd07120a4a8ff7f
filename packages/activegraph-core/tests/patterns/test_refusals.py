"""What is outside the language is refused where it is declared, with its place and a way out."""

from __future__ import annotations

import copy
import pickle
import traceback

import pytest
from activegraph.errors import PatternError
from activegraph.runtime.patterns import (
    AndExpr,
    Comparison,
    MatchClause,
    NodePat,
    Pattern,
    RelPat,
    UnsupportedPatternError,
    parse,
)

KEYWORDS = [
    "RETURN",
    "OPTIONAL",
    "WITH",
    "MATCH",
    "UNWIND",
    "UNION",
    "CREATE",
    "MERGE",
    "SET",
    "DELETE",
    "DETACH",
    "REMOVE",
    "FOREACH",
    "CALL",
    "LIMIT",
    "SKIP",
    "ORDER",
]


def refusal(text: object) -> UnsupportedPatternError:
    with pytest.raises(UnsupportedPatternError) as caught:
        parse(text)  # type: ignore[arg-type]
    return caught.value


@pytest.mark.parametrize(
    "text",
    [
        "(a) WHERE a.x = 1 OR a.x = 2",
        "(a) WHERE a.x = 1 or a.x = 2",
        "(a) WHERE (a.x = 1 OR a.x = 2)",
        "(a) WHERE NOT EXISTS {(a) OR (b)}",
    ],
)
def test_or_is_refused_with_the_advice_to_declare_two_behaviors(text: str) -> None:
    error = refusal(text)

    assert "OR is not supported" in error.summary
    assert "two behaviors" in error.how_to_fix
    assert error.at is not None
    assert error.at.upper() == "OR"


@pytest.mark.parametrize("keyword", KEYWORDS)
@pytest.mark.parametrize(
    "template",
    ["(a) {} x", "{} (a)", "(a) WHERE a.x = 1 {} x", "(a) WHERE {} (a)", "(a) WHERE NOT EXISTS {{ {} (a) }}"],
)
def test_a_keyword_of_cypher_is_refused_by_name(keyword: str, template: str) -> None:
    for written in (keyword, keyword.lower()):
        error = refusal(template.format(written))

        assert f"the {keyword} keyword" in error.summary
        assert "is not supported" in error.summary
        assert error.at == written
        assert error.how_to_fix


def test_every_refused_keyword_has_advice_of_its_own_kind() -> None:
    advice = {keyword: refusal(f"(a) {keyword} x").how_to_fix for keyword in KEYWORDS}

    assert "ctx.matches" in advice["RETURN"]
    assert "patch_object" in advice["SET"]
    assert "add_object" in advice["CREATE"]
    assert "remove_object" in advice["DELETE"]
    assert len(set(advice.values())) > 10


@pytest.mark.parametrize(
    "rel", ["-[*]->", "-[:t*]->", "-[:t*1..3]->", "-[r:t*2]->", "<-[*]-", "-[r*]->", "-[:t *]->", "-[:t {x: 1}*]->"]
)
def test_variable_length_is_refused_anywhere_in_a_relationship(rel: str) -> None:
    error = refusal(f"(a){rel}(b)")

    assert "variable-length" in error.summary
    assert "is not supported" in error.summary
    assert error.at == rel[: rel.index("]") + 1]


@pytest.mark.parametrize("rel", ["-[:r]-", "-[x:r]-", "<-[:r]->"])
def test_undirected_relationships_are_refused(rel: str) -> None:
    error = refusal(f"(a){rel}(b)")

    assert "undirected" in error.summary
    assert "is not supported" in error.summary
    assert error.at == rel


@pytest.mark.parametrize("rel", ["-[]->", "-[r]->", "<-[]-", "<-[r]-", "-[:]->"])
def test_a_relationship_needs_a_type(rel: str) -> None:
    assert "type required" in refusal(f"(a){rel}(b)").summary


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("(a), (b)", ", (b)"),
        ("(a) (b)", "(b)"),
        ("(a) b", "b"),
        ("(a) WHERE a.x = 1, b", ", b"),
        ("(a) WHERE a.x = 1 IN b", "IN b"),
        ("(a) WHERE a.x = 1.", "."),
        ("(a)]", "]"),
    ],
)
def test_nothing_may_trail_the_pattern(text: str, at: str) -> None:
    error = refusal(text)

    assert "trailing" in error.summary
    assert error.at == at


@pytest.mark.parametrize(
    ("text", "position"),
    [("(a) $", 4), ("$", 0), ("(é)", 1), ("(a)-[:r|s]->(b)", 7), ("(a) WHERE a.x = 1 + 2", 18), ("(a)*", 3)],
)
def test_a_character_that_starts_no_token_is_named_with_its_position(text: str, position: int) -> None:
    error = refusal(text)

    assert f"unexpected character at position {position}" in error.summary
    assert error.at == text[position]


@pytest.mark.parametrize(
    ("text", "expected", "got"),
    [
        ("(a {x: y})", "a literal", "'y' at position 7"),
        ("(a {x: })", "a literal", "'}' at position 7"),
        ("(a", "')'", "the end of the pattern"),
        ("(a:t", "')'", "the end of the pattern"),
        ("(a:t {x: 1)", "'}'", "')' at position 10"),
        ("(a)-[:r->(b)", "']'", "'->' at position 7"),
        ("(a) WHERE (a.x = 1", "')'", "the end of the pattern"),
        ("(a) WHERE a.x == 1", "a comparison operator", "'==' at position 14"),
        ("(a)--(b)", "'['", "'-' at position 4"),
        ("(a)-->(b)", "'['", "'->' at position 4"),
        ("(a)<--(b)", "'['", "'-' at position 5"),
        ("(a) WHERE EXISTS {(a)}", "NOT EXISTS", "'EXISTS' at position 10"),
        ("(a) WHERE", "a comparison", "the end of the pattern"),
        ("(a) WHERE 1 = a.x", "a comparison", "'1' at position 10"),
        ("(a) WHERE a.x", "a comparison operator", "the end of the pattern"),
        ("(a) WHERE NOT EXISTS (a)", "'{'", "'(' at position 21"),
        ("(a) WHERE NOT EXISTS {(a) WHERE a.x = 1}", "'}'", "'WHERE' at position 26"),
        ("", "a node", "the end of the pattern"),
        ("   ", "a node", "the end of the pattern"),
        ("a", "a node", "'a' at position 0"),
        ("(where)", "')'", "'where' at position 1"),
        ("(a:not)", "a type", "'not' at position 3"),
        ("(a {null: 1})", "a property's name", "'null' at position 4"),
        ("(a) WHERE a.true = 1", "a name", "'true' at position 12"),
        ("(a)-[:r]->", "'('", "the end of the pattern"),
        (None, "text", "NoneType"),
        (3, "text", "int"),
        (b"(a)", "text", "bytes"),
    ],
)
def test_a_syntax_error_says_what_was_expected_and_what_came(text: object, expected: str, got: str) -> None:
    error = refusal(text)

    assert "does not parse" in error.summary
    assert error.summary.split("expected ")[1].count(expected) == 1
    assert error.summary.endswith(f"got {got}")


@pytest.mark.parametrize(
    "text", ["(a) WHERE b.x = 1", "(a) WHERE a.x = b.x", "(a) WHERE b = 1", "(a) WHERE NOT EXISTS {(b)} AND b.x = 1"]
)
def test_where_uses_only_variables_that_the_chain_binds(text: str) -> None:
    error = refusal(text)

    assert "'b'" in error.summary
    assert error.at == "b"


@pytest.mark.parametrize("text", ["(a)-[a:r]->(b)", "(a)-[r:p]->(b)-[b:p]->(c)", "(a) WHERE NOT EXISTS {()-[a:r]->()}"])
def test_a_variable_stands_for_nodes_or_for_relationships(text: str) -> None:
    assert "stands for a node and for a relationship" in refusal(text).summary


def test_a_property_is_given_once() -> None:
    assert "'x' given twice" in refusal("(a {x: 1, x: 2})").summary


@pytest.mark.parametrize(
    ("text", "what", "at"),
    [
        ("(a {x: 'open})", "unterminated ' that opens at position 7", "'open})"),
        ('(a {x: "a\\q"})', "unknown escape \\q at position 9", "\\q"),
        ("(a {x: '\\u12'})", "unknown escape \\u at position 8", "\\u"),
        ("(a:``)", "empty type in backticks at position 3", "``"),
        ("(a:`x)", "unterminated ` that opens at position 3", "`x)"),
    ],
)
def test_malformed_text_is_named_with_its_place(text: str, what: str, at: str) -> None:
    error = refusal(text)

    assert what in error.summary
    assert error.at == at


def test_the_message_points_at_the_place() -> None:
    error = refusal("(a:task)-[:r]-(b)")

    assert "  (a:task)-[:r]-(b)\n          ^" in str(error)
    assert error.context["position"] == 8
    assert error.context["at"] == "-[:r]-"
    assert error.context["pattern"] == "(a:task)-[:r]-(b)"


def test_a_refusal_is_a_pattern_error_and_a_syntax_error() -> None:
    error = refusal("(a) OR")

    assert isinstance(error, PatternError)
    assert isinstance(error, SyntaxError)
    assert error.doc_url.endswith("/errors/unsupported-pattern-error")


def test_a_refusal_that_nobody_catches_prints_its_whole_text() -> None:
    error = refusal("(a")

    assert str(error) in "".join(traceback.format_exception_only(error))


def test_a_refusal_survives_pickle_and_copy() -> None:
    error = refusal("(a) $")

    for restored in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert str(restored) == str(error)
        assert (restored.at, restored.context) == (error.at, error.context)


def test_the_factory_of_refused_features_turns_the_workaround_into_the_fix() -> None:
    error = UnsupportedPatternError.refused_feature(feature="a map", workaround="do without", at="{}", why="because")

    assert error.summary.startswith("a map is not supported")
    assert (error.how_to_fix, error.why, error.at, error.context["at"]) == ("do without", "because", "{}", "{}")


def test_the_factory_of_syntax_errors_shows_what_or_expected_and_got() -> None:
    plain = UnsupportedPatternError.syntax_error(what="a stray comma", at=",")
    precise = UnsupportedPatternError.syntax_error(what="a stray comma", at=",", expected="a node", got="','")

    assert "does not parse" in plain.summary
    assert "a stray comma" in plain.summary
    assert "expected a node, got ','" in precise.summary
    assert "','" in str(plain)


def test_a_pattern_put_together_by_hand_is_checked_when_it_is_compiled() -> None:
    nodes = [NodePat("a")]
    unbound = Pattern(MatchClause(nodes, []), Comparison(["b", "x"], "=", None, 1))
    uneven = Pattern(MatchClause(nodes, [RelPat(None, "r", "right")]))

    with pytest.raises(UnsupportedPatternError, match="'b' is not bound"):
        unbound.compile()
    with pytest.raises(UnsupportedPatternError, match="1 nodes and 1 relationships"):
        uneven.compile()


@pytest.mark.parametrize("where", [Comparison(["a", "x"], "~", None, 1), AndExpr([]), object()])
def test_an_impossible_expression_is_reported_as_a_bug_of_the_framework(where: object) -> None:
    pattern = Pattern(MatchClause([NodePat("a")], []), where)  # type: ignore[arg-type]

    with pytest.raises(UnsupportedPatternError) as caught:
        pattern.compile()

    assert caught.value.context["internal"] is True
    assert "framework bug" in caught.value.how_to_fix
