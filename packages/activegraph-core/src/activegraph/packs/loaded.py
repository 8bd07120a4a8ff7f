"""The packs of one runtime: an immutable list, so that a failed load leaves the old one in place.

`status()` may read it from another thread while a pack is being loaded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from activegraph.behaviors.base import AnyBehavior
    from activegraph.packs.attachment import Attachment
    from activegraph.packs.schemas import Schemas
    from activegraph.packs.values import Pack
    from activegraph.tools.base import Tool

__all__ = ["NO_PACKS", "LoadedPacks"]


class LoadedPacks:
    """Attached packs in load order, and what is looked up in them."""

    def __init__(self, attachments: tuple[Attachment, ...] = ()) -> None:
        self.attachments = attachments
        self.behaviors = tuple(behavior for each in attachments for behavior in each.behaviors)
        packs = tuple(each.pack for each in attachments)
        has_types = any(pack.object_types or pack.relation_types for pack in packs)
        self.schemas = _schemas(packs) if has_types else None
        """Checks of objects and relations; None where no pack declares a type."""
        self.tools = {tool.name: tool for each in attachments for tool in each.tools}
        """Tools by canonical name."""
        self.exported = {name: tool for each in attachments for name, tool in each.exported.items()}
        """Tools by the short names under which others may call them too."""
        self._by_name = {each.name: each for each in attachments}
        self._copies = {
            id(tool): ours for each in attachments for tool, ours in zip(each.pack.tools, each.tools, strict=True)
        }
        self._owner = {id(behavior): each for each in attachments for behavior in each.behaviors}

    def plus(self, attachment: Attachment) -> LoadedPacks:
        """These packs and one more."""
        return LoadedPacks((*self.attachments, attachment))

    def with_replaced(self, attachment: Attachment) -> LoadedPacks:
        """These packs and one more, in the place of the one of its name, if there is one."""
        if attachment.name not in self._by_name:
            return self.plus(attachment)
        return LoadedPacks(tuple(attachment if each.name == attachment.name else each for each in self.attachments))

    def find(self, name: str) -> Attachment | None:
        """The pack of this name."""
        return self._by_name.get(name)

    def settings(self, name: str) -> Any:
        """The settings of a pack; None if it is not loaded."""
        found = self._by_name.get(name)
        return None if found is None else found.settings

    def settings_of(self, behavior: AnyBehavior) -> Any:
        """The settings of the pack that a behavior belongs to; None for one of no pack."""
        found = self._owner.get(id(behavior))
        return None if found is None else found.settings

    def gate_of(self, object_type: str) -> str:
        """The first pack whose policies want approval for this type; empty if none does."""
        return next((each.name for each in self.attachments if each.gates(object_type)), "")

    def copy_of(self, tool: Tool) -> Tool:
        """A pack's tool as this runtime has it, under its canonical name; itself if it is of none of these packs."""
        return self._copies.get(id(tool), tool)

    def with_short_name(self, name: str) -> list[tuple[str, AnyBehavior]]:
        """The behaviors that are called `name` within their packs, with the packs' names."""
        return [
            (each.name, behavior)
            for each in self.attachments
            for behavior in each.behaviors
            if behavior.name == f"{each.name}.{name}"
        ]

    def tools_with_short_name(self, name: str) -> list[tuple[str, Tool]]:
        """The tools that are called `name` within their packs, with the packs' names."""
        return [
            (each.name, tool) for each in self.attachments for tool in each.tools if tool.name == f"{each.name}.{name}"
        ]


def _schemas(packs: tuple[Pack, ...]) -> Schemas:
    from activegraph.packs.schemas import Schemas

    return Schemas(packs)


NO_PACKS = LoadedPacks()
