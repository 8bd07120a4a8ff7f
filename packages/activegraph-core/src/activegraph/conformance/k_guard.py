"""Group K: a store of another layout is refused before anything is read or written, and nothing of it is touched."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from activegraph.conformance.cases import case, check, same
from activegraph.conformance.catalog import doors
from activegraph.conformance.samples import events, same_events
from activegraph.conformance.suite import StoreSuite
from activegraph.conformance.workload import append_batch, log_problem, numbered, raw_copy
from activegraph.errors import SchemaVersionMismatch
from activegraph.store.base import RunRecord
from activegraph.store.imports import import_run
from activegraph.store.runs import fork_run, get_run, list_runs, most_recent_run_id
from activegraph.store.url import parse_store_url

__all__ = ["GuardCases"]

_MADE = "2026-05-15T10:32:01Z"

_VERSIONS: dict[str, tuple[str | None, ...]] = {
    "schema_version": ("1", "99", "", "\u00b2 or so", None),
    "codec_version": ("99", "", None),
}


class GuardCases(StoreSuite):
    """Cases K1 to K4."""

    @case(
        "K1",
        "a store of another schema version is refused by everything that opens it, and not touched",
        needs=("schema version",),
    )
    def test_k1_another_schema_version_is_refused_everywhere(self) -> None:
        self._refuses_versions("schema_version")

    @case(
        "K1",
        "a store of another codec version is refused by everything that opens it, and not touched",
        needs=("schema version",),
    )
    def test_k1_another_codec_version_is_refused_everywhere(self) -> None:
        self._refuses_versions("codec_version")

    def _refuses_versions(self, key: str) -> None:
        if not self.offers("empty place"):
            self._guards_its_own_place(key)
            return
        for value in _VERSIONS[key]:
            url = self.empty_url()
            store = self.open_at(url, "run")
            append_batch(store, numbered(1, 3))
            store.close()
            self.hook("set_meta")(url, key, value)
            before = self.state_of(url)
            opens: dict[str, Callable[[], object]] = {
                "opening for writing": lambda: self.open_at(url, "run"),  # noqa: B023 - called at once
                "opening another run": lambda: self.open_at(url, "other"),  # noqa: B023 - called at once
                "opening read-only": lambda: self.open_at(url, "run", read_only=True).count(),  # noqa: B023 - called at once
                "list_runs()": lambda: list_runs(url),  # noqa: B023 - called at once
                "most_recent_run_id()": lambda: most_recent_run_id(url),  # noqa: B023 - called at once
                "get_run()": lambda: get_run(url, "run"),  # noqa: B023 - called at once
            }
            if hasattr(self.backend(), "fork_run"):
                opens["fork_run()"] = lambda: fork_run(url, run_id="run", at_event="evt_2")  # noqa: B023 - called at once
                opens["the backend's fork_run()"] = lambda: self._fork_at(url)  # noqa: B023 - called at once
            if self.offers("import"):
                opens["import_run()"] = lambda: self._import_at(url)  # noqa: B023 - called at once
            self._refuses(opens, f"{key}={value!r}")
            same(f"what is there after all was refused for {key}={value!r}", self.state_of(url), before)

    def _fork_at(self, url: str) -> object:
        backend: Any = self.backend()
        named = {"parent_run_id": "run", "new_run_id": "fork", "at_event_id": "evt_2"}
        return backend.fork_run(parse_store_url(url), **named, label=None, created_at=_MADE)

    def _import_at(self, url: str) -> object:
        record = RunRecord("import", None, None, None, _MADE, None, None)
        return import_run(parse_store_url(url), record, raw_copy(events(2)))

    @case("K1", "a handle that was opened before is not affected by a right version", needs=("schema version",))
    def test_k1_the_right_version_is_accepted(self) -> None:
        store = self.filled(2)
        if self.offers("second handle"):
            same_events(list(self.again(store).iter_events()), events(2))

    @case(
        "K2",
        "a database with somebody else's tables is refused and not touched",
        needs=("empty place", "foreign tables"),
    )
    def test_k2_somebody_elses_database_is_not_touched(self) -> None:
        url = self.empty_url()
        self.hook("make_foreign")(url)
        before = self.state_of(url)
        opens: dict[str, Callable[[], object]] = {
            "opening for writing": lambda: self.open_at(url, "run"),
            "opening read-only": lambda: self.open_at(url, "run", read_only=True).count(),
            "list_runs()": lambda: list_runs(url),
        }
        for error in self._refuses(opens, "foreign tables"):
            same("the version that was found", error.context.get("found_version"), None)
        same("what is there afterwards", self.state_of(url), before)

    @case(
        "K3",
        "opening a store that is there changes no schema and waits for no lock",
        needs=("empty place", "held lock"),
    )
    def test_k3_opening_an_existing_store_waits_for_nobody(self) -> None:
        url = self.empty_url()
        store = self.open_at(url, "run")
        append_batch(store, numbered(1, 2))
        store.close()
        with self.hook("held_lock")(url):
            again = self.open_at(url, "run")
            check(again.count() == 2, "a handle that was opened beside a lock does not count its events")
            problem = log_problem(self.open_at(url, "run", read_only=True).iter_events(), size=2, at_least=2)
            check(problem is None, f"{problem}")

    @case(
        "K4",
        "a role that may read and write, and create nothing, is enough once the tables are there",
        needs=("empty place", "server"),
    )
    def test_k4_a_role_that_may_not_create_is_enough(self) -> None:
        url = self.empty_url()
        self.open_at(url, "made").close()
        _, writer = self.resources.enter_context(self.hook("without_rights")(url))
        store: Any = self.open_at(writer, "run")
        append_batch(store, numbered(1, 4))
        store.upsert_run(created_at=store.get_run().created_at, label="written")
        again = self.open_at(writer, "run")
        append_batch(again, numbered(5, 4))
        problem = log_problem(again.iter_events(), size=4, at_least=8)
        check(problem is None, f"{problem}")
        same("runs", [record.run_id for record in list_runs(writer)], ["run"])

    def _refuses(self, opens: dict[str, Callable[[], object]], why: str) -> list[SchemaVersionMismatch]:
        refusals = []
        for name, call in opens.items():
            with pytest.raises(SchemaVersionMismatch) as refusal:
                call()
                raise AssertionError(f"{name} accepts a store with {why}")
            missing = {"found_version", "expected_version", "activegraph_version", "driver"} - set(
                refusal.value.context
            )
            check(not missing, f"the error of {name} does not tell {sorted(missing)}")
            refusals.append(refusal.value)
        return refusals

    def _guards_its_own_place(self, key: str) -> None:
        """The same for a class that gives `set_meta` and no place of its own."""
        store = self.filled(3)
        store.close()
        for value in _VERSIONS[key]:
            try:
                self.set_meta(key, value)
            except Exception:
                if value is not None:
                    raise
                continue  # a hook that cannot remove a row leaves the others tried
            opens: dict[str, Callable[[], object]] = {
                "opening for writing": lambda: self.open().count(),
            }
            if self.offers("read-only handle"):
                opens["opening read-only"] = lambda: self.reader(store.run_id).count()
            target = getattr(store, "target", self._url())
            for catalog in doors(self._url(), type(store), target):
                opens[f"list_runs() by {catalog.name}"] = catalog.list_runs
                opens[f"most_recent_run_id() by {catalog.name}"] = catalog.most_recent_run_id
            self._refuses(opens, f"{key}={value!r}")
