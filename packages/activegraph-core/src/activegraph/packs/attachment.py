"""One pack as one runtime has it: its settings, and copies of its behaviors and tools under canonical names.

The pack itself is never changed, so that it serves other runtimes too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import copy
from functools import partial
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from activegraph.behaviors.base import AnyBehavior, RelationBehavior
from activegraph.core.codec import encode_payload_bytes
from activegraph.errors import PackValidationError
from activegraph.llm.behavior import LLMBehavior
from activegraph.packs.declaring import meta_of, when_of
from activegraph.packs.settings import recorded_form, settings_parameters
from activegraph.tools.base import Tool

if TYPE_CHECKING:
    from activegraph.packs.values import Pack

__all__ = ["CONTENT", "Attachment", "ToolOf", "changes_between", "make_attachment"]


class Attachment(Struct, frozen=True):
    """A pack with the settings that it was loaded with."""

    pack: Any
    settings: Any
    """The effective settings, an instance of the pack's schema."""
    behaviors: tuple[AnyBehavior, ...]
    """The active ones, in declaration order."""
    inactive: tuple[str, ...]
    """Canonical names of those that `when=` left out."""
    tools: tuple[Tool, ...]
    exported: dict[str, Tool]
    """Tools that are called by their short names too."""

    @property
    def name(self) -> str:
        """The pack's name."""
        return str(self.pack.name)

    def policies(self) -> list[str]:
        """Canonical names of the policies."""
        return [f"{self.name}.{policy.name}" for policy in self.pack.policies]

    def gates(self, object_type: str) -> bool:
        """Whether a policy says that objects of this type want approval."""
        return any(object_type in policy.requires_approval for policy in self.pack.policies)

    def payload(self) -> dict[str, Any]:
        """What `pack.loaded` says, keys in order."""
        pack = self.pack
        payload: dict[str, Any] = {
            "name": pack.name,
            "version": pack.version,
            "description": pack.description,
            "object_types": [each.name for each in pack.object_types],
            "relation_types": [each.name for each in pack.relation_types],
            "behaviors": [each.name for each in self.behaviors],
            "tools": [each.name for each in self.tools],
            "policies": self.policies(),
            "prompts": pack.prompt_manifest(),
            "settings": recorded_form(self.settings),
        }
        if self.inactive:
            payload["inactive_behaviors"] = list(self.inactive)
        return payload


ToolOf = Callable[[str, Tool | str], Tool]
"""Gives the tool that a behavior means: the behavior's canonical name, and a text or another pack's tool."""


def make_attachment(pack: Pack, settings: Any, tool_of: Callable[[Mapping[str, Tool]], ToolOf]) -> Attachment:
    """`pack` as a runtime uses it with these settings.

    Args:
        tool_of: Takes the pack's own tools by canonical name, and finds those that behaviors name.

    Raises:
        PackValidationError: A `when=` predicate raised.
        MissingToolError, AmbiguousToolError: Of `tool_of`.
    """
    copies = {id(tool): _named(tool, pack) for tool in pack.tools}
    own = {tool.name: tool for tool in copies.values()}
    exported = {tool.name: copies[id(tool)] for tool in pack.tools if meta_of(tool).get("export_globally")}
    find = tool_of(own)
    active: list[AnyBehavior] = []
    inactive: list[str] = []
    for behavior in pack.behaviors:
        if not _takes_part(behavior, pack, settings):
            inactive.append(f"{pack.name}.{behavior.name}")
            continue
        ours = _canonical(behavior, pack, settings)
        if isinstance(ours, LLMBehavior):
            ours.tools = [copies.get(id(one)) or find(ours.name, one) for one in ours.tools]
        active.append(ours)
    return Attachment(pack, settings, tuple(active), tuple(inactive), tuple(own.values()), exported)


def _named(tool: Tool, pack: Pack) -> Tool:
    ours = copy(tool)
    ours.name = f"{pack.name}.{tool.name}"
    return ours


def _takes_part(behavior: AnyBehavior, pack: Pack, settings: Any) -> bool:
    when = when_of(behavior)
    if when is None:
        return True
    try:
        return bool(when(settings))
    except Exception as error:  # the predicate is the author's
        raise PackValidationError(
            f"pack {pack.name!r}: `when` of behavior {behavior.name!r} raised {type(error).__name__}",
            what_failed=f"Loading pack {pack.name!r} {pack.version}: asking whether {behavior.name!r} takes part. "
            f"Nothing was changed.\n{type(error).__name__}: {error}",
            why="What a pack brings depends on its settings alone, and is recorded when it is loaded.",
            how_to_fix="Let `when` read the settings and nothing else: when=lambda settings: settings.mode == 'rules'",
            context={"pack": pack.name, "behavior": behavior.name},
        ) from error


def _canonical(behavior: AnyBehavior, pack: Pack, settings: Any) -> AnyBehavior:
    """A copy under the canonical name, its function given the settings where it asks for them."""
    ours = copy(behavior)
    ours.name = f"{pack.name}.{behavior.name}"
    if isinstance(ours, LLMBehavior):
        ours.handler = _given_settings(ours.handler, pack, settings, 4)
        ours.description = _with_prompt(ours.description, behavior.name, pack)
        if ours.model is None:
            ours.model = _model_of(settings)
    elif ours.fn is not None:
        ours.fn = _given_settings(ours.fn, pack, settings, 4 if isinstance(ours, RelationBehavior) else 3)
    return ours


def _given_settings(fn: Any, pack: Pack, settings: Any, standard: int) -> Any:
    names = settings_parameters(fn, pack.settings_schema, standard)
    return partial(fn, **dict.fromkeys(names, settings)) if names else fn


def _with_prompt(description: str, short_name: str, pack: Pack) -> str:
    """The description of an LLM behavior, and below it the pack's prompt of its name."""
    body = next((prompt.body for prompt in pack.prompts if prompt.name == short_name), "")
    return "\n\n".join(part for part in (description.strip(), body.strip()) if part) if body else description


def _model_of(settings: Any) -> str | None:
    """The model that the pack's settings name for its behaviors."""
    model = getattr(settings, "llm_model", None)
    return model if isinstance(model, str) and model else None


CONTENT = (
    "version",
    "prompts",
    "settings",
    "object_types",
    "relation_types",
    "behaviors",
    "inactive_behaviors",
    "tools",
    "policies",
)
"""What two `pack.loaded` of one name are compared by."""


def changes_between(recorded: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What differs between two payloads of `pack.loaded`, in words; empty if their content is the same."""
    changed: list[str] = []
    for key in CONTENT:
        old, new = recorded.get(key), now.get(key)
        if _same(old, new):
            continue
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            names = [name for name in {**old, **new} if not _same(old.get(name), new.get(name))]
            changed.append(f"{key} ({', '.join(names)})")
        elif key == "version":
            changed.append(f"version ({old} -> {new})")
        else:
            changed.append(key)
    return changed


def _same(old: Any, new: Any) -> bool:
    return encode_payload_bytes({"": old}) == encode_payload_bytes({"": new})
