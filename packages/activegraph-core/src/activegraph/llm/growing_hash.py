"""The hash of a prompt whose conversation grows: what stood there before is not hashed again."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256

from activegraph.core.canonical_json import canonical_json
from activegraph.llm.prompt import AssembledPrompt
from activegraph.llm.types import LLMMessage

__all__ = ["GrowingHash"]

_GROWING = "messages"


class GrowingHash:
    """Gives what `AssembledPrompt.hash` gives for the same prompt with the messages so far.

    Canonical JSON has its keys in order, so all that comes before the messages is hashed once, and
    all that comes behind them is short.
    """

    def __init__(self, prompt: AssembledPrompt) -> None:
        question = prompt.to_hashable()
        question.pop(_GROWING)
        before = {key: value for key, value in question.items() if key < _GROWING}
        behind = {key: value for key, value in question.items() if key > _GROWING}
        self._open = sha256(f'{canonical_json(before)[:-1]},"{_GROWING}":['.encode())
        self._end = f"],{canonical_json(behind)[1:]}".encode()
        self._is_first = True
        self.add(prompt.messages)

    def add(self, messages: Iterable[LLMMessage]) -> None:
        """Messages that the conversation goes on with."""
        for message in messages:
            text = canonical_json(message.to_dict())
            self._open.update((text if self._is_first else f",{text}").encode())
            self._is_first = False

    def hexdigest(self) -> str:
        """The hash of the prompt with all messages that were added: 64 hex digits."""
        whole = self._open.copy()
        whole.update(self._end)
        return whole.hexdigest()
