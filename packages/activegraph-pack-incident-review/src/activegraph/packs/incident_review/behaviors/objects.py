"""What behaviors share: views of one incident, its objects by relation, and handing something in."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from activegraph.core.elements import Object
from activegraph.core.view import View
from activegraph.packs.incident_review.rules.case import SignalView

__all__ = [
    "NOTHING",
    "around",
    "around_for_model",
    "hand_in",
    "incident_in",
    "most_telling",
    "signals_in",
    "sources_of",
]

_Quote = TypeVar("_Quote")

NOTHING: dict[str, Any] = {"around": [], "recent_events": 0}
"""The view of a behavior that needs none."""


def around(path: str, depth: int, *types: str) -> dict[str, Any]:
    """A view that lies around what the payload names: a behavior sees its own incident only.

    So a long run costs no more per incident, and no event of bookkeeping is in a prompt.
    """
    view: dict[str, Any] = {"around": f"event.payload.{path}", "depth": depth, "recent_events": 0}
    return view | {"include_types": list(types)} if types else view


def around_for_model(path: str, depth: int, *types: str) -> dict[str, Any]:
    """The same where a model reads it: somebody's log may hold more signals than a prompt should."""
    return around(path, depth, *types) | {"token_budget": 24_000}


def hand_in(graph: Any, ctx: Any, type: str, data: dict[str, Any], *, approved: bool) -> None:
    """Add an object, or ask for it where somebody has to approve of it first."""
    if approved:
        graph.add_object(type, data)
    else:
        ctx.propose_object(type, data, reason=f"{type}: {data['title']}")


def incident_in(view: View) -> Object:
    """The one incident of a view that lies around it."""
    return view.objects("incident")[0]


def signals_in(view: View) -> list[SignalView]:
    """The signals of a view, as rules read them."""
    return [SignalView.of(signal.id, signal.data) for signal in view.objects("signal")]


def sources_of(view: View, target: str, relation: str) -> list[str]:
    """Ids of what points to an object by a relation of this type, each once."""
    return [*dict.fromkeys(each.source for each in view.relations(relation, target=target))]


def most_telling(
    quotes: Iterable[_Quote], *, most: int, weight: Callable[[_Quote], float], is_against: Callable[[_Quote], bool]
) -> list[_Quote]:
    """The quotes that a hypothesis takes along: the best one for it, all against it, then the others for it.

    What speaks against a claim is not left out for want of room; none where nothing speaks for it.
    """
    ranked = sorted(quotes, key=lambda quote: (not is_against(quote), -weight(quote)))
    best = next((quote for quote in ranked if not is_against(quote)), None)
    if best is None:
        return []
    return [best, *(quote for quote in ranked if quote is not best)][:most]
