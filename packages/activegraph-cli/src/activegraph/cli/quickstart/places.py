"""Where the tour keeps its run: a file in a folder of one's own under the temporary directory.

Two tours at once must not write into one file, nor take it away from under each other: each makes its
own file in a folder of its own, and puts it in place when it is whole.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

__all__ = ["fresh_file", "put_in_place"]

_FOLDER = "activegraph_quickstart"
_MAKING = ".making_"
_SIDECARS = ("-wal", "-shm", "-journal")


@contextlib.contextmanager
def fresh_file(name: str) -> Iterator[tuple[Path, Path]]:
    """A file to make the run in, which is gone at the end of the block, and the one to keep it in."""
    folder = _own_folder()
    for left in folder.glob(f"{_MAKING}*"):
        _remove_if_left(left)
    with _locked_folder(folder) as made:
        yield made / name, folder / name


def put_in_place(made: Path, kept: Path) -> None:
    """Let the file that was made take the place of the one that was kept before."""
    for suffix in _SIDECARS:
        # Left by a process that was killed; they belong to the file that goes now.
        kept.with_name(kept.name + suffix).unlink(missing_ok=True)
    made.replace(kept)


def _own_folder() -> Path:
    folder = Path(tempfile.gettempdir()) / _FOLDER
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found = folder.lstat()
    if stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and os.access(folder, os.W_OK | os.X_OK):
        return folder
    # Somebody else's: whoever owns the folder could exchange the files in it.
    return Path(tempfile.mkdtemp(prefix=f"{_FOLDER}_"))


@contextlib.contextmanager
def _locked_folder(parent: Path) -> Iterator[Path]:
    """A new folder, with a lock that says that somebody works in it, until the block or the process ends."""
    made, descriptor = _make_and_lock(parent)
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)
        os.close(descriptor)


def _make_and_lock(parent: Path) -> tuple[Path, int]:
    while True:
        made = Path(tempfile.mkdtemp(prefix=_MAKING, dir=parent))
        with contextlib.suppress(FileNotFoundError):
            descriptor = os.open(made, os.O_RDONLY)
            with contextlib.suppress(OSError):  # a file system without locks; nobody removes anything there
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            if made.exists():
                return made, descriptor
            os.close(descriptor)
        # Taken for a left one before it was locked.


def _remove_if_left(folder: Path) -> None:
    """Remove what a process left that was killed; nobody holds its lock any more."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
        finally:
            os.close(descriptor)
