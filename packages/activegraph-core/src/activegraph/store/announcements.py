"""Entry points of one name, read from where installers write them.

`importlib.metadata` takes longer to import and to look through every distribution than a short
command takes for all else, so files beside the modules on the path are read first; whatever else
an importer may know is left to it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

__all__ = ["announced"]

_FOLDERS = (".dist-info", ".egg-info")


def announced(group: str, name: str) -> str | None:
    """What the first entry point of this group and name refers to, as `module:attribute`; None if none is found here."""
    for file in _files():
        try:
            with open(file, encoding="utf-8") as lines:
                text = lines.read()
        except (OSError, UnicodeDecodeError):
            continue
        if group in text and (found := _entries(text, group).get(name)) is not None:
            return found
    return None


def _files() -> Iterator[str]:
    for place in sys.path:
        try:
            with os.scandir(place or os.curdir) as entries:
                folders = [entry.path for entry in entries if entry.name.endswith(_FOLDERS)]
        except OSError:
            continue
        for folder in folders:
            yield os.path.join(folder, "entry_points.txt")


def _entries(text: str, group: str) -> dict[str, str]:
    """The names of one section, in lower case, and what they refer to."""
    entries: dict[str, str] = {}
    section = ""
    for line in map(str.strip, text.splitlines()):
        if line.startswith("["):
            section = line.strip("[]").strip()
        elif section == group and "=" in line and not line.startswith(("#", ";")):
            name, _, reference = line.partition("=")
            entries[name.strip().lower()] = reference.partition("[")[0].strip()
    return entries
