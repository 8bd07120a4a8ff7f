"""Tool names on the wire. A canonical name may hold dots, which the providers refuse.

One table serves one request: names go out through it and come back through it, so that nothing has to be guessed
from the spelling. The log, the caches and the hashes only ever see canonical names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from activegraph.llm.types import LLMMessage

__all__ = ["WireNames", "names_of_request"]

_REFUSED = re.compile(r"[^A-Za-z0-9_-]")


class WireNames:
    """The names of one request, both ways.

    Raises:
        ValueError: Two of them would be one on the wire.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._canonical: dict[str, str] = {}
        for name in names:
            wire = self.outgoing(name)
            other = self._canonical.setdefault(wire, name)
            if other != name:
                raise ValueError(f"tools {other!r} and {name!r} would both be called {wire!r} on the wire; rename one")

    def outgoing(self, name: str) -> str:
        """A canonical name as the provider takes it."""
        return _REFUSED.sub("_", name.replace(".", "__"))

    def incoming(self, wire: str) -> str:
        """The canonical name behind one that the model used; a name of its own invention stays as it is."""
        return self._canonical.get(wire, wire)


def names_of_request(tools: Sequence[dict[str, Any]] | None, messages: Sequence[LLMMessage]) -> WireNames:
    """The table of a request: the tools that it offers, and those that its messages tell of."""
    offered = [str(tool["name"]) for tool in tools or ()]
    told = [call.name for message in messages for call in message.tool_calls or ()]
    return WireNames([*offered, *told])
