"""One pack as one runtime has it: its settings, and copies of its behaviors and tools under canonical names.

The pack itself is never changed, so that it serves other runtimes too.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from functools import partial
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from activegraph.behaviors.base import AnyBehavior, RelationBehavior
from activegraph.errors import PackValidationError
from activegraph.packs.declaring import when_of
from activegraph.packs.settings import recorded_form, settings_parameters

if TYPE_CHECKING:
    from activegraph.packs.values import Pack

__all__ = ["Attachment", "changes_between", "make_attachment"]


class Attachment(Struct, frozen=True):
    """A pack with the settings that it was loaded with."""

    pack: Any
    settings: Any
    """The effective settings, an instance of the pack's schema."""
    behaviors: tuple[AnyBehavior, ...]
    """The active ones, in declaration order."""
    inactive: tuple[str, ...]
    """Canonical names of those that `when=` left out."""

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
            "tools": [],
            "policies": self.policies(),
            "prompts": pack.prompt_manifest(),
            "settings": recorded_form(self.settings),
        }
        if self.inactive:
            payload["inactive_behaviors"] = list(self.inactive)
        return payload


def make_attachment(pack: Pack, settings: Any) -> Attachment:
    """`pack` as a runtime uses it with these settings.

    Raises:
        PackValidationError: A `when=` predicate raised.
    """
    active: list[AnyBehavior] = []
    inactive: list[str] = []
    for behavior in pack.behaviors:
        if _takes_part(behavior, pack, settings):
            active.append(_canonical(behavior, pack, settings))
        else:
            inactive.append(f"{pack.name}.{behavior.name}")
    return Attachment(pack, settings, tuple(active), tuple(inactive))


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
    own = copy(behavior)
    own.name = f"{pack.name}.{behavior.name}"
    standard = 4 if isinstance(behavior, RelationBehavior) else 3
    if own.fn is not None:
        own.fn = _given_settings(own.fn, pack, settings, standard)
    return own


def _given_settings(fn: Any, pack: Pack, settings: Any, standard: int) -> Any:
    names = settings_parameters(fn, pack.settings_schema, standard)
    return partial(fn, **dict.fromkeys(names, settings)) if names else fn


_CONTENT = (
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
    for key in _CONTENT:
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
    from activegraph.core.codec import encode_payload_bytes

    return encode_payload_bytes({"": old}) == encode_payload_bytes({"": new})
