"""Finds store backends by URL scheme, through entry points; core names none of them in code."""

from __future__ import annotations

import logging
from typing import Any

from activegraph.errors import InvalidStoreURL, MissingOptionalDependency
from activegraph.store.base import StoreBackend

__all__ = ["backend_for", "installed_schemes"]

_GROUP = "activegraph.stores"

_logger = logging.getLogger("activegraph.store")

_DISTRIBUTIONS = {
    "sqlite": ("activegraph-store-sqlite", "sqlite"),
    "postgres": ("activegraph-store-postgres", "postgres"),
    "postgresql": ("activegraph-store-postgres", "postgres"),
}
"""Which distribution to name when a scheme of ours is asked for and not installed."""

_loaded: dict[str, StoreBackend] = {}


def _entry_points() -> dict[str, Any]:
    from importlib.metadata import entry_points

    return {point.name.lower(): point for point in entry_points(group=_GROUP)}


def installed_schemes() -> list[str]:
    """The URL schemes of all installed backends."""
    return sorted(_entry_points())


def backend_for(scheme: str, url: str) -> StoreBackend:
    """The backend of a scheme.

    Raises:
        MissingOptionalDependency: It is one of ours and not installed.
        InvalidStoreURL: Nobody serves this scheme.
    """
    backend = _loaded.get(scheme)
    if backend is not None:
        return backend
    points = _entry_points()
    point = points.get(scheme)
    if point is None:
        raise _unknown(scheme, url, sorted(points))
    made = point.load()
    backend = made() if isinstance(made, type) else made
    _loaded[scheme] = backend
    return backend


def _unknown(scheme: str, url: str, installed: list[str]) -> Exception:
    from activegraph.store.url import safe_url

    distribution = _DISTRIBUTIONS.get(scheme)
    if distribution is not None:
        package, _ = distribution
        return MissingOptionalDependency(package=package, feature=f"A {scheme}:// store")
    base = scheme.split("+", 1)[0]
    if base != scheme and base in _DISTRIBUTIONS:
        fix = f"Write the URL without the driver: {safe_url(base + url[len(scheme) :])}"
    else:
        fix = f"Use one of the installed schemes: {', '.join(installed) or 'none'}"
        if "postgres" not in installed:
            fix += "\nFor PostgreSQL: pip install activegraph-store-postgres"
    return InvalidStoreURL(
        f"unsupported store URL scheme {scheme!r} in {safe_url(url)!r}",
        what_failed=f"Opening {safe_url(url)!r}.",
        why="A scheme is served by an installed store; none of them serves this one.",
        how_to_fix=fix,
        context={"url": safe_url(url)},
    )
