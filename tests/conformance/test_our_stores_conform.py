"""The suites on the stores of this repository, one by one and in pairs, with every capability required."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from activegraph.conformance.cases import SETTINGS, cases_of
from activegraph.conformance.pairs import PairConformance
from activegraph.conformance.targets import MEMORY, StoreTarget, StoreUnderTest

SQLITE = StoreTarget("sqlite:///{tmp}/c.db")


@pytest.fixture(autouse=True)
def _all_required(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SETTINGS, "require_all", True)


class TestSQLiteStore(StoreUnderTest):
    __test__ = True

    @pytest.fixture(autouse=True)
    def _place(self, tmp_path: Path) -> Iterator[None]:
        self.enter(SQLITE, tmp_path)
        yield
        self.leave()


for _name, _case in cases_of(StoreUnderTest):
    if not SQLITE.applies(_case):
        # A case on servers: there is nothing to collect, and nothing is skipped.
        setattr(TestSQLiteStore, _name, None)


class TestPostgresStore(StoreUnderTest):
    __test__ = True

    @pytest.fixture(autouse=True)
    def _place(self, postgres_url: str, tmp_path: Path) -> Iterator[None]:
        self.enter(StoreTarget(postgres_url), tmp_path)
        yield
        self.leave()


class _Pair(PairConformance):
    """One store into another."""

    def enter(self, source: str, destination: str, folder: Path) -> None:
        self.source, self.destination = suites = StoreUnderTest(), StoreUnderTest()
        for name, suite, url in zip(("source", "destination"), suites, (source, destination), strict=True):
            (folder / name).mkdir()
            suite.enter(StoreTarget(url), folder / name)

    def leave(self) -> None:
        for suite in (self.source, self.destination):
            assert isinstance(suite, StoreUnderTest)
            suite.leave()


class TestSQLiteIntoPostgres(_Pair):
    __test__ = True

    @pytest.fixture(autouse=True)
    def _places(self, postgres_url: str, tmp_path: Path) -> Iterator[None]:
        self.enter(SQLITE.template, postgres_url, tmp_path)
        yield
        self.leave()


class TestPostgresIntoSQLite(_Pair):
    __test__ = True

    @pytest.fixture(autouse=True)
    def _places(self, postgres_url: str, tmp_path: Path) -> Iterator[None]:
        self.enter(postgres_url, SQLITE.template, tmp_path)
        yield
        self.leave()


class TestPostgresIntoPostgres(_Pair):
    __test__ = True

    @pytest.fixture(autouse=True)
    def _places(self, new_postgres_url: Callable[[], str], tmp_path: Path) -> Iterator[None]:
        self.enter(new_postgres_url(), new_postgres_url(), tmp_path)
        yield
        self.leave()


class TestSQLiteIntoSQLite(_Pair):
    __test__ = True

    @pytest.fixture(autouse=True)
    def _places(self, tmp_path: Path) -> Iterator[None]:
        self.enter(SQLITE.template, SQLITE.template, tmp_path)
        yield
        self.leave()


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_the_same_appends_leave_the_same_bytes_in_memory_too(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    pair = _Pair()
    url = SQLITE.template if kind == "sqlite" else request.getfixturevalue("postgres_url")
    pair.enter(MEMORY, url, tmp_path)
    pair.test_b2_the_same_appends_leave_the_same_bytes()
    pair.leave()
