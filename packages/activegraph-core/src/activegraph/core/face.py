"""What a graph shows of its run: its elements, found by id, type, ends and conditions, and its log. Nothing here changes anything."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from activegraph.core.elements import Object, Relation, object_handle, relation_handle
from activegraph.core.event import Event
from activegraph.core.keys import look_up, require_key
from activegraph.core.log import EventSequence, RunLog
from activegraph.core.neighborhood import neighborhood
from activegraph.core.patch import Patch, patch_handle
from activegraph.core.projection import Projection
from activegraph.core.recorder import Recorder
from activegraph.core.where import compile_where
from activegraph.errors import InvalidArgumentType
from activegraph.errors.base import shown

if TYPE_CHECKING:
    from activegraph.store.base import EventStore

__all__ = ["GraphFace"]


class GraphFace:
    """The looking half of a `Graph`."""

    _projection: Projection
    _log: RunLog
    _recorder: Recorder
    _replayed: int
    """How many events, from the first on, came from a load or a fork."""
    _replayed_ids: frozenset[str] | None

    @property
    def events(self) -> Sequence[Event]:
        """All events in log order, read from the store when looked at; supports len, indexing, slices, iteration."""
        return EventSequence(self._log, self._recorder.step)

    @property
    def replayed_ids(self) -> frozenset[str]:
        """Ids of the events that came from a load or a fork."""
        if self._replayed_ids is None:
            self._replayed_ids = frozenset(event.id for event in self._log.read(1, self._replayed))
        return self._replayed_ids

    @property
    def store(self) -> EventStore | None:
        """The attached event store; None while the log is in memory only."""
        return self._log.store  # type: ignore[return-value]  # attached as an EventStore

    def get_object(self, object_id: str) -> Object | None:
        """The object of this id; None if there is none, or it was removed."""
        state = look_up(self._projection.objects, "object_id", object_id)
        return None if state is None else object_handle(state)

    def get_relation(self, relation_id: str) -> Relation | None:
        """The relation of this id; None if there is none, or it was removed."""
        state = look_up(self._projection.relations, "relation_id", relation_id)
        return None if state is None else relation_handle(state)

    def get_patch(self, patch_id: str) -> Patch | None:
        """The patch of this id, proposed, applied or rejected; None if there is none."""
        state = look_up(self._projection.patches, "patch_id", patch_id)
        return None if state is None else patch_handle(state)

    def all_objects(self) -> list[Object]:
        """All objects in creation order."""
        return self.objects()

    def all_relations(self) -> list[Relation]:
        """All relations in creation order."""
        return self.relations()

    def objects(self, type: str | None = None, where: dict[str, Any] | None = None) -> list[Object]:
        """Objects of a type that meet a condition, in creation order.

        Args:
            type: None for all types; by index, whatever else the graph holds.
            where: Paths and what they must be, all of them: `{"data.status": "open", "data.score": {">": 0.5}}`.
                Operators are `==`, `!=`, `<`, `>`, `<=`, `>=`, `in` and `not in`.

        Raises:
            InternalEvaluatorError: An operator that there is not.
        """
        require_key("type", type)
        states = (self._projection.objects if type is None else self._projection.objects_of_type(type)).values()
        if not where:
            return [object_handle(state) for state in states]
        holds = compile_where(where, declared=False).matches_state
        return [object_handle(state) for state in states if holds(state)]

    def query(self, object_type: str | None = None, where: dict[str, Any] | None = None) -> list[Object]:
        """The same as `objects`, older spelling."""
        return self.objects(object_type, where)

    def relations(
        self, source: str | None = None, target: str | None = None, type: str | None = None
    ) -> list[Relation]:
        """Relations by ends and type, in creation order; filters by AND."""
        try:
            found = self._projection.find_relations(source, target, type)
        except TypeError:
            for name, value in (("source", source), ("target", target), ("type", type)):
                require_key(name, value)
            raise
        return [relation_handle(state) for state in found]

    def get_relations(
        self, object_id: str | None = None, type: str | None = None, direction: str = "both"
    ) -> list[Relation]:
        """Relations of one object: `"outgoing"` (it is the source), `"incoming"` or `"both"`; older spelling."""
        if direction not in ("both", "outgoing", "incoming"):
            raise InvalidArgumentType(
                f"direction {direction!r} is not one of both, outgoing, incoming",
                what_failed=f"`get_relations(direction={direction!r})`.",
                why="A relation has a source and a target; a direction says which of them the object is.",
                how_to_fix='Use direction="outgoing", "incoming" or "both".',
                context={"argument": "direction", "value": str(direction)},
            )
        if object_id is None:
            return self.relations(type=type)
        require_key("object_id", object_id)
        require_key("type", type)
        found = [
            state
            for state in self._projection.adjacency.touching(object_id)
            if (type is None or state.type == type)
            and (direction != "outgoing" or state.source == object_id)
            and (direction != "incoming" or state.target == object_id)
        ]
        return [relation_handle(state) for state in sorted(found, key=lambda s: s.sequence)]

    def neighborhood(self, object_id: str, depth: int = 1) -> tuple[list[Object], list[Relation]]:
        """Objects within `depth` rounds along relations in both directions, the object itself included, and those relations.

        An unknown id gives two empty lists. The cost follows what is found, not the size of the graph.
        """
        require_key("object_id", object_id)
        if not isinstance(depth, int):
            raise InvalidArgumentType(
                f"`depth` is a number of rounds, not {shown(depth)}",
                what_failed=f"`neighborhood({shown(object_id)}, depth={shown(depth)})`.",
                why="Each round goes one relation further, so rounds are counted.",
                how_to_fix="Pass a whole number, for example depth=2.",
                context={"argument": "depth", "type": type(depth).__name__},
            )
        objects, relations = neighborhood(
            [object_id],
            depth,
            find=self._projection.objects.get,
            touching=self._projection.adjacency.touching,
        )
        return [object_handle(o) for o in objects], [relation_handle(r) for r in relations]

    def has_object_of_type(self, type: str) -> bool:
        """Whether there is an object of this type."""
        return bool(self._projection.objects_of_type(require_key("type", type)))
