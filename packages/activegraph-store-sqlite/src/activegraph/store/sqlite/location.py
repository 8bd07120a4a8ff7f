"""Where a database is: the path as it was given, and the file that SQLite means by it."""

from __future__ import annotations

import os
import stat
from typing import NamedTuple

from activegraph.errors import StoreNotFoundError, StoreUnavailableError
from activegraph.store.url import parse_sqlite_url, sqlite_url

__all__ = ["Location", "locate", "missing"]


class Location(NamedTuple):
    """One database file.

    Attributes:
        shown: The path as given, for texts.
        file: Absolute, links resolved, as SQLite does: the `-wal` is beside it. A later `chdir` changes nothing.
    """

    shown: str
    file: str

    @property
    def log(self) -> str:
        """The write-ahead log."""
        return f"{self.file}-wal"

    @property
    def shared_index(self) -> str:
        """The index of the write-ahead log, in shared memory."""
        return f"{self.file}-shm"

    @property
    def directory(self) -> str:
        """The directory of the file."""
        return os.path.dirname(self.file)


def locate(path: str | os.PathLike[str]) -> Location:
    """The location of a path.

    Raises:
        InvalidStoreURL: The path is empty, or SQLite's name for a database in memory.
        StoreNotFoundError: No file can have this name.
        StoreUnavailableError: It is a directory, or a pipe, which nobody may ever write into.
    """
    shown = os.fsdecode(path)
    if shown in ("", ":memory:"):
        parse_sqlite_url(f"sqlite:///{shown}")
    if "\x00" in shown:
        raise missing(repr(shown), "a file name holds no NUL", "Check the path.")
    location = Location(shown, os.path.realpath(shown))
    try:
        mode = os.stat(location.file).st_mode
    except (OSError, ValueError):
        return location  # whoever opens it hears what is wrong
    if stat.S_ISDIR(mode):
        inside = os.path.join(shown, "run.db")
        raise _no_file(shown, "a directory", f"Name a file in it: {inside} (as a URL {sqlite_url(inside)})")
    if stat.S_ISFIFO(mode):
        raise _no_file(shown, "a pipe", "Write what comes out of it to a file, and name that.")
    return location


def _no_file(shown: str, what: str, fix: str) -> StoreUnavailableError:
    return StoreUnavailableError(
        f"{shown} is {what}",
        what_failed=f"Opening {shown} as a SQLite file.",
        why="A SQLite store is one file.",
        how_to_fix=fix,
        context={"driver": "sqlite", "reason": "io", "path": shown},
    )


def missing(shown: str, why: str, fix: str) -> StoreNotFoundError:
    """The error for a file or directory that is not there and is not made."""
    return StoreNotFoundError(
        f"no store at {shown}: {why}",
        what_failed=f"Opening {shown}.",
        why="Directories are never made, and a read makes nothing at all.",
        how_to_fix=fix,
        context={"path": shown, "driver": "sqlite"},
    )
