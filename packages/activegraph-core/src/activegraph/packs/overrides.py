"""Forks with other settings: what is asked for is checked against what the run recorded, and becomes events.

All checks come before a run is created. The events follow the copied prefix; a later `load_pack`
merges them over its base, and validates the result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from difflib import get_close_matches
from typing import Any, Protocol

from msgspec import Struct

from activegraph.core.changes import Stamp
from activegraph.core.clock import Clock
from activegraph.core.codec import decode_canonical, encode_payload_bytes
from activegraph.core.event import Event
from activegraph.core.event_maker import EventMaker
from activegraph.core.ids import IDGen
from activegraph.errors import InvalidRuntimeConfiguration, NonSerializableEventError, PackNotFoundError
from activegraph.errors.base import shown
from activegraph.packs.assignments import Assignments
from activegraph.packs.models import MASK, refusal_lines, validated_json
from activegraph.packs.settings import holds_mask, merged, recorded_form, secret_setting, unknown_setting
from activegraph.store.refusals import unknown_event
from activegraph.store.runs import open_store
from activegraph.store.url import parse_store_url

__all__ = ["PrefixPacks", "installed_schema", "override_events", "overrides_behind", "packs_in_prefix"]

SchemaOf = Callable[[str, str], Any]
"""The settings class of a pack by name and version; None where it is not to be had."""


class LoggedEvent(Protocol):
    """An event, live or as stored."""

    @property
    def id(self) -> str: ...
    @property
    def type(self) -> str: ...
    @property
    def actor(self) -> str | None: ...
    @property
    def payload(self) -> Any:
        """Canonical text of an event as stored."""


class PrefixPacks(Struct):
    """What a run's events up to one of them say of packs."""

    ids: IDGen
    """Behind the ids of the prefix."""
    versions: dict[str, str]
    settings: dict[str, dict[str, Any]]
    """Of each pack's latest load, with the overrides that came later."""


def override_events(
    url: str, run_id: str, at_event: str, pack_settings: Mapping[str, Mapping[str, Any]]
) -> list[Event]:
    """The events that a fork of a stored run begins with, behind its prefix; one for each pack.

    Raises:
        EventNotFoundError: The run has no such event.
        InvalidRuntimeConfiguration: A pack that was not loaded by then, a setting that it does not
            have, or a value that does not fit.
    """
    parsed = parse_store_url(url)
    with closing(open_store(url, run_id, read_only=True)) as store:
        known = packs_in_prefix(_rows(store), at_event)
    if known is None:
        raise unknown_event(at_event, run_id, "fork", parsed.scheme)
    return overrides_behind(known, at_event, pack_settings, schema_of=installed_schema, clock=Clock())


def _rows(store: Any) -> Iterator[LoggedEvent]:
    iter_raw = getattr(store, "iter_raw", None)
    yield from store.iter_events() if iter_raw is None else iter_raw()


def packs_in_prefix(events: Iterator[LoggedEvent], at_event: str) -> PrefixPacks | None:
    """What the events up to `at_event` say; None if it is not among them."""
    known = PrefixPacks(IDGen(), {}, {})
    for event in events:
        known.ids.saw_event_id(event.id)
        if event.type in _OF_PACKS and event.actor == "runtime":
            _OF_PACKS[event.type](known, _fields(event))
        if event.id == at_event:
            return known
    return None


def _fields(event: LoggedEvent) -> dict[str, Any]:
    payload = event.payload
    fields: dict[str, Any] = decode_canonical(payload) if isinstance(payload, (str, bytes)) else payload
    return fields


def _saw_load(known: PrefixPacks, payload: dict[str, Any]) -> None:
    name = str(payload.get("name", ""))
    known.versions[name] = payload.get("version", "")
    settings = payload.get("settings")
    known.settings[name] = settings if isinstance(settings, dict) else {}


def _saw_override(known: PrefixPacks, payload: dict[str, Any]) -> None:
    name = str(payload.get("pack", ""))
    overrides = payload.get("overrides")
    if name in known.settings and isinstance(overrides, dict):
        known.settings[name] = merged(known.settings[name], overrides)


_OF_PACKS = {"pack.loaded": _saw_load, "pack.settings_overridden": _saw_override}


def overrides_behind(
    known: PrefixPacks,
    at_event: str,
    pack_settings: Mapping[str, Mapping[str, Any]],
    *,
    schema_of: SchemaOf,
    clock: Clock,
) -> list[Event]:
    """The events of overrides that fit what a prefix says.

    Raises:
        InvalidRuntimeConfiguration: They do not fit.
    """
    for name, changes in _checked_shape(pack_settings):
        _check(known, at_event, name, changes, schema_of)
    texts = pack_settings.texts if isinstance(pack_settings, Assignments) else {}
    maker, events = EventMaker(known.ids, clock), []
    for name, changes in pack_settings.items():
        payload = {"pack": name, "overrides": changes, "assignments": texts.get(name, [])}
        stamp = Stamp("runtime", at_event, None)
        events.append(maker.event("pack.settings_overridden", encode_payload_bytes(payload), stamp).event())
    return events


def _checked_shape(pack_settings: object) -> list[tuple[str, Mapping[str, Any]]]:
    if not isinstance(pack_settings, Mapping):
        raise _refused(f"`pack_settings` must be a dict of dicts, not {type(pack_settings).__name__}")
    for name, changes in pack_settings.items():
        if not isinstance(name, str) or not isinstance(changes, Mapping) or not changes:
            raise _refused(f"`pack_settings` of {shown(name)} must be a dict of settings, not {_kind(changes)}")
        _require_text_keys(name, changes)
        try:
            encode_payload_bytes(dict(changes))
        except NonSerializableEventError as error:
            raise _refused(f"settings of {name!r} cannot be recorded: {error.summary}") from error
    return list(pack_settings.items())


def _kind(value: object) -> str:
    """What a value is, without what it says: it may be a secret."""
    return "an empty one" if value == {} else type(value).__name__


def _require_text_keys(path: str, changes: Mapping[Any, Any]) -> None:
    for key, value in changes.items():
        if not isinstance(key, str) or not key:
            raise _refused(f"{path} has a setting that is named by no text: {shown(key)}")
        if isinstance(value, Mapping):
            _require_text_keys(f"{path}.{key}", value)


def _check(known: PrefixPacks, at_event: str, name: str, changes: Mapping[str, Any], schema_of: SchemaOf) -> None:
    recorded = known.settings.get(name)
    if recorded is None:
        packs = ", ".join(known.settings) or "none"
        raise _refused(f"pack {name!r} was not loaded at or before {at_event!r}; loaded by then: {packs}")
    schema = schema_of(name, known.versions[name])
    unknown = _unknown(recorded, changes) if schema is None else unknown_setting(schema, changes)
    if unknown is not None:
        raise _refused(f"pack {name!r} has no setting {unknown!r}{_close_to(unknown, recorded)}")
    _refuse_secret(name, _secret(recorded, changes))
    if schema is not None:
        chosen = _checked_values(name, schema, merged(recorded, changes))
        # What was no secret yet, as a key that was not given, may be one now.
        _refuse_secret(
            name, secret_setting(schema, changes) if chosen is None else _secret(recorded_form(chosen), changes)
        )


def _unknown(recorded: Any, changes: Mapping[str, Any]) -> str | None:
    """The dotted name of the first setting that is not among the recorded ones."""
    for key, value in changes.items():
        if key not in recorded:
            return key
        old = recorded[key]
        if isinstance(value, Mapping) and old not in (None, {}):
            below = _unknown(old, value) if isinstance(old, Mapping) else next(iter(value), None)
            if below is not None:
                return f"{key}.{below}"
    return None


def _close_to(unknown: str, recorded: Mapping[str, Any]) -> str:
    """A hint at the nearest name that there is."""
    *above, last = unknown.split(".")
    place: Any = recorded
    for key in above:
        place = place.get(key) if isinstance(place, Mapping) else None
    close = get_close_matches(last, list(place), n=1) if isinstance(place, Mapping) else []
    return f"; did you mean {'.'.join([*above, close[0]])!r}?" if close else ""


def _refuse_secret(name: str, secret: str | None) -> None:
    if secret is not None:
        raise _refused(f"setting {secret!r} of pack {name!r} is a secret, and no log takes one: give it to `load_pack`")


def _secret(recorded: Mapping[str, Any], changes: Mapping[str, Any]) -> str | None:
    """The dotted name of the first changed setting whose value the log keeps masked, or that holds such a value."""
    for key, value in changes.items():
        old = recorded.get(key)
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            below = _secret(old, value)
            if below is not None:
                return f"{key}.{below}"
        elif holds_mask(old):
            return key
    return None


def _checked_values(name: str, schema: Any, tree: dict[str, Any]) -> Any:
    """The settings that the tree stands for; None where its secrets, which are not known here, do not fit."""
    try:
        return validated_json(schema, tree)
    except ValueError as error:
        if _is_about_masks_only(error, tree):
            return None
        lines = "; ".join(refusal_lines(error, show_input=False).splitlines())
        raise _refused(f"settings of pack {name!r} would not fit {schema.__name__}: {lines}") from None


def _is_about_masks_only(error: ValueError, tree: Any) -> bool:
    """Whether a schema refuses nothing but secrets, whose values are not known here."""
    errors = getattr(error, "errors", None)
    return callable(errors) and all(_at(tree, each["loc"]) == MASK for each in errors(include_url=False))


def _at(tree: Any, place: Sequence[Any]) -> Any:
    for step in place:
        try:
            tree = tree[step]
        except (KeyError, IndexError, TypeError):
            return None
    return tree


def installed_schema(name: str, version: str) -> Any:
    """The settings class of a pack, if that version of it is installed."""
    from activegraph.packs import load_by_name

    try:
        pack = load_by_name(name)
    except PackNotFoundError:
        return None
    return pack.settings_schema if pack.version == version else None


def _refused(what: str) -> InvalidRuntimeConfiguration:
    return InvalidRuntimeConfiguration(
        f"the fork cannot have these settings: {what}",
        what_failed=f"Forking with other settings: {what}. No run was created.",
        why="What a fork overrides is recorded in it, so it must be something that the pack can have.",
        how_to_fix="See which packs and settings the run recorded: activegraph inspect <url> --run-id <run> --pack-version",
        context={"problem": what},
    )
