"""Packs: object types, behaviors, tools, prompts and settings that are shipped together. Names load when first used.

A pack is a frozen value and registers nothing. `Runtime.load_pack` works on copies of what it
holds, so one pack serves many runtimes.
"""

__path__ = __import__("pkgutil").extend_path(__path__, __name__)

from typing import TYPE_CHECKING, Any

__path__.append(f"{__path__[0]}/absent")  # last: where nobody has brought a module, it says what to install

_MODULES = {
    "activegraph.errors": (
        "PackConflictError",
        "PackError",
        "PackNotFoundError",
        "PackPromptLoadError",
        "PackSchemaViolation",
        "PackSettingsMissingError",
        "PackValidationError",
        "PackVersionConflictError",
    ),
    "activegraph.packs.decorators": ("behavior", "llm_behavior", "relation_behavior", "tool"),
    "activegraph.packs.discovery": ("clear_discovery_cache", "discover", "load_by_name"),
    "activegraph.packs.pending": ("PendingApproval",),
    "activegraph.packs.prompts": ("load_prompts_from_dir",),
    "activegraph.packs.values": (
        "DiscoveredPack",
        "EmptySettings",
        "ObjectType",
        "Pack",
        "PackPolicy",
        "PackPrompt",
        "RelationType",
    ),
}

_HOME = {name: module for module, names in _MODULES.items() for name in names}

__all__ = sorted(_HOME)  # noqa: PLE0605 - names, made above


def __getattr__(name: str) -> Any:
    module = _HOME.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    try:
        value = getattr(import_module(module), name)
    except ModuleNotFoundError as error:
        if error.name != "pydantic":
            raise
        from activegraph.errors import MissingOptionalDependency

        raise MissingOptionalDependency(
            package="pydantic", feature="activegraph.packs (the pack format)", extras="llm"
        ) from error
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


if TYPE_CHECKING:
    from activegraph.errors import PackConflictError as PackConflictError
    from activegraph.errors import PackError as PackError
    from activegraph.errors import PackNotFoundError as PackNotFoundError
    from activegraph.errors import PackPromptLoadError as PackPromptLoadError
    from activegraph.errors import PackSchemaViolation as PackSchemaViolation
    from activegraph.errors import PackSettingsMissingError as PackSettingsMissingError
    from activegraph.errors import PackValidationError as PackValidationError
    from activegraph.errors import PackVersionConflictError as PackVersionConflictError
    from activegraph.packs.decorators import behavior as behavior
    from activegraph.packs.decorators import llm_behavior as llm_behavior
    from activegraph.packs.decorators import relation_behavior as relation_behavior
    from activegraph.packs.decorators import tool as tool
    from activegraph.packs.discovery import clear_discovery_cache as clear_discovery_cache
    from activegraph.packs.discovery import discover as discover
    from activegraph.packs.discovery import load_by_name as load_by_name
    from activegraph.packs.pending import PendingApproval as PendingApproval
    from activegraph.packs.prompts import load_prompts_from_dir as load_prompts_from_dir
    from activegraph.packs.values import DiscoveredPack as DiscoveredPack
    from activegraph.packs.values import EmptySettings as EmptySettings
    from activegraph.packs.values import ObjectType as ObjectType
    from activegraph.packs.values import Pack as Pack
    from activegraph.packs.values import PackPolicy as PackPolicy
    from activegraph.packs.values import PackPrompt as PackPrompt
    from activegraph.packs.values import RelationType as RelationType
