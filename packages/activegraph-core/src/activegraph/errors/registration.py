"""Errors about declaring and looking up behaviors, tools and optional parts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from activegraph.errors.base import RegistrationError, shown

__all__ = [
    "AmbiguousBehaviorError",
    "AmbiguousToolError",
    "BehaviorNotFoundError",
    "InvalidActivateAfter",
    "InvalidToolRegistration",
    "MissingOptionalDependency",
    "MissingProviderSDK",
    "MissingToolError",
    "ToolNotFoundError",
    "not_installed",
]

_NAMES_SHOWN = 6
_LONGEST_SPEC = 100_000


class MissingOptionalDependency(RegistrationError, ModuleNotFoundError):
    """An optional package is needed and not installed."""

    def __init__(self, *, package: str, feature: str, extras: str | None = None) -> None:
        named = f"'{package}'" if "[" in package else package  # a shell takes brackets for a pattern
        install = f"pip install 'activegraph[{extras}]'" if extras else f"pip install {named}"
        context: dict[str, Any] = {"package": package, "feature": feature}
        if extras:
            context["extras"] = extras
        super().__init__(
            f"{feature} requires the '{package}' Python package",
            what_failed=f"{feature} was used, and '{package}' is not installed.",
            why="Optional parts are distributions of their own, so that the core stays small.",
            how_to_fix=install,
            context=context,
        )
        self.package = package
        self.feature = feature
        self.extras = extras


def not_installed(module: str, distribution: str, *, extras: str | None = None) -> MissingOptionalDependency:
    """The error of importing a module that another distribution of ours would bring."""
    missing = MissingOptionalDependency(package=distribution, feature=module, extras=extras)
    missing.name = module
    return missing


class MissingProviderSDK(MissingOptionalDependency, RuntimeError):
    """A model provider is asked, and the SDK that it speaks through is not installed."""


class _NotFound(RegistrationError, LookupError):
    _kind = "thing"

    def __init__(self, name: str, *, registered: Iterable[str] | None = None, **context: Any) -> None:
        known = tuple(registered or ())
        super().__init__(
            f"no {self._kind} named {name!r}",
            what_failed=f"Looking up {self._kind} {name!r}.",
            why=f"{self._kind.capitalize()}s are found by their exact name.",
            how_to_fix=f"Register it, or use one of the known names: {_shown(known)}",
            context={"name": name, "registered": known, **context},
        )
        self.name = name
        self.registered = known


def _shown(known: tuple[str, ...]) -> str:
    if not known:
        return "none"
    more = len(known) - _NAMES_SHOWN
    return ", ".join(known[:_NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")


class BehaviorNotFoundError(_NotFound):
    """No behavior has this name."""

    _kind = "behavior"

    def __init__(self, name: str, *, registered: Iterable[str] | None = None, pack_state: bool = False) -> None:
        super().__init__(name, registered=registered, pack_state=pack_state)


class ToolNotFoundError(_NotFound):
    """No tool has this name."""

    _kind = "tool"

    def __init__(self, name: str, *, registered: Iterable[str] | None = None) -> None:
        super().__init__(name, registered=registered)


class _Ambiguous(RegistrationError, ValueError):
    _kind = "thing"

    def __init__(self, name: str, *, packs: Iterable[str] | None = None) -> None:
        owners = tuple(packs or ())
        full = ", ".join(f"{pack}.{name}" for pack in owners) or f"<pack>.{name}"
        super().__init__(
            f"{self._kind} name {name!r} is ambiguous: several packs have it: {', '.join(owners) or 'unknown'}",
            what_failed=f"Looking up {self._kind} {name!r} by its short name.",
            why="A short name must mean one thing.",
            how_to_fix=f"Use the full name: {full}",
            context={"name": name, "packs": owners},
        )
        self.name = name
        self.packs = owners


class AmbiguousBehaviorError(_Ambiguous):
    """A behavior's short name exists in several packs."""

    _kind = "behavior"


class AmbiguousToolError(_Ambiguous):
    """A tool's short name exists in several packs."""

    _kind = "tool"


class InvalidToolRegistration(RegistrationError, TypeError):
    """Something that is no tool was given as one."""

    def __init__(self, value: object) -> None:
        text = shown(value)
        super().__init__(
            f"{text} of type {type(value).__name__} is no Tool",
            what_failed=f"`tools=` holds a {type(value).__name__}: {text}",
            why="The runtime calls tools by their declaration: name, schema and cost.",
            how_to_fix="Declare the function with @tool, and pass what the decorator returns: tools=[...]",
            context={"type": type(value).__name__, "repr": text},
        )
        self.value = value


class MissingToolError(RegistrationError, RuntimeError):
    """A behavior names a tool that is not there."""

    def __init__(
        self, tool_name: str, *, behavior_name: str | None = None, registered: Iterable[str] | None = None
    ) -> None:
        known = tuple(registered or ())
        more = len(known) - _NAMES_SHOWN
        names = ", ".join(known[:_NAMES_SHOWN]) + (f" (+{more} more)" if more > 0 else "")
        who = "a behavior" if behavior_name is None else f"behavior {behavior_name!r}"
        super().__init__(
            f"{who} names the tool {tool_name!r}, which is not registered",
            what_failed=f"Resolving `tools=` of {who}: there is no tool {tool_name!r}. Nothing was run.",
            why="A model is told of its tools before its first call; a name without a tool behind it could not be called.",
            how_to_fix=(
                f"Import the module that declares it with @tool, or pass it: Runtime(graph, tools=[...])\n"
                f"Registered tools: {names or 'none'}"
            ),
            context={"tool_name": tool_name, "behavior_name": behavior_name, "registered": known},
        )
        self.tool_name = tool_name
        self.behavior_name = behavior_name
        self.registered = known


class InvalidActivateAfter(RegistrationError, ValueError):
    """A delay that is no whole number of events."""

    def __init__(self, *, spec: object, kind: str, hint: str) -> None:
        text = shown(spec, _LONGEST_SPEC)
        super().__init__(
            f"activate_after={text} is invalid ({kind})",
            what_failed=f"Declaring a behavior with `activate_after={text}`.",
            why="Delays are counted in dispatched events, never in time, so that a replay waits as long as the run did.",
            how_to_fix=hint,
            context={"spec": text, "kind": kind, "hint": hint},
        )
        self.spec = spec
        self.kind = kind
        self.hint = hint
