"""Store URLs: what they mean, how they are refused, and that no password shows."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from activegraph.errors import InvalidStoreURL
from activegraph.store import StoreURL, parse_store_url, parse_url, safe_url, sqlite_url
from hypothesis import given
from hypothesis import strategies as st
from support.values import examples


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:///relative/path.db", "relative/path.db"),
        ("sqlite:///./x.db", "./x.db"),
        ("sqlite:////abs/x.db", "/abs/x.db"),
        ("sqlite:///C:/x.db", "C:/x.db"),
        ("SQLITE:///x.db", "x.db"),
        ("sqlite:///a%20b.db", "a b.db"),
        ("sqlite:///100%25.db", "100%.db"),
        ("sqlite:///x.db?", "x.db"),
    ],
)
def test_a_sqlite_url_names_a_path(url: str, path: str) -> None:
    found = parse_store_url(url)
    assert (found.scheme, found.sqlite_path, found.raw, found.options) == ("sqlite", path, url, ())


def test_options_are_kept_in_order() -> None:
    found = parse_store_url("sqlite:///x.db?synchronous=full&busy_timeout=5")
    assert found.options == (("synchronous", "full"), ("busy_timeout", "5"))


def test_both_names_of_the_parser_are_one() -> None:
    assert parse_url is parse_store_url


@pytest.mark.parametrize(
    ("url", "summary", "fix"),
    [
        ("", "store URL is empty", "sqlite:///run.db"),
        (None, "store URL is empty", "postgres://host/dbname"),
        (5, "store URL is empty", "sqlite:///run.db"),
        ("run.db", "has no scheme", "sqlite:///run.db"),
        ("run.db", "has no scheme", "postgres://host/dbname"),
        ("/tmp/run.db", "has no scheme", "sqlite:////tmp/run.db"),
        ("./x", "has no scheme", "sqlite:///./x"),
        ("C:\\x.db", "has no scheme", "sqlite:///C:/x.db"),
        ("mysql://h/d", "unsupported store URL scheme 'mysql'", "sqlite"),
        ("postgresql+psycopg://u:pw@h/d", "unsupported store URL scheme", "postgresql://u:***@h/d"),
        ("sqlite://", "has no path", "four slashes"),
        ("sqlite:///", "has no path", "three slashes"),
        ("sqlite:run.db", "has no path", "sqlite:///run.db"),
        ("sqlite:/run.db", "has no path", "sqlite:////run.db"),
        ("sqlite://host/x.db", "has a host part", "sqlite:////host/x.db"),
        ("sqlite:///:memory:", "in-memory", "InMemoryEventStore"),
        ("sqlite:///x.db#part", "has a fragment", "sqlite:///x.db%23part"),
        ("sqlite:///x.db?mode=ro", "unknown option 'mode'", "synchronous=full"),
        ("sqlite:///x.db?synchronous=off", "synchronous='off'", "synchronous=full"),
        ("sqlite:///x.db?busy_timeout=soon", "busy_timeout='soon'", "busy_timeout=5"),
        ("sqlite:///x.db?busy_timeout=-1", "busy_timeout='-1'", "busy_timeout=5"),
        ("sqlite:///x.db?busy_timeout=inf", "busy_timeout='inf'", "busy_timeout=5"),
        ("sqlite:///x.db?busy_timeout=nan", "busy_timeout='nan'", "busy_timeout=5"),
        ("sqlite:///a%00b.db", "has a NUL in its path", "sqlite:///"),
        (" sqlite:///x.db", "white space", "sqlite:///x.db"),
        ("sqlite:///x.db\n", "white space", "sqlite:///x.db"),
        ("sqlite:///a\tb.db", "control characters", "sqlite:///ab.db"),
        ("sqlite:///a\x85b.db", "control characters", "sqlite:///ab.db"),
        ("sqlite:///a\udcffb.db", "lone surrogates", "sqlite:///ab.db"),
    ],
)
def test_what_is_no_store_url_is_refused_with_the_right_form(url: object, summary: str, fix: str) -> None:
    with pytest.raises(InvalidStoreURL) as refusal:
        parse_store_url(url)

    assert summary in refusal.value.summary
    assert fix in refusal.value.how_to_fix
    assert isinstance(refusal.value, ValueError)
    assert ("url" in refusal.value.context) is isinstance(url, str)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgres://user:pw@host:5432/db", "postgres://user:***@host:5432/db"),
        ("postgresql://user:pw@h1:1,h2:2/db", "postgresql://user:***@h1:1,h2:2/db"),
        ("postgres://user:p@w@host/db", "postgres://user:***@host/db"),
        ("postgres://user:p/w@host/db", "postgres://user:***@host/db"),
        ("postgres://user:p#w@host/db", "postgres://user:***@host/db"),
        ("postgres://user:p?w@host/db", "postgres://user:***@host/db"),
        ("postgres://user@host:5432/db", "postgres://user@host:5432/db"),
        ("postgres:///db?host=/run/pg&password=pw", "postgres:///db?host=/run/pg&password=***"),
        ("postgres://h/d?sslpassword=a&PassFile=b&x=1", "postgres://h/d?sslpassword=***&PassFile=***&x=1"),
        ("acme+tls://:pw@host", "acme+tls://:***@host"),
        ("sqlite:///a:b@c.db", "sqlite:///a:b@c.db"),
        ("run.db", "run.db"),
        ("user:pw@host", "user:pw@host"),
        ("", ""),
    ],
)
def test_passwords_are_masked_and_other_text_stays(url: str, shown: str) -> None:
    assert safe_url(url) == shown


def test_a_parsed_url_shows_no_password() -> None:
    found = StoreURL("postgres", "postgres://user:secret@host/db")
    assert "secret" not in f"{found!r} {found} {found.safe}"
    assert found.raw == "postgres://user:secret@host/db"


@pytest.mark.parametrize("url", ["postgresql+x://u:secret@h/d", "mysql://u:se#cret@h/d", " postgres://u:secret@h/d"])
def test_a_refused_url_shows_no_password(url: str) -> None:
    with pytest.raises(InvalidStoreURL) as refusal:
        parse_store_url(url)
    assert "cret" not in f"{refusal.value}{refusal.value.context}"


NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1).filter(
    lambda text: text != ":memory:"
)


@given(name=NAMES)
@examples(200)
def test_the_url_of_a_path_parses_back_to_it(name: str) -> None:
    assert parse_store_url(sqlite_url(name)).sqlite_path == name
    assert parse_store_url(sqlite_url(f"/{name}")).sqlite_path == f"/{name}"


@given(name=st.binary(min_size=1).filter(lambda data: b"\x00" not in data and data != b":memory:"))
@examples(100)
def test_names_that_are_no_text_parse_back_too(name: bytes) -> None:
    path = os.fsdecode(name)
    assert parse_store_url(sqlite_url(path)).sqlite_path == path


def test_a_path_object_is_a_path(tmp_path: Path) -> None:
    assert parse_store_url(sqlite_url(tmp_path / "a.db")).sqlite_path == str(tmp_path / "a.db")
