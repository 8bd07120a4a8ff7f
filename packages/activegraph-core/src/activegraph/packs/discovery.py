"""Installed packs, found by the entry points `activegraph.packs` of what is installed."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from importlib.metadata import EntryPoint, entry_points
from typing import NamedTuple

from activegraph.errors import PackNotFoundError
from activegraph.packs.values import DiscoveredPack, Pack

__all__ = ["clear_discovery_cache", "discover", "load_by_name"]

GROUP = "activegraph.packs"

_found: tuple[DiscoveredPack, ...] | None = None


def discover() -> tuple[DiscoveredPack, ...]:
    """The installed packs, sorted by name. Their modules are imported once a process.

    An entry point that cannot be imported, or is no `Pack`, is skipped with a warning; of two packs
    with one name the first is kept, with a warning.
    """
    global _found
    if _found is None:
        _found = tuple(sorted(_scan(), key=lambda each: each.name))
    return _found


def load_by_name(name: str) -> Pack:
    """The installed pack of this name; an entry point that is called so is looked at first, and alone.

    Raises:
        PackNotFoundError: There is none, or its module cannot be imported; the cause says why.
    """
    broken: _Broken | None = None
    if _found is None:
        for point in entry_points(group=GROUP, name=name):
            loaded = _load(point)
            if isinstance(loaded, _Broken):
                broken = loaded
            elif loaded.name == name:
                return loaded
    for each in discover():
        if each.name == name:
            return each.pack
    missing = PackNotFoundError(name, installed=[each.name for each in discover()])
    if broken is not None:
        missing.what_failed += f"\nThe entry point of that name, {broken.value!r}, {broken.why}."
        raise missing from broken.cause
    raise missing


def clear_discovery_cache() -> None:
    """Forget what was found; the next look scans again."""
    global _found
    _found = None


class _Broken(NamedTuple):
    value: str
    why: str
    cause: BaseException | None


def _scan() -> Iterator[DiscoveredPack]:
    kept: dict[str, str] = {}
    for point in entry_points(group=GROUP):
        loaded = _load(point)
        if isinstance(loaded, _Broken):
            _warn(f"pack entry point {point.name!r} ({point.value}) {loaded.why}; it is skipped")
            continue
        first = kept.get(loaded.name)
        if first is None:
            kept[loaded.name] = point.value
            yield DiscoveredPack(loaded.name, loaded.version, point.value, loaded)
        elif first != point.value:
            _warn(f"two installed packs are named {loaded.name!r}: {first} is kept, {point.value} is skipped")


def _load(point: EntryPoint) -> Pack | _Broken:
    try:
        loaded = point.load()
    except (Exception, SystemExit) as error:  # whatever the module of somebody else does when it is imported
        text = " ".join(str(error).split())
        return _Broken(
            point.value, f"raised {type(error).__name__}: {text}" if text else f"raised {type(error).__name__}", error
        )
    if not isinstance(loaded, Pack):
        return _Broken(point.value, f"is no Pack but a {type(loaded).__name__}", None)
    return loaded


def _warn(message: str) -> None:
    warnings.warn(message, stacklevel=4)
