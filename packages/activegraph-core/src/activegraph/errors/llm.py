"""Errors about language models: a call that failed, a provider that is missing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from activegraph.errors.base import RegistrationError
from activegraph.errors.reasons import Explanation, _ReasonedError

__all__ = ["LLMBehaviorError", "MissingProviderError"]


_EXPLANATIONS: Mapping[str, Explanation] = {
    "llm.parse_error": (
        "The behavior asked for JSON of a schema, and its handler is given nothing else; the answer holds no JSON.",
        "Read `raw_text` in `payload_extras`. An answer that stops in the middle needs a larger `max_tokens=`; "
        "one that explains instead of answering needs a plainer `description=` or a smaller schema.",
    ),
    "llm.schema_violation": (
        "The answer is JSON of another shape than the schema, and a handler must be able to trust what it is given.",
        "Compare `validation_errors` with `raw_text`, both in `payload_extras`; then loosen the schema where "
        "the answer is right, or say in `description=` what the fields mean.",
    ),
    "llm.fixture_missing": (
        "A recorded provider answers from its files alone; it never calls a model for what it does not have.",
        "Record the answer: run once with RecordingLLMProvider(<a real provider>, <the same directory>). "
        "If it was recorded before, the prompt has changed; the message says in what.",
    ),
    "llm.rate_limited": (
        "The provider refuses more calls for now, and the runtime does not wait unless it is told to.",
        "Let the runtime try again, after the wait that the provider names:\n"
        "    Runtime(..., llm_retry_max_attempts=5)\n"
        "or ask your provider for a higher limit.",
    ),
    "llm.network_error": (
        "The request did not lead to an answer: connection, timeout, server, key or the request itself.",
        "`error_kind` in `payload_extras` says which. For `auth`, set the provider's key in the environment; for "
        "`invalid_request`, correct the model name or the limits; for all others, `llm_retry_max_attempts=` "
        "lets the runtime try again.",
    ),
    "llm.prompt_assembly_error": (
        "A model is asked only with a whole prompt; what is missing or malformed would change its answer unseen.",
        "Look at what it is put together from: `prompt_template=`, `output_schema=`, `view=`. "
        "`behavior.build_prompt(event, graph)` does the same without a model.",
    ),
}


class LLMBehaviorError(_ReasonedError):
    """A model could not be asked, or its answer could not be used. Raised by providers, and by handlers at will."""

    _what = "Asking a language model"
    _explanations: ClassVar[Mapping[str, Explanation]] = _EXPLANATIONS


class MissingProviderError(RegistrationError, RuntimeError):
    """An LLM behavior is to run, and the runtime has no provider to ask."""

    def __init__(self, behavior_name: str | None = None) -> None:
        who = "an LLM behavior" if behavior_name is None else f"LLM behavior {behavior_name!r}"
        context: dict[str, Any] = {"behavior_name": behavior_name}
        super().__init__(
            f"{who} needs a provider, and the runtime has none",
            what_failed=f"Running with {who} and no `llm_provider=`. Nothing was emitted.",
            why="The runtime chooses no model by itself: which provider is asked, and paid, is the host's decision.",
            how_to_fix=(
                "Give the runtime one:\n"
                "    from activegraph.llm import AnthropicProvider\n"
                "    Runtime(graph, llm_provider=AnthropicProvider())\n"
                "or answer from recorded files, without a key: RecordedLLMProvider(directory)."
            ),
            context=context,
        )
        self.behavior_name = behavior_name
