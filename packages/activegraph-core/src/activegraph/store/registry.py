"""Finds store backends by URL scheme, through entry points; core names none of them in code."""

from __future__ import annotations

import logging
from importlib import import_module
from typing import TYPE_CHECKING, Any

from activegraph.core.log_lines import error_fields, say
from activegraph.errors import InvalidStoreURL, MissingOptionalDependency
from activegraph.store.announcements import announced
from activegraph.store.base import StoreBackend

if TYPE_CHECKING:
    from activegraph.store.url import StoreURL

__all__ = ["backend_for", "backend_of", "installed_schemes"]

_GROUP = "activegraph.stores"

_logger = logging.getLogger("activegraph.store")

_DISTRIBUTIONS = {
    "sqlite": ("activegraph-store-sqlite", None),
    "postgres": ("activegraph-store-postgres", "postgres"),
    "postgresql": ("activegraph-store-postgres", "postgres"),
}
"""Which distribution, and which extra of the metapackage, to name when a scheme of ours is not installed."""

_loaded: dict[str, StoreBackend] = {}
_failed: set[str] = set()


def _entry_points() -> dict[str, Any]:
    from importlib.metadata import entry_points

    return {point.name.lower(): point for point in entry_points(group=_GROUP)}


def installed_schemes() -> list[str]:
    """The URL schemes of all installed backends that can be imported."""
    points = _entry_points()
    return sorted(name for name, point in points.items() if _load_or_skip(name, point) is not None)


def backend_of(url: StoreURL) -> StoreBackend:
    """The backend that parsed `url`."""
    return backend_for(url.raw.split(":", 1)[0].lower(), url.raw)


def backend_for(scheme: str, url: str) -> StoreBackend:
    """The backend of a scheme.

    Raises:
        MissingOptionalDependency: It is one of ours and not installed.
        InvalidStoreURL: Nobody serves this scheme.
        Exception: Whatever the backend's own import raises.
    """
    backend = _loaded.get(scheme)
    if backend is not None:
        return backend
    reference = announced(_GROUP, scheme)
    if reference is not None:
        return _made(scheme, _object_at(reference))
    point = _entry_points().get(scheme)
    if point is not None:
        return _made(scheme, point.load())
    for backend in _loaded.values():
        if backend.scheme == scheme:
            return backend
    raise _unknown(scheme, url)


def _object_at(reference: str) -> Any:
    module, _, path = reference.partition(":")
    found: Any = import_module(module)
    for name in filter(None, path.split(".")):
        found = getattr(found, name)
    return found


def _made(scheme: str, announced: Any) -> StoreBackend:
    backend: StoreBackend = announced() if isinstance(announced, type) else announced
    _loaded[scheme] = backend
    return backend


def _load_or_skip(scheme: str, point: Any) -> StoreBackend | None:
    if scheme in _loaded:
        return _loaded[scheme]
    try:
        return _made(scheme, point.load())
    except Exception as error:  # a border: the module of somebody's backend
        if scheme not in _failed:
            _failed.add(scheme)
            message = "store backend %s (%s) cannot be imported"
            say(_logger, logging.WARNING, message, scheme, point.value, **error_fields(error))
        return None


def _unknown(scheme: str, url: str) -> Exception:
    from activegraph.store.url import safe_url

    distribution = _DISTRIBUTIONS.get(scheme)
    if distribution is not None:
        package, extras = distribution
        return MissingOptionalDependency(package=package, feature=f"A {scheme}:// store", extras=extras)
    installed = installed_schemes()
    base = scheme.split("+", 1)[0]
    if base != scheme and base in {*installed, *_DISTRIBUTIONS}:
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
