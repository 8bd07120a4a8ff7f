"""The types of objects and relations that a review makes, and what their data may hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from activegraph.errors import PackError

__all__ = ["OBJECT_TYPES", "RELATION_TYPES", "Field", "ObjectType", "RelationType", "checked"]


@dataclass(frozen=True)
class Field:
    """One field of an object's data.

    Attributes:
        kind: Python type of the value.
        choices: The only values it may have, if any.
        least, most: Bounds of a number.
        optional: Whether it may be missing.
    """

    kind: type | tuple[type, ...]
    choices: tuple[str, ...] = ()
    least: float | None = None
    most: float | None = None
    optional: bool = False

    def problem(self, value: Any) -> str | None:
        """What is wrong with `value`, or None."""
        if not isinstance(value, self.kind) or isinstance(value, bool):
            return f"is a {type(value).__name__}"
        if self.choices and value not in self.choices:
            return f"is {value!r}, not one of {', '.join(self.choices)}"
        number: Any = value
        if (self.least is not None and number < self.least) or (self.most is not None and number > self.most):
            return f"is {value!r}, out of bounds"
        return None


@dataclass(frozen=True)
class ObjectType:
    """A type of object and the fields of its data; other fields are not allowed."""

    name: str
    fields: Mapping[str, Field]

    def problems(self, data: Mapping[str, Any]) -> list[str]:
        """What is wrong with `data`, field by field."""
        found = [f"{name} is unknown" for name in data if name not in self.fields]
        for name, field in self.fields.items():
            if name not in data:
                found += [] if field.optional else [f"{name} is missing"]
            elif (problem := field.problem(data[name])) is not None:
                found.append(f"{name} {problem}")
        return found


@dataclass(frozen=True)
class RelationType:
    """A type of relation and the types of objects that it joins."""

    name: str
    source: str
    target: str


_TEXT = Field(str)
_OPTIONAL_TEXT = Field(str, optional=True)
_COUNT = Field(int, least=0)
_IDS = Field((list, tuple))
_OBJECT = Field(dict)
_SHARE = Field((int, float), least=0, most=1)
_URGENCY = ("low", "medium", "high", "critical")
_ROLE = ("application", "database", "platform")


def _type(name: str, **fields: Field) -> ObjectType:
    # Every object has a title of a few words for the trace, and says to which incident it belongs: by
    # the incident's id, but for signals and incidents themselves, which are there first: by its name.
    return ObjectType(name, {"title": _TEXT, "incident": _TEXT, **fields})


OBJECT_TYPES = {
    made.name: made
    for made in (
        _type(
            "incident",
            status=Field(str, ("open", "investigated", "planned", "requested", "reviewed")),
            severity=Field(str, _URGENCY),
            first_at=_OPTIONAL_TEXT,
            last_at=_OPTIONAL_TEXT,
            signals=_COUNT,
            conflicts=_IDS,
            actions=_IDS,
        ),
        _type(
            "signal",
            source=Field(str, ("log", "metrics")),
            kind=_TEXT,
            severity=_OPTIONAL_TEXT,
            sqlstate=_OPTIONAL_TEXT,
            message=_OPTIONAL_TEXT,
            detail=_OPTIONAL_TEXT,
            hint=_OPTIONAL_TEXT,
            context=_OPTIONAL_TEXT,
            statement=_OPTIONAL_TEXT,
            count=_COUNT,
            first_at=_TEXT,
            last_at=_TEXT,
            lines=_IDS,
            facts=_OBJECT,
        ),
        _type(
            "inquiry",
            question=_TEXT,
            topic=_TEXT,
            signals=_IDS,
            priority=Field(str, _URGENCY),
            status=Field(str, ("open", "answered", "unresolved")),
        ),
        _type(
            "hypothesis",
            statement=_TEXT,
            inquiry=_TEXT,
            rule=_TEXT,
            confidence=_SHARE,
            status=Field(str, ("open", "confirmed", "refuted")),
        ),
        _type(
            "evidence",
            quote=_TEXT,
            source=Field(str, ("log", "metrics")),
            line=Field(int, least=1),
            stance=Field(str, ("for", "against")),
            weight=_SHARE,
        ),
        _type("conflict", statement=_TEXT, hypotheses=_IDS, status=Field(str, ("open", "settled"))),
        _type(
            "action",
            detail=_TEXT,
            priority=Field(str, _URGENCY),
            owner_role=Field(str, _ROLE),
            status=Field(str, ("proposed", "done")),
        ),
        _type("reminder", inquiry=_TEXT, lines=_IDS),
        _type(
            "memo",
            summary=_TEXT,
            timeline=_OBJECT,
            inquiries_answered=_IDS,
            inquiries_unresolved=_IDS,
            findings=_IDS,
            open_conflicts=_IDS,
            conflicts_note=_TEXT,
            actions=_IDS,
        ),
    )
}

RELATION_TYPES = {
    made.name: made
    for made in (
        RelationType("concerns", "inquiry", "incident"),
        RelationType("observed_in", "signal", "incident"),
        RelationType("answers", "hypothesis", "inquiry"),
        RelationType("backs", "evidence", "hypothesis"),
        RelationType("cites", "evidence", "signal"),
        RelationType("contradicts", "hypothesis", "hypothesis"),
        RelationType("addresses", "action", "hypothesis"),
        RelationType("reports_on", "memo", "incident"),
    )
}


def checked(type_name: str, data: dict[str, Any]) -> dict[str, Any]:
    """`data`, if it is what an object of the type may hold.

    Raises:
        PackError: It is not; the message says where.
    """
    problems = OBJECT_TYPES[type_name].problems(data)
    if problems:
        raise PackError(
            f"{type_name} data does not fit: {'; '.join(problems)}",
            what_failed=f"Making an object of type {type_name!r}.",
            why="Who reads a review relies on the fields of its objects.",
            how_to_fix=f"Give the fields {', '.join(OBJECT_TYPES[type_name].fields)}.",
            context={"object_type": type_name, "problems": problems},
        )
    return data
