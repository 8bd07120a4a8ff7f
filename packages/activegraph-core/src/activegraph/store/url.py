"""Store URLs: parsed strictly, shown without passwords."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, quote, unquote_to_bytes

from activegraph.errors import InvalidStoreURL

__all__ = ["StoreURL", "parse_sqlite_url", "parse_store_url", "parse_url", "safe_url", "sqlite_url"]

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*):")
_WINDOWS_PATH = re.compile(r"[A-Za-z]:[\\/]")
# Up to the last @ of the authority; where that has none, up to the last @ at all, because a password with a
# raw slash, question mark or hash would show otherwise.
_PASSWORD = re.compile(r"(?P<head>[A-Za-z][A-Za-z0-9+.\-]*://[^/?#@:]*):(?:[^/?#]*@|.*@)", re.DOTALL)
_SECRET_PARAMETER = re.compile(r"(?P<name>[?&](?:password|sslpassword|passfile)=)[^&#]*", re.IGNORECASE)
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_URL_SAFE = "/:?#[]@!$&'()*+,;=~%\\"
_FORMS = "    sqlite:///run.db            (relative path)\n    sqlite:////tmp/run.db       (absolute path)\n    postgres://host/dbname"
_SQLITE_OPTIONS = {"synchronous", "busy_timeout"}


@dataclass(frozen=True, repr=False)
class StoreURL:
    """A parsed store URL. `repr` and `str` show `safe`, never `raw`.

    Attributes:
        scheme: Canonical: `sqlite`, `postgres`, or a backend's own.
        raw: As given, passwords included.
        sqlite_path: The decoded path, for SQLite only.
        options: Query options in order.
    """

    scheme: str
    raw: str
    sqlite_path: str | None = None
    options: tuple[tuple[str, str], ...] = field(default=())

    @property
    def safe(self) -> str:
        """The URL with passwords masked."""
        return safe_url(self.raw)

    def __repr__(self) -> str:
        return f"StoreURL({self.safe!r})"

    def __str__(self) -> str:
        return self.safe


StoreURL.__module__ = "activegraph.store"


def safe_url(url: str) -> str:
    """`url` with password and secret parameters as `***`; other text unchanged."""
    if "://" not in url:
        return url
    masked = _PASSWORD.sub(lambda found: f"{found['head']}:***@", url)
    return _SECRET_PARAMETER.sub(lambda found: f"{found['name']}***", masked)


def sqlite_url(path: str | os.PathLike[str]) -> str:
    """A URL that parses back to this path, names that are no UTF-8 included."""
    return "sqlite:///" + quote(os.fsencode(path), safe="/:\\~,()@!$'*;=+")


def parse_store_url(url: object) -> StoreURL:
    """The parts of a store URL, by the backend that its scheme names.

    Raises:
        InvalidStoreURL: It is none; the fix shows the right form.
        MissingOptionalDependency: The scheme's distribution is not installed.
    """
    from activegraph.store.registry import backend_for

    if not isinstance(url, str) or not url:
        context = {"url": ""} if isinstance(url, str) else {}
        raise InvalidStoreURL(
            "store URL is empty",
            what_failed=f"Parsing {url!r} as a store URL.",
            why="A store is named by a URL with a scheme; the framework does not guess.",
            how_to_fix=f"Use one of:\n{_FORMS}",
            context=context,
        )
    if url != url.strip() or _UNPRINTABLE.search(url):
        raise invalid(
            url,
            "has white space around it, or control characters or lone surrogates in it",
            quote(_UNPRINTABLE.sub("", url.strip()), safe=_URL_SAFE) or _FORMS,
        )
    found = _SCHEME.match(url)
    if found is None or _WINDOWS_PATH.match(url) or ("/" in url[: found.end()]):
        raise _no_scheme(url)
    if "#" in url:
        raise invalid(url, "has a fragment", url.replace("#", "%23"))
    return backend_for(found[1].lower(), url).parse(url)


parse_url = parse_store_url


def parse_sqlite_url(url: str) -> StoreURL:
    """The parts of a `sqlite:` URL."""
    rest = url.split(":", 1)[1]
    if not rest.startswith("//"):
        raise invalid(url, "has no path", _slashes(rest or "run.db"))
    location, _, query = rest[2:].partition("?")
    if location and not location.startswith("/"):
        shown = safe_url(url).partition("//")[2].partition("?")[0]
        raise invalid(url, f"has a host part {shown.split('/', 1)[0]!r}", _slashes(shown))
    path = os.fsdecode(unquote_to_bytes(location[1:]))
    if not path:
        raise invalid(url, "has no path", _slashes("run.db"))
    if path == ":memory:":
        raise invalid(
            url,
            "names an in-memory database, which no other handle could see",
            "InMemoryEventStore() from activegraph.store, or a runtime without persist_to",
        )
    if "\x00" in path:
        raise invalid(url, "has a NUL in its path", _slashes("run.db"))
    options = tuple(parse_qsl(query, keep_blank_values=True))
    for name, value in options:
        _check_sqlite_option(url, name, value)
    return StoreURL("sqlite", url, path, options)


def _check_sqlite_option(url: str, name: str, value: str) -> None:
    base = url.split("?", 1)[0]
    if name not in _SQLITE_OPTIONS:
        raise invalid(url, f"has an unknown option {name!r}", f"{base}?synchronous=full&busy_timeout=5")
    if name == "synchronous" and value not in ("normal", "full"):
        raise invalid(url, f"has synchronous={value!r}, which is neither normal nor full", f"{base}?synchronous=full")
    if name == "busy_timeout":
        try:
            good = 0 <= float(value) < float("inf")
        except ValueError:
            good = False
        if not good:
            raise invalid(url, f"has busy_timeout={value!r}, which is no number of seconds", f"{base}?busy_timeout=5")


def _slashes(path: str) -> str:
    bare = path.lstrip("/")
    return f"sqlite:///{bare}  (relative: three slashes)\nsqlite:////{bare}  (absolute: four slashes)"


def _no_scheme(url: str) -> InvalidStoreURL:
    shown = sqlite_url(url) if _WINDOWS_PATH.match(url) is None else f"sqlite:///{url.replace(chr(92), '/')}"
    return InvalidStoreURL(
        f"store URL {safe_url(url)!r} has no scheme",
        what_failed=f"Parsing {safe_url(url)!r} as a store URL.",
        why="A store is named by a URL with a scheme; the framework does not guess.",
        how_to_fix=f"For this path: {shown}\nThe forms are:\n{_FORMS}",
        context={"url": safe_url(url)},
    )


def invalid(url: str, what: str, fix: str) -> InvalidStoreURL:
    """The error for a URL of a known form with something wrong in it; passwords are masked."""
    shown = safe_url(url)
    return InvalidStoreURL(
        f"store URL {shown!r} {what}",
        what_failed=f"Parsing {shown!r} as a store URL.",
        why="A URL that is taken for something else would write a run where nobody looks for it.",
        how_to_fix=f"Use:\n    {safe_url(fix)}".replace("\nsqlite", "\n    sqlite"),
        context={"url": shown},
    )
