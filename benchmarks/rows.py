"""The rows of the table: what is compared with what, and what is to be reached."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["ROWS", "Row"]


@dataclass(frozen=True)
class Row:
    """One comparison.

    Attributes:
        ours, floor: Contestants as `module:function`; without a floor the figure itself is the result.
        reach: Greatest ratio (or figure) that is good enough; None where the row only informs.
        options, floor_options: Keyword arguments; `{postgres}` stands for the URL of an empty schema.
    """

    name: str
    ours: str
    reach: float | None
    unit: str
    options: Mapping[str, str]
    floor: str | None = None
    floor_options: Mapping[str, str] = field(default_factory=dict)

    @property
    def needs_postgres(self) -> bool:
        """Whether a server has to be started for it."""
        return "{postgres}" in (*self.options.values(), *self.floor_options.values())


PG = {"url": "{postgres}"}
RUN_100K = {"events": "100000"}


def _append(name: str, store: str, batch: int, batches: int, reach: float, **options: str) -> Row:
    both = {"batch": str(batch), "batches": str(batches), **options}
    return Row(name, f"appends:{store}_ours", reach, "us", both, f"appends:{store}_bare", both)


def _whole(name: str, kind: str, reach: float | None, store: Mapping[str, str]) -> Row:
    both = {**RUN_100K, **store}
    return Row(name, f"whole_runs:{kind}_ours", reach, "s", both, f"whole_runs:{kind}_bare", both)


def _growth(name: str, store: str, **options: str) -> Row:
    both = {"store": store, "early": "1000", "late": "100000", **options}
    return Row(name, "steps:growth", 1.2, "x", both)


def _observed(name: str, kind: str, reach: float | None, **option: str) -> Row:
    """A step that is looked at, over one that is not."""
    off = {"metrics": "none", "level": "off", "threads": "0"}
    steps = {"steps": "30000" if kind == "watched" else "10000"}
    floor = {**steps, **{name: off[name] for name in option}}
    return Row(name, f"observing:{kind}", reach, "us", {**steps, **option}, f"observing:{kind}", floor)


ROWS: tuple[Row, ...] = (
    _append("append of 1 event, SQLite normal", "sqlite", 1, 3000, 1.1, synchronous="normal"),
    _append("append of 1 event, SQLite full", "sqlite", 1, 300, 1.1, synchronous="full"),
    _append("append of 100 events, SQLite normal", "sqlite", 100, 150, 1.0, synchronous="normal"),
    _append("append of 100 events, SQLite full", "sqlite", 100, 100, 1.0, synchronous="full"),
    Row(
        "price of the schema: append of 1, SQLite normal, its tables over a lean one",
        "appends:sqlite_bare",
        None,
        "us",
        {"batch": "1", "batches": "3000", "synchronous": "normal"},
        "appends:sqlite_lean",
        {"batch": "1", "batches": "3000", "synchronous": "normal"},
    ),
    _append("append of 1 event, Postgres (fsync on)", "postgres", 1, 800, 1.2, **PG),
    _append("append of 100 events, Postgres (fsync on)", "postgres", 100, 60, 1.25, **PG),
    Row("a step, memory", "steps:step", 25.0, "us", {"store": "memory", "steps": "10000"}),
    Row(
        "a step, SQLite normal",
        "steps:step",
        1.4,
        "us",
        {"store": "sqlite", "steps": "10000"},
        "steps:sqlite_rows",
        {"steps": "10000"},
    ),
    Row(
        "a step, Postgres (fsync on)",
        "steps:step",
        1.25,
        "us",
        {"store": "postgres", "steps": "600", **PG},
        "steps:postgres_rows",
        {"steps": "600", **PG},
    ),
    _growth("growth of a step by 100,000 events, memory", "memory"),
    _growth("growth of a step by 100,000 events, SQLite", "sqlite"),
    _growth("growth of a step, memory, patterns, views, relations and delays subscribed", "memory", all_in="yes"),
    _growth("growth of a step by 100,000 events, Postgres", "postgres", **PG),
    Row("a paid call above two bare synced commits, SQLite", "calls:overhead", 300.0, "us", {"turns": "500"}),
    Row("growth of a paid call in a conversation of 1,000 turns, memory", "calls:growth", 1.2, "x", {"turns": "1000"}),
    _whole("load of 100,000 events, SQLite", "load", 0.35, {}),
    _whole("load of 100,000 events, Postgres", "load", 0.35, PG),
    Row("peak memory of that load, SQLite", "whole_runs:load_memory", 150.0, "MB", RUN_100K),
    Row("peak memory of that load, Postgres", "whole_runs:load_memory", 150.0, "MB", {**RUN_100K, **PG}),
    _whole("load of 100,000 events that behaviors made, SQLite", "load", None, {"by": "behaviors"}),
    _whole("fork of 100,000 events, SQLite full", "fork", 1.2, {}),
    _whole("fork of 100,000 events, Postgres", "fork", 1.2, PG),
    _whole("diff of two runs of 100,000 events, SQLite", "diff", 1.5, {}),
    _whole("diff of two runs of 100,000 events, Postgres", "diff", 1.5, PG),
    Row("status(20) at 100,000 events", "whole_runs:status_microseconds", 100.0, "us", RUN_100K),
    Row(
        "1,000 idle behaviors on other types, memory",
        "steps:step",
        1.1,
        "us",
        {"store": "memory", "steps": "10000", "idle": "1000"},
        "steps:step",
        {"store": "memory", "steps": "10000"},
    ),
    Row("one relation added under a two-hop pattern, 100,000 objects over 100", "patterns:flatness", 1.3, "x", {}),
    Row(
        "listing 1,000 runs of 1,000 events, SQLite",
        "whole_runs:list_milliseconds",
        5.0,
        "ms",
        {"runs": "1000", "each": "1000"},
    ),
    Row("most recent of them, SQLite", "whole_runs:recent_milliseconds", 1.0, "ms", {"runs": "1000", "each": "1000"}),
    Row(
        "listing 1,000 runs of 1,000 events, Postgres",
        "whole_runs:list_milliseconds",
        15.0,
        "ms",
        {"runs": "1000", "each": "1000", **PG},
    ),
    Row(
        "most recent of them, Postgres",
        "whole_runs:recent_milliseconds",
        10.0,
        "ms",
        {"runs": "1000", "each": "1000", **PG},
    ),
    Row(
        "activegraph inspect of a run of 100,000 events over one of 100, SQLite",
        "starting:command",
        1.5,
        "ms",
        {"arguments": "inspect {url}", **RUN_100K},
        "starting:command",
        {"arguments": "inspect {url}", "events": "100"},
    ),
    Row(
        "migrate of 100,000 events, SQLite to Postgres",
        "whole_runs:migrate_ours",
        1.3,
        "s",
        {**RUN_100K, **PG},
        "whole_runs:migrate_bare",
        {**RUN_100K, **PG},
    ),
    Row(
        "8 writers on 8 runs, one pool of 8",
        "appends:postgres_writers_ours",
        1.2,
        "s",
        {"each": "300", **PG},
        "appends:postgres_writers_bare",
        {"each": "300", **PG},
    ),
    Row(
        "storage with all indexes, SQLite",
        "whole_runs:storage_ours",
        1.3,
        "MB",
        RUN_100K,
        "whole_runs:storage_bare",
        RUN_100K,
    ),
    Row(
        "storage with all indexes, Postgres",
        "whole_runs:storage_ours",
        2.3,
        "MB",
        {**RUN_100K, **PG},
        "whole_runs:storage_bare",
        {**RUN_100K, **PG},
    ),
    _observed("metrics on: a backend that does nothing, a step, memory", "measured", 1.15, metrics="nothing"),
    _observed(
        "metrics on: Prometheus (the client's own share), a step, memory", "measured", None, metrics="prometheus"
    ),
    _observed("logs at WARNING, a step, memory", "logged", 1.05, level="WARNING"),
    Row("metrics and logs off, a step, memory", "observing:off", 1.01, "x", {"steps": "10000"}),
    Row(
        "an INFO line as JSON, over the standard library's own",
        "observing:line_ours",
        1.2,
        "us",
        {"steps": "5000"},
        "observing:line_bare",
        {"steps": "5000"},
    ),
    _observed("status() from 8 threads, 20 calls a second each, a step, memory", "watched", 1.05, threads="8"),
    Row("python -c pass", "starting:python", None, "ms", {"code": "pass"}),
    Row("import activegraph", "starting:python", 30.0, "ms", {"code": "import"}),
    Row("the same with Graph, Runtime and behavior used", "starting:python", 90.0, "ms", {"code": "used"}),
    Row("activegraph --help", "starting:command", 150.0, "ms", {"arguments": "--help"}),
    Row("activegraph inspect of a small run, SQLite", "starting:command", 200.0, "ms", {"arguments": "inspect {url}"}),
    Row(
        "activegraph inspect of a small run, Postgres",
        "starting:command",
        300.0,
        "ms",
        {"arguments": "inspect {url}", **PG},
    ),
    Row("slowest command that looks at a small run, SQLite", "starting:slowest", 200.0, "ms", {}),
    Row("slowest command that looks at a small run, Postgres", "starting:slowest", 300.0, "ms", PG),
)
