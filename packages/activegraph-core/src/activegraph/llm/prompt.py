"""Prompts: what is asked of a model, put together from the declaration, the view and the event, and its hash.

The hash names a question by its content: the same question has the same hash in every run and every process,
which is what caches, recordings and strict replay go by. Nothing here knows a run, a clock or a provider.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from activegraph.core.canonical_json import canonical_hash, canonical_json
from activegraph.core.event import Event
from activegraph.core.view import View
from activegraph.frame import Frame
from activegraph.llm.prompt_text import (
    build_instruction,
    build_system_prompt,
    build_user_message,
    event_text,
    serialize_view,
)
from activegraph.llm.schemas import example_instance_from_schema, schema_to_json
from activegraph.llm.template import checked_template
from activegraph.llm.types import LLMMessage

__all__ = [
    "AssembledPrompt",
    "assemble_prompt",
    "build_instruction",
    "build_system_prompt",
    "build_user_message",
    "example_instance_from_schema",
    "question",
    "schema_to_json",
    "serialize_view",
]


@dataclass(frozen=True)
class AssembledPrompt:
    """All that is sent to a model, but for the timeout.

    Attributes:
        messages: The conversation so far; one user message at first.
        temperature, top_p: As sent: 0.0 and 1.0 where `deterministic`.
        tools: Definitions of the tools that the model may ask for; None for none.
        sections: The texts it is made of: `system`, `view`, `event`, `instruction`, and `user` for the whole message.
    """

    system: str
    messages: list[LLMMessage]
    model: str
    max_tokens: int
    temperature: float
    top_p: float
    output_schema_name: str | None
    output_schema_json: dict[str, Any] | None
    deterministic: bool
    tools: list[dict[str, Any]] | None = None
    sections: dict[str, str] = field(default_factory=dict)

    def to_hashable(self) -> dict[str, Any]:
        """What the hash is over, as JSON values; it stands in the log as the `prompt` of a first request."""
        return question(
            model=self.model,
            system=self.system,
            messages=self.messages,
            output_schema_name=self.output_schema_name,
            output_schema_json=self.output_schema_json,
            max_tokens=self.max_tokens,
            temperature=self.temperature,
            top_p=self.top_p,
            deterministic=self.deterministic,
            tools=self.tools,
        )

    def canonical_json(self) -> str:
        """`to_hashable()` as the one text that is hashed: sorted keys, no spaces, ASCII."""
        return canonical_json(self.to_hashable())

    def hash(self) -> str:
        """SHA-256 of the canonical JSON: 64 hex digits."""
        return canonical_hash(self.to_hashable())


AssembledPrompt.__module__ = "activegraph.llm"


def question(
    *,
    model: str,
    system: str,
    messages: Iterable[LLMMessage],
    output_schema_name: str | None,
    output_schema_json: dict[str, Any] | None,
    max_tokens: int,
    temperature: float,
    top_p: float,
    deterministic: bool,
    tools: Sequence[dict[str, Any]] | None,
) -> dict[str, Any]:
    """The payload that names a question, as JSON values."""
    return {
        "model": model,
        "system": system,
        "messages": [message.to_dict() for message in messages],
        "output_schema_name": output_schema_name,
        "output_schema_json": output_schema_json,
        "max_tokens": int(max_tokens),
        "temperature": float(temperature),
        "top_p": float(top_p),
        "deterministic": bool(deterministic),
        "tools": list(tools) if tools else None,
    }


def assemble_prompt(
    *,
    behavior_name: str,
    description: str,
    model: str,
    output_schema: type | None,
    creates: Sequence[str],
    view: View,
    event: Event,
    frame: Frame | None,
    around: str | None,
    depth: int | None,
    max_tokens: int,
    temperature: float,
    top_p: float,
    deterministic: bool,
    prompt_template: str | None = None,
    tools: Sequence[dict[str, Any]] | None = None,
) -> AssembledPrompt:
    """Put a first turn's prompt together.

    Args:
        output_schema: Pydantic model class of the answer; None for free text.
        creates: Object types that the answer will be used for.
        around, depth: What the view was built with, for its heading.
        deterministic: Temperature 0.0 and top_p 1.0, whatever was asked.
        prompt_template: Replaces the user message.
        tools: Definitions of tools, by canonical name.

    Raises:
        ValueError: The template holds an unknown placeholder.
    """
    schema_name = None if output_schema is None else output_schema.__name__
    schema_json = schema_to_json(output_schema)
    sections = {
        "system": build_system_prompt(
            behavior_name=behavior_name,
            description=description,
            frame=frame,
            output_schema_name=schema_name,
            output_schema_json=schema_json,
        ),
        "view": serialize_view(view, around=around, depth=depth),
        "event": event_text(event),
        "instruction": build_instruction(creates=creates, output_schema_name=schema_name),
    }
    if prompt_template is None:
        parts = {name: sections[name] for name in ("view", "event", "instruction")}
        sections["user"] = build_user_message(**parts)
    else:
        sections["user"] = checked_template(prompt_template).format(**sections)
    return AssembledPrompt(
        system=sections["system"],
        messages=[LLMMessage("user", sections["user"])],
        model=model,
        max_tokens=max_tokens,
        temperature=0.0 if deterministic else temperature,
        top_p=1.0 if deterministic else top_p,
        output_schema_name=schema_name,
        output_schema_json=schema_json,
        deterministic=deterministic,
        tools=list(tools) if tools else None,
        sections=sections,
    )
