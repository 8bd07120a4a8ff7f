"""Reads a PostgreSQL jsonlog as a stream of incidents, each a few signals, in bounded memory.

A quiet time between two signals ends an incident. Lines that are no JSON lines of a server log are
counted and never fatal; a file without one readable line is refused, for it is something else.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from activegraph.errors import PackError
from activegraph.packs.incident_review.folding import LINES_KEPT, Folder
from activegraph.packs.incident_review.log_lines import AFTER_A_CRASH, LogLine, apart, decode_line, kind_of
from activegraph.packs.incident_review.signals import Signal, signal_of_fold, signal_of_unreadable_lines

__all__ = ["READER", "LoggedIncident", "PostgresLog", "Progress", "Signal", "read_signals"]

READER = 2
"""Version of the rules by which lines become signals. A run is gone on with only under the same one."""

Progress = Callable[[int, int], None]
"""Told now and then how many bytes of how many have been read."""

_LINE = 4 << 20
"""Bytes of the longest line that is read; a longer one counts as unreadable."""

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class LoggedIncident:
    """The signals of one incident, by first line; at most a few hundred.

    Attributes:
        number: From 1, in the order of the file.
        unreadable: Lines in and after it (before it, for the first) that are no lines of a jsonlog.
    """

    number: int
    signals: tuple[Signal, ...]
    unreadable: int

    @property
    def first_at(self) -> str:
        """Time of its first signal, as written in the log."""
        return self.signals[0].first_at


def read_signals(path: str | os.PathLike[str], *, quiet_minutes: float = 10) -> Iterator[Signal]:
    """The signals of a log, incident by incident, as they become complete.

    Args:
        quiet_minutes: Signals that are further apart belong to different incidents.

    Raises:
        OSError: There is no such file, it is a directory, or it may not be read.
        PackError: No line of it is a line of a jsonlog.
    """
    with PostgresLog(path, quiet_minutes=quiet_minutes) as log:
        for incident in log.incidents():
            yield from incident.signals


class PostgresLog:
    """One log file, as long as it was when it was opened: a server may go on writing to it.

    Attributes:
        name: The file's name, without its folder.
        size: Its length in bytes.
        lines, readable, unreadable: Lines seen so far by `incidents`.
        signals: Lines among them that were signals.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, quiet_minutes: float = 10, on_progress: Progress | None = None
    ) -> None:
        self.path = Path(path)
        self.name = self.path.name
        self._quiet_seconds = quiet_minutes * 60
        self._on_progress = on_progress
        self.lines = self.readable = self.unreadable = self.signals = 0
        # Opening a pipe would wait for a writer, so what it is gets looked at first.
        kind = os.stat(self.path).st_mode
        if stat.S_ISDIR(kind):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(self.path))
        if not stat.S_ISREG(kind):
            raise _not_a_log(self.path, "it is no regular file")
        self._file: BinaryIO = open(self.path, "rb")  # noqa: SIM115 - closed by `close`
        self.size = os.fstat(self._file.fileno()).st_size

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def sha256(self) -> str:
        """Digest of the content, in hex."""
        digest = hashlib.sha256()
        self._file.seek(0)
        left = self.size
        while left > 0 and (chunk := self._file.read(min(left, _CHUNK))):
            digest.update(chunk)
            left -= len(chunk)
        return digest.hexdigest()

    def incidents(self) -> Iterator[LoggedIncident]:
        """The incidents in order, each as soon as a later one begins or the file ends.

        Raises:
            PackError: At the end, if no line of the file could be read.
        """
        self.lines = self.readable = self.unreadable = self.signals = 0
        gathered: _Gathered | None = None
        number, last, recovering = 1, "", False
        bad = _Unreadable()
        for line in self._decoded(bad):
            kind = kind_of(line)
            if kind is None or (kind == "ready" and not recovering):
                continue
            recovering = kind in AFTER_A_CRASH or (recovering and kind != "ready")
            self.signals += 1
            if gathered is not None and apart(last, line.timestamp) > self._quiet_seconds:
                yield gathered.incident(number, bad)
                number, gathered, bad.count, bad.lines = number + 1, None, 0, []
            last = line.timestamp
            gathered = gathered or _Gathered()
            gathered.folder.add(kind, self.lines, line)
        if gathered is not None:
            yield gathered.incident(number, bad)
        if self.readable == 0:
            raise _not_a_log(self.path, self._what_it_is())

    def _decoded(self, bad: _Unreadable) -> Iterator[LogLine]:
        for raw in self._raw_lines():
            line = None if raw is None else decode_line(raw)
            if line is not None:
                self.readable += 1
                yield line
            elif raw is None or not raw.isspace():
                self.unreadable += 1
                bad.add(self.lines)

    def _raw_lines(self) -> Iterator[bytes | None]:
        """Each line, None for one that is too long to be read."""
        self._file.seek(0)
        done = told = 0
        while done < self.size and (raw := self._file.readline(min(_LINE, self.size - done))):
            done += len(raw)
            self.lines += 1
            if self.lines == 1:
                raw = raw.removeprefix(b"\xef\xbb\xbf")
            if len(raw) == _LINE and not raw.endswith(b"\n"):
                done += self._skip_rest_of_line(self.size - done)
                yield None
            else:
                yield raw
            if self._on_progress is not None and done - told >= _CHUNK:
                told = done
                self._on_progress(done, self.size)

    def _skip_rest_of_line(self, left: int) -> int:
        skipped = 0
        while skipped < left and (part := self._file.readline(min(_CHUNK, left - skipped))):
            skipped += len(part)
            if part.endswith(b"\n"):
                break
        return skipped

    def _what_it_is(self) -> str:
        if self.size == 0:
            return "it is empty"
        self._file.seek(0)
        begins = self._file.read(2)
        if begins == b"\x1f\x8b":
            return "it is compressed by gzip"
        if self.lines == 1:
            return "its only line is not one of a jsonlog"
        return f"none of its {self.lines:,} lines is one of a jsonlog"


class _Unreadable:
    def __init__(self) -> None:
        self.count = 0
        self.lines: list[int] = []

    def add(self, number: int) -> None:
        self.count += 1
        if len(self.lines) < LINES_KEPT:
            self.lines.append(number)


class _Gathered:
    """The incident that is being read."""

    def __init__(self) -> None:
        self.folder = Folder()

    def incident(self, number: int, bad: _Unreadable) -> LoggedIncident:
        signals = [signal_of_fold(fold, number) for fold in self.folder.folds()]
        if bad.count:
            signals.append(signal_of_unreadable_lines(number, bad.count, tuple(bad.lines), signals[0].first_at))
        return LoggedIncident(number, tuple(signals), bad.count)


def _not_a_log(path: Path, reason: str) -> PackError:
    return PackError(
        f"{str(path)!r} is no PostgreSQL jsonlog: {reason}",
        what_failed=f"Reading {str(path)!r} as a server log. Nothing was recorded.",
        why="Signals are read from lines of JSON with a timestamp, a severity and a message.",
        how_to_fix=(
            "Give a file that PostgreSQL wrote with log_destination = 'jsonlog' and logging_collector = on "
            "(its name ends in .json), unpacked if it was compressed."
        ),
        context={"path": str(path), "reason": reason},
    )
