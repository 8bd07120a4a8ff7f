"""PostgreSQL URLs: what is taken, what is refused, and that no password shows."""

from __future__ import annotations

import pytest
from activegraph.errors import InvalidArgumentType, InvalidStoreURL, StoreUnavailableError
from activegraph.store import parse_store_url, safe_url
from activegraph.store.postgres import PostgresEventStore
from activegraph.store.postgres.address import mask, secrets_of, split_options


@pytest.mark.parametrize(
    "url",
    [
        "postgres://user:pw@host:5432/db",
        "postgresql://user@host/db",
        "postgres://host",
        "postgres:///db",
        "postgres:///db?host=/run/pg",
        "postgres://?host=/run/pg&dbname=x",
        "postgres://one:5432,two:5433/db?target_session_attrs=read-write",
        "postgres://[::1]:5432/db",
        "postgres://[::1]/db?sslmode=require",
        "POSTGRES://host/db",
        "postgres:///?service=prod",
    ],
)
def test_every_form_that_libpq_takes_is_accepted_unchanged(url: str) -> None:
    parsed = parse_store_url(url)

    assert parsed.scheme == "postgres"
    assert parsed.raw == url
    assert parsed.sqlite_path is None


@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("postgres://", "has no host or database"),
        ("postgres:///", "has no host or database"),
        ("postgres:host/db", "has no host or database"),
        ("postgres://[::1/db", "IPv6 bracket"),
        ("postgres://::1]/db", "IPv6 bracket"),
        ("postgres://host:port/db", "port"),
        ("postgres://host:99999/db", "port"),
        ("postgres://host/db#part", "fragment"),
        ("postgres://host/db\n", "white space"),
        ("postgres://host/d%zz", "percent"),
        ("postgres://host/db?synchronous=sometimes", "synchronous='sometimes'"),
        ("postgres://host/db?prepare=maybe", "prepare='maybe'"),
    ],
)
def test_a_wrong_url_is_refused_by_name_with_the_right_form(url: str, what: str) -> None:
    with pytest.raises(InvalidStoreURL) as refusal:
        parse_store_url(url)

    assert what in refusal.value.summary
    assert "postgres://" in refusal.value.how_to_fix
    assert isinstance(refusal.value, ValueError)


def test_a_driver_in_the_scheme_is_refused_with_the_url_without_it() -> None:
    with pytest.raises(InvalidStoreURL, match="unsupported store URL scheme") as refusal:
        parse_store_url("postgresql+psycopg://u:secret@host/db")

    assert "postgresql://u:***@host/db" in refusal.value.how_to_fix
    assert "secret" not in str(refusal.value)


def test_our_options_are_kept_from_libpq_and_the_rest_is_left_as_it_stands() -> None:
    url = "POSTGRES://u:p%40w@host/db?sslmode=require&synchronous=full&options=-csearch_path%3Dx&prepare=off"

    assert parse_store_url(url).options == (("synchronous", "full"), ("prepare", "off"))
    address = split_options(url)
    assert address.conninfo == "postgres://u:p%40w@host/db?sslmode=require&options=-csearch_path%3Dx"
    assert (address.synchronous, address.prepare) == ("full", False)


@pytest.mark.parametrize(
    "url",
    [
        "postgres://user:s3cr3t@host/db",
        "postgres://user:s3cr3t@host:99999/db",
        "postgres://host/db?password=s3cr3t&user=x",
        "postgres://host/db?sslpassword=s3cr3t",
        "postgres://host/db?passfile=s3cr3t",
        "postgres://user:s3cr3t@[::1/db",
        "postgres://user:s3cr3t/more@host/db",
        "postgres://user:s3cr3t@:bad/db",
    ],
)
def test_no_refusal_and_no_repr_shows_a_password(url: str) -> None:
    try:
        shown = repr(parse_store_url(url)) + str(parse_store_url(url))
    except InvalidStoreURL as refusal:
        shown = f"{refusal} {refusal.context}"

    assert "s3cr3t" not in shown


def test_secrets_are_masked_in_what_the_driver_says_however_they_are_written() -> None:
    secrets = secrets_of("postgres://u:p%40ss%20word@h/db", {"password": "other-one"}, "host=h password='quo ted'")
    text = "p@ss word and p%40ss%20word and other-one and quo ted"

    assert mask(text, secrets) == "*** and *** and *** and ***"


def test_a_short_password_is_masked_as_a_word_and_does_not_eat_the_message() -> None:
    assert mask("a database for a: a", ("a",)) == "*** database for ***: ***"


def test_text_that_libpq_cannot_read_is_refused_without_its_password() -> None:
    with pytest.raises(InvalidStoreURL, match="not accepted by libpq") as refusal:
        PostgresEventStore("postgres://u:s3cr3t@host/db?no_such_parameter=1", "run_a")

    assert "\n" not in refusal.value.summary
    assert "s3cr3t" not in f"{refusal.value}{refusal.value.__cause__}"


def test_a_server_that_is_not_there_is_named_with_what_to_do_and_no_password() -> None:
    with pytest.raises(StoreUnavailableError) as refusal:
        PostgresEventStore("postgres://u:s3cr3t@/db?host=/nowhere/at/all", "run_a")

    assert refusal.value.context["reason"] == "connect"
    assert "pg_isready" in refusal.value.how_to_fix
    assert "role, password and database are right" in refusal.value.how_to_fix
    assert refusal.value.what_failed.startswith("Connecting to postgres://u:***@/db")
    assert str(refusal.value).count("No such file or directory") == 1
    assert refusal.value.__cause__ is not None
    assert "s3cr3t" not in f"{refusal.value}{refusal.value.__cause__}{refusal.value.context}"


@pytest.mark.parametrize("target", [None, 7, object(), b"postgres://h/db", PostgresEventStore])
def test_a_target_of_another_type_is_refused_by_its_type(target: object) -> None:
    with pytest.raises(InvalidArgumentType) as refusal:
        PostgresEventStore(target, "run_a")

    assert type(target).__name__ in refusal.value.summary
    assert set(refusal.value.context) == {"type", "repr"}
    assert len(refusal.value.context["repr"]) <= 80


def test_the_url_of_another_store_is_refused() -> None:
    with pytest.raises(InvalidStoreURL, match="no PostgreSQL database"):
        PostgresEventStore("sqlite:///run.db", "run_a")


def test_safe_urls_parse_to_the_same_place() -> None:
    assert safe_url("postgres://u:pw@h/db") == "postgres://u:***@h/db"
