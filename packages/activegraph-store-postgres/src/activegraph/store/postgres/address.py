"""PostgreSQL URLs: checked, freed of our own options, and what of them is secret.

The rest of a URL is libpq's business and is handed to it as it stands.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote

from activegraph.errors import InvalidStoreURL
from activegraph.store.url import StoreURL, invalid, safe_url

__all__ = ["Address", "mask", "parse_postgres_url", "secrets_of", "split_options"]

_OPTIONS = {"synchronous": ("full", "normal"), "prepare": ("on", "off")}
"""Options of ours and their values; the driver never sees them."""

_PLACES = {"host", "hostaddr", "dbname", "service", "servicefile"}
"""Parameters that name a server or a database as well as the parts before the question mark do."""

_SECRET_KEYS = ("password", "sslpassword", "passfile")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})|%00")
_BARE_FORM = "postgres://host/dbname"
_SHORTEST_PLAIN_SECRET = 4


@dataclass(frozen=True, repr=False)
class Address:
    """Where a URL leads to.

    Attributes:
        conninfo: What libpq is given: the URL without our options.
        synchronous: `"full"` where every commit is to be waited for, whatever the server says.
        prepare: Whether statements are prepared; None decides by what stands in between.
    """

    conninfo: str
    synchronous: str | None = None
    prepare: bool | None = None


def parse_postgres_url(url: str) -> StoreURL:
    """The parts of a `postgres:` or `postgresql:` URL; nothing is connected to and no driver imported.

    Raises:
        InvalidStoreURL: No host and no database, a port that is no number, an open bracket, a bad option.
    """
    rest = url.split(":", 1)[1]
    if not rest.startswith("//"):
        raise invalid(url, "has no host or database", f"postgres://{rest.lstrip('/') or 'host/dbname'}")
    location, _, query = rest[2:].partition("?")
    if _BAD_ESCAPE.search(rest):
        raise invalid(url, "has a percent sign that begins no escape (write it as %25)", _BARE_FORM)
    authority, _, database = location.partition("/")
    hosts = authority.rpartition("@")[2]
    parameters = parse_qsl(query, keep_blank_values=True)
    if not hosts and not database and not _PLACES & {name for name, _ in parameters}:
        raise invalid(url, "has no host or database", _BARE_FORM)
    for host in hosts.split(","):
        _check_host(url, host)
    options = tuple((name, value) for name, value in parameters if name in _OPTIONS)
    for name, value in options:
        if value not in _OPTIONS[name]:
            known = " nor ".join(_OPTIONS[name])
            raise invalid(
                url, f"has {name}={value!r}, which is neither {known}", f"{_BARE_FORM}?{name}={_OPTIONS[name][0]}"
            )
    return StoreURL("postgres", url, options=options)


def _check_host(url: str, host: str) -> None:
    if host.startswith("["):
        name, bracket, port = host.partition("]")
        if not bracket or (port and not port.startswith(":")):
            raise invalid(url, "has an unbalanced IPv6 bracket", "postgres://[::1]:5432/dbname")
        port = port[1:]
    else:
        name, _, port = host.partition(":")
        if "[" in name or "]" in host:
            raise invalid(url, "has an unbalanced IPv6 bracket", "postgres://[::1]:5432/dbname")
    if port and not (port.isascii() and port.isdigit() and 1 <= int(port) <= 65535):
        # What stands there may be a password whose signs were not escaped, so it is not quoted.
        raise invalid(
            url,
            "has a port that is no number between 1 and 65535",
            "postgres://user:password@host:5432/dbname, with / : @ ? # and % in the password written as %2F and so on",
        )


def split_options(url: str) -> Address:
    """The URL as libpq takes it, and our options."""
    scheme, rest = url.split(":", 1)
    base, mark, query = rest.partition("?")
    kept = [part for part in query.split("&") if unquote(part.partition("=")[0]) not in _OPTIONS]
    ours = dict(item for item in parse_qsl(query, keep_blank_values=True) if item[0] in _OPTIONS)
    conninfo = f"{scheme.lower()}:{base}" + (f"?{'&'.join(kept)}" if mark and any(kept) else "")
    prepare = ours.get("prepare")
    return Address(conninfo, ours.get("synchronous"), None if prepare is None else prepare == "on")


def secrets_of(*sources: object) -> tuple[str, ...]:
    """Passwords in URLs, `key=value` texts and parameter dicts, as written and decoded."""
    found: list[str] = []
    for source in sources:
        if isinstance(source, dict):
            found += [str(source[key]) for key in _SECRET_KEYS if source.get(key)]
        elif isinstance(source, str) and "://" in source:
            found += _in_url(source)
        elif isinstance(source, str):
            found += re.findall(r"(?:password|passfile)\s*=\s*(?:'((?:[^'\\]|\\.)*)')", source)
            found += re.findall(r"(?:password|passfile)\s*=\s*([^'\s]\S*)", source)
    every = {text for item in found for text in (item, unquote(item)) if text and text != "***"}
    return tuple(sorted(every, key=len, reverse=True))


def _in_url(url: str) -> Iterable[str]:
    authority = re.split(r"[/?#]", url.split("://", 1)[1], maxsplit=1)[0]
    # A password with a raw slash or so ends the authority early; all up to the last @ is then taken for secret.
    before = authority if "@" in authority else url.split("://", 1)[1]
    login, at, _ = before.rpartition("@")
    _, colon, password = login.partition(":")
    if at and colon and password:
        yield password
    for name, value in re.findall(r"[?&](\w+)=([^&#]*)", url):
        if name.lower() in _SECRET_KEYS and value:
            yield value


def mask(text: str, secrets: Iterable[str]) -> str:
    """`text` with every secret as `***`; a very short one only where it stands as a word."""
    text = safe_url(text)
    for secret in secrets:
        if len(secret) >= _SHORTEST_PLAIN_SECRET:
            text = text.replace(secret, "***")
        else:
            text = re.sub(rf"(?<![A-Za-z0-9]){re.escape(secret)}(?![A-Za-z0-9])", "***", text)
    return text


def refused_by_libpq(url: str, message: str, secrets: Iterable[str]) -> InvalidStoreURL:
    """The error for a URL that the driver cannot read."""
    return invalid(url, f"is not accepted by libpq: {mask(message.strip(), secrets)}", _BARE_FORM)
