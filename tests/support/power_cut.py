"""Runs a program under `power_cut.c`, and rebuilds its folder as a power cut at any instant would leave it."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

__all__ = ["Operation", "Recording", "any_more", "nothing_more", "record_program", "some_more"]

SOURCE = Path(__file__).with_name("power_cut.c")


@dataclass(frozen=True)
class Operation:
    """One record of the journal; `power_cut.c` says what the kinds mean."""

    kind: str
    inode: int
    offset: int
    path: str
    data: bytes


@dataclass
class Recording:
    """All that a program did to its folder, in order, and what it marked as acknowledged."""

    operations: list[Operation]
    output: str
    files: dict[str, bytes] = field(default_factory=dict)
    """The folder as the program left it."""

    def marks(self, before: int | None = None) -> list[str]:
        """What had been acknowledged before an operation, or in all."""
        written = b"".join(o.data for o in self.operations[:before] if o.kind == "M")
        return written.decode().split("\n")[:-1]

    def after_cut(self, at: int, reaches_disk: Callable[[int], bool]) -> dict[str, bytes]:
        """The files after a power cut before operation `at`.

        Args:
            reaches_disk: For an operation that no sync covers: whether the disk had it nevertheless.
        """
        last_sync, last_folder_sync = self._syncs(at)
        names: dict[str, tuple[int, int]] = {}
        contents: dict[tuple[int, int], bytearray] = {}
        born: dict[int, int] = {}
        for place, o in enumerate(self.operations[:at]):
            if o.kind == "C":
                born[o.inode] = place
            file = (o.inode, born.get(o.inode, -1))
            if o.kind in "WT" and (place < last_sync.get(file, -1) or reaches_disk(place)):
                content = contents.setdefault(file, bytearray())
                if o.kind == "T":
                    _resize(content, o.offset)
                else:
                    _resize(content, max(len(content), o.offset + len(o.data)))
                    content[o.offset : o.offset + len(o.data)] = o.data
            elif o.kind in "CUR" and (place < last_folder_sync or reaches_disk(place)):
                if o.kind == "C":
                    names[o.path] = file
                elif o.kind == "U":
                    names.pop(o.path, None)
                elif o.path in names:
                    names[o.data.decode()] = names.pop(o.path)
        return {
            Path(path).name: bytes(contents.get(file, b""))
            for path, file in names.items()
            if not path.endswith(("-shm", "/acknowledged"))
        }

    def _syncs(self, at: int) -> tuple[dict[tuple[int, int], int], int]:
        files: dict[tuple[int, int], int] = {}
        folder = -1
        born: dict[int, int] = {}
        for place, o in enumerate(self.operations[:at]):
            if o.kind == "C":
                born[o.inode] = place
            elif o.kind == "S":
                files[(o.inode, born.get(o.inode, -1))] = place
            elif o.kind == "D":
                folder = place
        return files, folder


def nothing_more(place: int) -> bool:
    """The disk has what was synced, and not a byte of the rest."""
    return False


def some_more(at: int, dice: random.Random) -> Callable[[int], bool]:
    """The disk has all up to an instant, synced or not."""
    until = dice.randrange(max(0, at - 40), at + 1)
    return lambda place: place < until


def any_more(dice: random.Random) -> Callable[[int], bool]:
    """The disk has what was synced, and of the rest what it liked, in whatever order."""
    chance = dice.random()
    return lambda place: dice.random() < chance


def _resize(content: bytearray, size: int) -> None:
    if len(content) < size:
        content.extend(bytes(size - len(content)))
    del content[size:]


def compiled(folder: Path) -> Path:
    """The library to preload; skips where there is no compiler, or where nothing can be preloaded."""
    if not sys.platform.startswith("linux"):
        pytest.skip("power cuts are recorded by preloading a library, which needs Linux")
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("power cuts are recorded by a small library in C, and there is no compiler")
    library = folder / "power_cut.so"
    if not library.exists():
        command = [compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(SOURCE), "-ldl", "-lpthread"]
        subprocess.run(command, check=True, capture_output=True)
    return library


def record_program(code: str, work: Path, *arguments: str, space: int | None = None) -> Recording:
    """Run `code` with the folder to work in as its first argument, and read what it did there."""
    folder, journal = work / "disk", work / "journal"
    folder.mkdir()
    environment = os.environ | {
        "LD_PRELOAD": str(compiled(work)),
        "POWER_CUT_FOLDER": str(folder),
        "POWER_CUT_LOG": str(journal),
    }
    if space is not None:
        environment["POWER_CUT_SPACE"] = str(space)
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder), *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return Recording(_read(journal), done.stdout, {p.name: p.read_bytes() for p in folder.iterdir()})


def _read(journal: Path) -> list[Operation]:
    data = journal.read_bytes()
    operations, place = [], 0
    while place < len(data):
        end = data.index(b"\n", place)
        kind, inode, offset, length, path = data[place:end].decode().split(" ", 4)
        place = end + 1 + int(length)
        operations.append(Operation(kind, int(inode), int(offset), path, data[end + 1 : place]))
    return operations
