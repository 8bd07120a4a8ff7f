"""Packs as if they were installed: a module and the entry point that announces it, in a folder on the path."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import dedent

from activegraph.packs import clear_discovery_cache

__all__ = ["announce", "installed_from", "write_pack"]

PACK = """
from activegraph.packs import Pack
from pydantic import BaseModel, SecretStr


class Limits(BaseModel):
    most: int = 3


class Settings(BaseModel):
    threshold: float = 0.5
    limits: Limits | None = Limits()
    modes: dict[str, int] = {{}}
    key: SecretStr = SecretStr("")


pack = Pack(name={name!r}, version={version!r}, settings_schema=Settings)
"""


def write_pack(folder: Path, name: str, *, version: str = "1.0.0", source: str = PACK) -> None:
    """A module `<name>_module` in `folder` with a pack of this name, and its entry point."""
    (folder / f"{name}_module.py").write_text(dedent(source).format(name=name, version=version))
    announce(folder, name, f"{name}_module:pack")


def announce(folder: Path, entry_point: str, value: str, *, distribution: str | None = None) -> None:
    """What an installer writes for a distribution with one entry point `activegraph.packs`."""
    named = distribution or entry_point
    info = folder / f"{named.replace('-', '_')}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {named}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[activegraph.packs]\n{entry_point} = {value}\n")


@contextmanager
def installed_from(folder: Path) -> Iterator[None]:
    """With what `folder` holds installed; modules that were imported from it are forgotten afterwards."""
    sys.path.insert(0, str(folder))
    clear_discovery_cache()
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        clear_discovery_cache()
        for name, module in list(sys.modules.items()):
            if str(getattr(module, "__file__", "") or "").startswith(str(folder)):
                del sys.modules[name]
