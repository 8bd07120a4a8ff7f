"""`pack.setting=value` as texts, and what they say together: the form that the command line takes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any, NoReturn

from activegraph.errors import InvalidRuntimeConfiguration

__all__ = ["Assignments", "read_assignments"]

_PACK = re.compile(r"[a-z][a-z0-9_]*")


class Assignments(dict[str, dict[str, Any]]):
    """Settings by pack, nested dicts for nested ones, and the texts that said so."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: dict[str, list[str]] = {}
        """By pack, as they were given."""


def read_assignments(texts: Iterable[str]) -> Assignments:
    """What `<pack>.<setting>[.<nested>]=<value>` texts say; of equal keys the last wins.

    A value is JSON where it is any, `none` in any case is null, and everything else is the text.

    Raises:
        InvalidRuntimeConfiguration: A text of another shape, or a key that is a value and a parent.
    """
    values: dict[tuple[str, ...], Any] = {}
    read = Assignments()
    for text in texts:
        keys, value = _read(text)
        values[keys] = value
        read.texts.setdefault(keys[0], []).append(text)
    for keys in values:
        for length in range(2, len(keys)):
            if keys[:length] in values:
                raise _refused(f"{'.'.join(keys[:length])} is set to a value, and {'.'.join(keys)} is set below it")
    for keys, value in values.items():
        place = read.setdefault(keys[0], {})
        for key in keys[1:-1]:
            place = place.setdefault(key, {})
        place[keys[-1]] = value
    return read


def _read(text: str) -> tuple[tuple[str, ...], Any]:
    key, equals, value = text.partition("=")
    keys = tuple(part.strip() for part in key.split("."))
    if not equals or len(keys) < 2 or not all(keys) or not _PACK.fullmatch(keys[0]):
        raise _refused(f"{text!r} is not <pack>.<setting>=<value>")
    return keys, _value(value.strip())


def _value(text: str) -> Any:
    if text.lower() == "none":
        return None
    try:
        return json.loads(text, parse_constant=_no_constant)
    except ValueError:
        return text


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _refused(what: str) -> InvalidRuntimeConfiguration:
    return InvalidRuntimeConfiguration(
        f"setting cannot be read: {what}",
        what_failed=f"Reading settings for a fork: {what}. No run was created.",
        why="Each names one setting of one pack.",
        how_to_fix="--set incident_review.conflict_confidence=0.9 --set incident_review.limits.max=5",
        context={"problem": what},
    )
