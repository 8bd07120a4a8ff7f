"""The schema of an answer as a prompt shows it: JSON schema, and an example of an instance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["example_instance_from_schema", "schema_to_json"]

_DEEPEST = 6
_REFERENCES = ("#/$defs/", "#/definitions/")
_SCALARS: Mapping[str, Any] = {"string": "<string>", "integer": 0, "number": 0.0, "boolean": True, "null": None}


def schema_to_json(schema: type | None) -> dict[str, Any] | None:
    """The JSON schema of a model class; for another kind of class an object of its name; None for None."""
    if schema is None:
        return None
    dump = getattr(schema, "model_json_schema", None)
    if dump is None:
        return {"type": "object", "title": schema.__name__}
    described: dict[str, Any] = dump()
    return described


def example_instance_from_schema(schema: Mapping[str, Any]) -> Any:
    """A value of the shape that a JSON schema describes; the same for the same schema, always.

    Local references are followed. Choices take their first value or first arm that is not null; what is
    not understood, and what lies more than six levels deep, is null.
    """
    return _Example(schema).of(schema, 0, frozenset())


class _Example:
    def __init__(self, root: Mapping[str, Any]) -> None:
        self._root = root

    def of(self, node: Any, level: int, followed: frozenset[str]) -> Any:
        """An example of `node`; `followed` are the references taken since the last step down."""
        node, followed = self._resolved(node, followed)
        if node is None or level > _DEEPEST:
            return None
        if isinstance(node.get("enum"), list) and node["enum"]:
            return node["enum"][0]
        if "const" in node:
            return node["const"]
        for key in ("anyOf", "oneOf"):
            for arm in node.get(key) or ():
                if not self._is_null(arm, followed):
                    return self.of(arm, level, followed)
        return self._of_type(node, level)

    def _of_type(self, node: Mapping[str, Any], level: int) -> Any:
        kind = node.get("type")
        if isinstance(kind, list):
            kind = next((one for one in kind if one != "null"), "null")
        if kind is None and "properties" in node:
            kind = "object"
        if kind == "array":
            return [self.of(node["items"], level + 1, frozenset())] if "items" in node else []
        if kind == "object":
            properties = node.get("properties") or {}
            return {name: self.of(part, level + 1, frozenset()) for name, part in properties.items()}
        return _SCALARS.get(kind) if isinstance(kind, str) else None

    def _resolved(self, node: Any, followed: frozenset[str]) -> tuple[Mapping[str, Any] | None, frozenset[str]]:
        """The node behind references; None for what is no node, and for references in a circle."""
        while isinstance(node, Mapping) and isinstance(target := node.get("$ref"), str):
            if target in followed:
                return None, followed
            followed |= {target}
            node = self._target(target)
        return (node, followed) if isinstance(node, Mapping) else (None, followed)

    def _target(self, reference: str) -> Any:
        if not reference.startswith(_REFERENCES):
            return None
        node: Any = self._root
        for part in reference[2:].split("/"):
            name = part.replace("~1", "/").replace("~0", "~")
            node = node.get(name) if isinstance(node, Mapping) else None
        return node

    def _is_null(self, arm: Any, followed: frozenset[str]) -> bool:
        node, _ = self._resolved(arm, followed)
        return node is None or node.get("type") == "null"
