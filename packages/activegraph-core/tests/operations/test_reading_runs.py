"""Promises of replay, diff and export of stored runs, called as a library."""

from __future__ import annotations

import io
import tracemalloc
from pathlib import Path

import pytest
from activegraph import CorruptedEventPayloadError, InvalidRuntimeConfiguration, LogInconsistencyError, Runtime
from activegraph.operations import export as exporting
from activegraph.operations import replay as replaying
from activegraph.operations.diff import diff_runs
from activegraph.operations.export import export_run, export_run_to
from activegraph.operations.fork import fork_readable_run
from activegraph.operations.replay import replay_run
from activegraph.store import fork_run, sqlite_url
from support.stored_runs import alter, append, event, record_prices


def test_a_replay_counts_what_a_loaded_graph_holds(tmp_path: Path) -> None:
    url = record_prices(tmp_path / "run.db")

    summary = replay_run(url)

    with Runtime.load(url, behaviors=[]) as loaded:
        assert summary.objects == len(loaded.graph.all_objects())
        assert summary.relations == len(loaded.graph.all_relations())
    assert (summary.run_id, summary.events) == ("run_a", 14)


def test_a_replay_stops_at_the_event_that_cannot_be_applied(tmp_path: Path) -> None:
    url = record_prices(tmp_path / "run.db")
    alter(tmp_path / "run.db", "UPDATE events SET payload = '{}' WHERE id = 'evt_005'")

    with pytest.raises(LogInconsistencyError) as refusal:
        replay_run(url)

    assert refusal.value.context["event_id"] == "evt_005"
    assert refusal.value.context["reason"] == "projection"


def test_a_diff_of_stored_runs_is_that_of_loaded_ones(tmp_path: Path) -> None:
    url = record_prices(tmp_path / "run.db")
    fork = fork_run(url, run_id="run_a", at_event="evt_009").new_run_id
    append(url, fork, event("evt_010", "object.removed", {"id": "task#1"}))

    stored = diff_runs(url, "run_a", fork)

    with Runtime.load(url, "run_a", behaviors=[]) as left, Runtime.load(url, fork, behaviors=[]) as right:
        assert stored == left.diff(right)
    assert not stored.is_identical


def test_progress_is_told_of_what_was_done_and_of_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (replaying, exporting):
        monkeypatch.setattr(module, "_PROGRESS_EVERY", 7)
    url = record_prices(tmp_path / "run.db")
    told: list[tuple[int, int]] = []

    replay_run(url, on_progress=lambda done, total: told.append((done, total)))
    diff_runs(url, "run_a", "run_a", on_progress=lambda done, total: told.append((done, total)))
    export_run(url, None, io.BytesIO(), on_progress=lambda done, total: told.append((done, total)))

    assert told[:2] == [(7, 14), (14, 14)]
    assert told[2:6] == [(7, 28), (14, 28), (21, 28), (28, 28)]
    assert told[6:] == [(7, 14), (14, 14)]


def test_a_fork_tells_of_its_replay_and_then_of_its_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replaying, "_PROGRESS_EVERY", 5)
    monkeypatch.setattr("activegraph.store.forking._TOLD_EVERY", 4)
    url = record_prices(tmp_path / "run.db")
    told: list[tuple[int, int]] = []

    made = fork_readable_run(
        url,
        run_id="run_a",
        at_event="evt_009",
        to_url=f"sqlite:///{tmp_path}/other.db",
        on_progress=lambda done, total: told.append((done, total)),
    )

    assert made.events_copied == 9
    assert told == [(5, 14), (4, 14), (8, 14)]


def test_an_export_says_how_many_events_it_wrote(tmp_path: Path) -> None:
    url = record_prices(tmp_path / "run.db")

    assert export_run(url, "run_a", io.BytesIO(), format="jsonl") == 14
    assert export_run_to(tmp_path / "trace.txt", url, "run_a") == 14


def test_an_unknown_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidRuntimeConfiguration, match="neither text nor jsonl"):
        export_run(record_prices(tmp_path / "run.db"), None, io.BytesIO(), format="yaml")  # type: ignore[arg-type]


def test_an_export_delivers_what_stands_before_the_damage(tmp_path: Path) -> None:
    url = record_prices(tmp_path / "run.db")
    alter(tmp_path / "run.db", "UPDATE events SET payload = 'x' WHERE id = 'evt_003'")
    file = io.BytesIO()

    with pytest.raises(CorruptedEventPayloadError):
        export_run(url, None, file, format="jsonl")

    assert file.getvalue().count(b"\n") == 2


class _Nowhere(io.RawIOBase):
    def write(self, data: object) -> int:
        return 0


def _peak_of_export(url: str) -> int:
    tracemalloc.start()
    try:
        export_run(url, "run_a", _Nowhere(), format="jsonl")  # type: ignore[arg-type]
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_the_memory_of_an_export_does_not_grow_with_the_run(tmp_path: Path) -> None:
    short, long = sqlite_url(tmp_path / "short.db"), sqlite_url(tmp_path / "long.db")
    append(short, "run_a", *(event(f"evt_{n}", payload={"text": "x" * 100}) for n in range(4_000)))
    append(long, "run_a", *(event(f"evt_{n}", payload={"text": "x" * 100}) for n in range(16_000)))
    _peak_of_export(short)

    assert _peak_of_export(long) < 1.5 * _peak_of_export(short)
