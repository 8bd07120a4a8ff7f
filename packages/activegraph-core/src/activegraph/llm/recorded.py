"""Providers that answer from files, and the one that writes these files.

A recording is `<folder>/<key>.json`: the question, readable, and its answer. The key is the hash of the
question, so a recording answers the same question in every run, on every machine, without a key or a network.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from activegraph.core.canonical_json import canonical_hash, canonical_json
from activegraph.core.log_lines import error_fields, say
from activegraph.errors import LLMBehaviorError
from activegraph.llm.cache import response_from_record
from activegraph.llm.models import FALLBACK_MODEL, default_model
from activegraph.llm.parsing import read_back
from activegraph.llm.prompt import question
from activegraph.llm.schemas import schema_to_json
from activegraph.llm.types import LLMMessage, LLMResponse
from activegraph.tools.fixtures import read_fixture, recorded_at, write_fixture

__all__ = ["RecordedLLMProvider", "RecordingLLMProvider"]

_logger = logging.getLogger("activegraph.llm")

_BEHAVIOR = re.compile(r'\AYou are an active-graph behavior named "(.*)"\.$', re.MULTILINE)


class RecordedLLMProvider:
    """Answers from recordings only; it never asks a model. Everything is free.

    Args:
        fixtures_dir: Folder with the recordings.
    """

    default_model = FALLBACK_MODEL

    def __init__(self, fixtures_dir: str | Path) -> None:
        self.fixtures_dir = Path(fixtures_dir)

    def complete(
        self,
        *,
        system: str,
        messages: list[LLMMessage],
        model: str,
        max_tokens: int,
        temperature: float,
        top_p: float,
        output_schema: type | None,
        timeout_seconds: float,
        tools: list[dict[str, Any]] | None = None,
    ) -> LLMResponse:
        """What was recorded for this question.

        Raises:
            LLMBehaviorError: `llm.fixture_missing` without a readable recording; `llm.schema_violation`
                where the recorded answer does not fit the schema any more.
        """
        asked = _asked(system, messages, model, max_tokens, temperature, top_p, output_schema, tools)
        key = canonical_hash(asked)
        try:
            recording = read_fixture(self.fixtures_dir / f"{key}.json")
        except FileNotFoundError as error:
            raise self._missing(key, asked, "was not recorded") from error
        except (OSError, ValueError) as error:
            raise self._missing(key, asked, f"has a recording that cannot be read: {error}") from error
        response = response_from_record(recording.get("response") or {}, finish_reason="end_turn")
        if output_schema is not None and response.parsed is not None:
            response.parsed = read_back(response.parsed, output_schema, raw_text=response.raw_text)
        return response

    def estimate_cost(self, *, input_tokens: int, output_tokens: int, model: str) -> Decimal:
        """Nothing."""
        return Decimal("0")

    def count_tokens(self, *, system: str, messages: list[LLMMessage], model: str) -> int:
        """A token for each four characters."""
        return rough_tokens(system, messages)

    def recognizes_model(self, name: str) -> bool:
        """Any model may have been recorded."""
        return True

    def _missing(self, key: str, asked: Mapping[str, Any], what: str) -> LLMBehaviorError:
        name = _behavior_in(asked)
        who = "this prompt" if name is None else f"this prompt of behavior {name!r}"
        nearest = _nearest(self.fixtures_dir, asked)
        if nearest is None:
            hint = "no prompt of the same behavior is recorded there"
        else:
            hint = (
                f"the nearest recorded prompt is {nearest[0]}, which differs in: {', '.join(nearest[1]) or 'nothing'}"
            )
        return LLMBehaviorError(
            "llm.fixture_missing",
            f"{who} ({key}) {what} in {self.fixtures_dir}; {hint}",
            payload_extras={"prompt_hash": key, "fixtures_dir": str(self.fixtures_dir)},
        )


class RecordingLLMProvider:
    """Lets another provider answer, and records each answer. The same question again replaces its file.

    Args:
        inner: Who is asked.
        fixtures_dir: Folder for the recordings; made here.
    """

    def __init__(self, inner: Any, fixtures_dir: str | Path) -> None:
        self.inner = inner
        self.default_model = default_model(inner)
        self.fixtures_dir = Path(fixtures_dir)
        self.fixtures_dir.mkdir(parents=True, exist_ok=True)

    @property
    def accepts_idempotency_key(self) -> bool:
        """Whether `inner` takes a key."""
        return bool(getattr(self.inner, "accepts_idempotency_key", False))

    def complete(
        self,
        *,
        system: str,
        messages: list[LLMMessage],
        model: str,
        max_tokens: int,
        temperature: float,
        top_p: float,
        output_schema: type | None,
        timeout_seconds: float,
        tools: list[dict[str, Any]] | None = None,
        **further: Any,
    ) -> LLMResponse:
        """What `inner` answered.

        An answer that cannot be written is given all the same, since it is paid for; a WARNING says so.

        Raises:
            LLMBehaviorError: As `inner` raised it.
        """
        response: LLMResponse = self.inner.complete(
            system=system,
            messages=messages,
            model=model,
            max_tokens=max_tokens,
            temperature=temperature,
            top_p=top_p,
            output_schema=output_schema,
            timeout_seconds=timeout_seconds,
            tools=tools,
            **further,
        )
        try:
            self._record(
                _asked(system, messages, model, max_tokens, temperature, top_p, output_schema, tools), response
            )
        except Exception as error:  # of the disk, or of a response of any class
            message = "answer not recorded in %s"
            say(_logger, logging.WARNING, message, self.fixtures_dir, model=model, **error_fields(error))
        return response

    def estimate_cost(self, *, input_tokens: int, output_tokens: int, model: str) -> Decimal:
        """That of `inner`."""
        cost: Decimal = self.inner.estimate_cost(input_tokens=input_tokens, output_tokens=output_tokens, model=model)
        return cost

    def count_tokens(self, *, system: str, messages: list[LLMMessage], model: str) -> int:
        """That of `inner`."""
        tokens: int = self.inner.count_tokens(system=system, messages=messages, model=model)
        return tokens

    def recognizes_model(self, name: str) -> bool:
        """What `inner` says; True if it does not say."""
        recognizes = getattr(self.inner, "recognizes_model", None)
        return bool(recognizes(name)) if callable(recognizes) else True

    def _record(self, asked: Mapping[str, Any], response: LLMResponse) -> None:
        key = canonical_hash(asked)
        write_fixture(
            self.fixtures_dir / f"{key}.json",
            {
                "prompt_hash": key,
                "recorded_at": recorded_at(),
                "model": asked["model"],
                "prompt": dict(asked),
                "response": response.to_dict(),
            },
        )


RecordedLLMProvider.__module__ = RecordingLLMProvider.__module__ = "activegraph.llm"


def rough_tokens(system: str, messages: Sequence[LLMMessage]) -> int:
    """A count of tokens from the number of characters alone: four make one, and there is at least one."""
    return max(1, (len(system) + sum(len(message.content) for message in messages)) // 4)


def _asked(
    system: str,
    messages: Sequence[LLMMessage],
    model: str,
    max_tokens: int,
    temperature: float,
    top_p: float,
    output_schema: type | None,
    tools: Sequence[dict[str, Any]] | None,
) -> dict[str, Any]:
    """The question as far as a provider sees it: whether a behavior is deterministic shows in the sampling only."""
    return question(
        model=model,
        system=system,
        messages=messages,
        output_schema_name=None if output_schema is None else output_schema.__name__,
        output_schema_json=schema_to_json(output_schema),
        max_tokens=max_tokens,
        temperature=temperature,
        top_p=top_p,
        deterministic=temperature == 0.0 and top_p == 1.0,
        tools=tools,
    )


def _behavior_in(prompt: Mapping[str, Any]) -> str | None:
    named = _BEHAVIOR.match(str(prompt.get("system", "")))
    return None if named is None else named[1]


def _nearest(folder: Path, asked: Mapping[str, Any]) -> tuple[str, list[str]] | None:
    """The recording of the same behavior that differs in the fewest keys, by the name of its file, and those keys."""
    name = _behavior_in(asked)
    best: tuple[str, list[str]] | None = None
    for path in sorted(folder.glob("*.json")):
        try:
            prompt = read_fixture(path).get("prompt")
        except (OSError, ValueError):
            continue
        if not isinstance(prompt, dict) or _behavior_in(prompt) != name:
            continue
        differing = [key for key in asked if canonical_json(asked[key]) != canonical_json(prompt.get(key))]
        if best is None or len(differing) < len(best[1]):
            best = (path.name, differing)
    return best
