"""Prompt templates: which placeholders they may hold, checked where they are declared."""

from __future__ import annotations

from string import Formatter

__all__ = ["PLACEHOLDERS", "checked_template"]

PLACEHOLDERS = ("system", "view", "event", "instruction")


def checked_template(template: str) -> str:
    """`template` if it can be filled in.

    Raises:
        ValueError: It holds another placeholder, or braces that do not pair.
        TypeError: It is no text.
    """
    if not isinstance(template, str):
        raise TypeError(f"`prompt_template` must be text, not {type(template).__name__}")
    try:
        parts = list(Formatter().parse(template))
    except ValueError as error:
        raise ValueError(f"`prompt_template` cannot be read: {error}; write {{{{ and }}}} for braces") from None
    for _, name, format_spec, _ in parts:
        if name is None:
            continue
        if name not in PLACEHOLDERS:
            allowed = ", ".join(f"{{{known}}}" for known in PLACEHOLDERS)
            raise ValueError(f"unknown placeholder {{{name}}} in `prompt_template`; the allowed ones are {allowed}")
        if format_spec:
            checked_template(format_spec)
    return template
