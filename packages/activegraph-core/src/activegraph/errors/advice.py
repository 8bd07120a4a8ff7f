"""Commands that errors advise, written so that they can be pasted into a shell whatever ids are called."""

from __future__ import annotations

__all__ = ["option"]


def option(name: str, value: str) -> str:
    """`--run-id run_a`; quoted where the value means something to a shell, joined where it looks like an option."""
    import shlex

    return f"{name}={shlex.quote(value)}" if value.startswith("-") else f"{name} {shlex.quote(value)}"
