"""Small words of prose: counts, times, durations, names, as the memo writes them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from activegraph.packs.incident_review.folding import clipped, printable
from activegraph.packs.incident_review.log_lines import parse_time

__all__ = [
    "between",
    "clock",
    "counted",
    "duration",
    "first_of",
    "listed",
    "most_frequent",
    "seconds_between",
    "size",
    "sql",
]


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """`1 line`, `1,204 lines`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def clock(at: str) -> str:
    """The time of day of a log time, to the second."""
    return at[11:19] or at


def between(first_at: str, last_at: str) -> str:
    """`at 10:00:01`, or `between 10:00:01 and 10:04:00`; with dates where the days differ."""
    if first_at[:10] != last_at[:10]:
        return f"between {first_at[:19]} and {last_at[:19]}"
    if clock(first_at) == clock(last_at):
        return f"at {clock(first_at)}"
    return f"between {clock(first_at)} and {clock(last_at)}"


def seconds_between(first_at: str, last_at: str) -> float | None:
    """Seconds from one log time to another; None if one of them is none."""
    begin, end = parse_time(first_at), parse_time(last_at)
    return None if begin is None or end is None else end - begin


def duration(seconds: float) -> str:
    """`0.2 s`, `42 s`, `3 min 5 s`, `2 h 4 min`, `3 d 2 h`."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for unit, length, smaller, smaller_length in _UNITS:
        if whole >= length:
            count, rest = divmod(whole, length)
            return f"{count} {unit}" + (f" {rest // smaller_length} {smaller}" if rest >= smaller_length else "")
    return f"{whole} s"


_UNITS = (("d", 86_400, "h", 3600), ("h", 3600, "min", 60), ("min", 60, "s", 1))


def size(count: int) -> str:
    """Bytes as `812 kB` or `25 MB`."""
    for unit, length in (("GB", 1 << 30), ("MB", 1 << 20)):
        if count >= length:
            return f"{count / length:.0f} {unit}" if count >= 10 * length else f"{count / length:.1f} {unit}"
    return f"{count / 1024:.0f} kB"


def sql(statement: str, length: int = 100) -> str:
    """A statement as one line in backquotes, cut where it is long."""
    return f"`{clipped(printable(statement), length)}`"


def listed(parts: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}" if parts else ""


def most_frequent(counts: Iterable[Mapping[str, int]]) -> list[str]:
    """The names of several totals, the most frequent first, by name where they are equal."""
    together: dict[str, int] = {}
    for each in counts:
        for name, count in each.items():
            together[name] = together.get(name, 0) + count
    return sorted(together, key=lambda name: (-together[name], name))


def first_of(names: Sequence[str], count: int = 3) -> str:
    """The first few of `names`, with the number of the others."""
    if len(names) <= count:
        return listed(names)
    return f"{', '.join(names[:count])} and {len(names) - count} more"
