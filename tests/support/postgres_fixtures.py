"""Fixtures that give a test a PostgreSQL of its own; a plugin of the whole test tree.

One server runs per test session and starts at its first use; every test gets a schema of its
own in it. `ACTIVEGRAPH_TEST_POSTGRES_URL` names another server (16 or newer) to use instead.
Tests that stop or tune a server make their own `PostgresServer`. The driver is imported when a
test asks for a server, so that a core without it can be tested too.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from urllib.parse import quote

import psycopg
import pytest
from support.postgres_server import PostgresServer

SERVER_VARIABLE = "ACTIVEGRAPH_TEST_POSTGRES_URL"


@pytest.fixture(scope="session")
def postgres_server_url() -> Iterator[str]:
    """URL of the session's server, as a user who may create schemas."""
    if given := os.environ.get(SERVER_VARIABLE):
        yield given
        return

    with PostgresServer() as server:
        yield server.url


@pytest.fixture
def new_postgres_url(postgres_server_url: str) -> Iterator[Callable[[], str]]:
    """A function that makes another empty schema and gives its URL, as often as it is called."""

    made: list[str] = []

    def make() -> str:
        name = f"t_{uuid.uuid4().hex[:16]}"
        with psycopg.connect(postgres_server_url, autocommit=True) as connection:
            connection.execute(f"CREATE SCHEMA {name}")
        made.append(name)
        return with_search_path(postgres_server_url, name)

    yield make
    with psycopg.connect(postgres_server_url, autocommit=True) as connection:
        for name in made:
            connection.execute(f"DROP SCHEMA IF EXISTS {name} CASCADE")


@pytest.fixture
def postgres_url(new_postgres_url: Callable[[], str]) -> str:
    """URL of an empty schema that only this test uses."""
    return new_postgres_url()


def with_search_path(url: str, schema: str) -> str:
    """`url` with `schema` as the current schema of its connections."""
    joint = "&" if "?" in url else "?"
    return f"{url}{joint}options={quote(f'-csearch_path={schema}', safe='')}"
