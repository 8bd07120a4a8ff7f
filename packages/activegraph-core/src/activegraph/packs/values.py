"""The values that a pack is made of, and the pack itself: frozen, checked when they are made."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

from pydantic import BaseModel

from activegraph.behaviors.base import AnyBehavior, Behavior, RelationBehavior
from activegraph.errors.base import shown
from activegraph.packs.checks import (
    refused,
    require_declared,
    require_name,
    require_pack_name,
    require_unique,
    require_version,
    tuple_of,
    tuple_of_texts,
)
from activegraph.tools.base import Tool

__all__ = ["DiscoveredPack", "EmptySettings", "ObjectType", "Pack", "PackPolicy", "PackPrompt", "RelationType"]


class EmptySettings(BaseModel):
    """Settings of a pack that has none."""


@dataclass(frozen=True)
class ObjectType:
    """A type of objects that a pack owns.

    Attributes:
        schema: Pydantic model class of the objects' data.

    Raises:
        PackValidationError: No name, or a schema that is no `BaseModel` subclass.
    """

    name: str
    schema: type[BaseModel]
    description: str = ""

    def __post_init__(self) -> None:
        require_name("object type", self.name)
        if not _is_model(self.schema):
            raise refused(
                f"object type {self.name!r}: `schema` must be a BaseModel subclass, not {shown(self.schema)}",
                why="Data of this type is checked by its schema when it is added.",
                how_to_fix="from pydantic import BaseModel\n\nclass Volume(BaseModel):\n    size: int\n\n"
                f"ObjectType({self.name!r}, Volume)",
                name=self.name,
            )


@dataclass(frozen=True)
class RelationType:
    """A type of relations that a pack owns; no types for an end mean any.

    Raises:
        PackValidationError: No name, or types that are no list of names.
    """

    name: str
    source_types: tuple[str, ...] = ()
    target_types: tuple[str, ...] = ()
    description: str = ""

    def __post_init__(self) -> None:
        require_name("relation type", self.name)
        for field in ("source_types", "target_types"):
            _settle(self, field, tuple_of_texts(f"relation type {self.name!r}", field, getattr(self, field)))


@dataclass(frozen=True)
class PackPolicy:
    """Which object types a behavior is to ask for. It stops nobody: a behavior asks by `ctx.propose_object`.

    Raises:
        PackValidationError: No name, or types that are no list of names.
    """

    name: str
    requires_approval: tuple[str, ...] = ()
    auto_apply: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        require_name("policy", self.name)
        for field in ("requires_approval", "auto_apply"):
            _settle(self, field, tuple_of_texts(f"policy {self.name!r}", field, getattr(self, field)))


@dataclass(frozen=True)
class PackPrompt:
    """A text for a model. Its hash, not its version, is what a replay compares."""

    name: str
    version: str
    body: str
    content_hash: str

    @staticmethod
    def compute_hash(body: str) -> str:
        """`sha256:` and the first 16 hex digits of the body's SHA-256."""
        return f"sha256:{sha256(body.encode('utf-8')).hexdigest()[:16]}"

    @classmethod
    def from_body(cls, name: str, version: str, body: str) -> PackPrompt:
        """A prompt with the hash of its body."""
        return cls(name, version, body, cls.compute_hash(body))


@dataclass(frozen=True, eq=False)
class Pack:
    """What is shipped together. Two packs are equal if their names and versions are.

    Attributes:
        name: `[a-z][a-z0-9_]*`; canonical names of its behaviors, tools and policies begin with it.
        behaviors, tools: Made by the decorators of `activegraph.packs`.
        settings_schema: Pydantic model class of the settings.

    Raises:
        PackValidationError: A part that is not as a pack's parts are; the text says which.
    """

    name: str
    version: str
    description: str = ""
    object_types: tuple[ObjectType, ...] = ()
    relation_types: tuple[RelationType, ...] = ()
    behaviors: tuple[AnyBehavior, ...] = ()
    tools: tuple[Tool, ...] = ()
    policies: tuple[PackPolicy, ...] = ()
    prompts: tuple[PackPrompt, ...] = ()
    settings_schema: type[BaseModel] = EmptySettings

    def __post_init__(self) -> None:
        require_pack_name(self.name)
        require_version(self.name, self.version)
        if not _is_model(self.settings_schema):
            raise refused(
                f"pack {self.name!r}: `settings_schema` must be a BaseModel subclass, not {shown(self.settings_schema)}",
                why="Settings are checked by their schema, and recorded as it dumps them.",
                how_to_fix="from pydantic import BaseModel\n\nclass Settings(BaseModel):\n    threshold: float = 0.5\n\n"
                f"Pack(name={self.name!r}, settings_schema=Settings, ...)",
                pack=self.name,
            )
        for field, kind, classes in _PARTS:
            parts = tuple_of(f"pack {self.name!r}", field, kind, getattr(self, field), classes)
            _settle(self, field, parts)
            require_unique(self.name, kind, [part.name for part in parts])
        require_declared(self.name, "behavior", self.behaviors)
        require_declared(self.name, "tool", self.tools)

    def prompt_manifest(self) -> dict[str, dict[str, str]]:
        """Version and hash of each prompt, by its name."""
        return {prompt.name: {"version": prompt.version, "hash": prompt.content_hash} for prompt in self.prompts}

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Pack):
            return NotImplemented
        return (self.name, self.version) == (other.name, other.version)

    def __hash__(self) -> int:
        return hash((self.name, self.version))


_PARTS: tuple[tuple[str, str, tuple[type, ...]], ...] = (
    ("object_types", "object type", (ObjectType,)),
    ("relation_types", "relation type", (RelationType,)),
    ("behaviors", "behavior", (Behavior, RelationBehavior)),
    ("tools", "tool", (Tool,)),
    ("policies", "policy", (PackPolicy,)),
    ("prompts", "prompt", (PackPrompt,)),
)
"""Fields of a pack that hold several parts, what one is called, and of which class it is."""


@dataclass(frozen=True)
class DiscoveredPack:
    """An installed pack, as its entry point announces it (`module:attribute`)."""

    name: str
    version: str
    entry_point: str
    pack: Pack


def _is_model(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, BaseModel)


def _settle(value: object, field: str, settled: object) -> None:
    object.__setattr__(value, field, settled)


for _public in (DiscoveredPack, EmptySettings, ObjectType, Pack, PackPolicy, PackPrompt, RelationType):
    _public.__module__ = "activegraph.packs"
