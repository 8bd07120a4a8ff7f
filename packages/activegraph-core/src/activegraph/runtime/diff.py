"""Structural comparison of two runs: shared events, then objects and relations that differ."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from activegraph.core.codec import decode_canonical, encode_payload_bytes
from activegraph.core.event import Event, raw_payload
from activegraph.core.projection import Projection
from activegraph.core.state import ObjectState, RelationState
from activegraph.errors import InvalidArgumentType
from activegraph.errors.base import shown
from activegraph.runtime.queue import is_lifecycle

if TYPE_CHECKING:
    from activegraph.runtime.face import RunFace

__all__ = ["Diff", "DivergentObject", "DivergentRelation", "diff_live", "diff_logs"]


@dataclass
class DivergentObject:
    """An object that differs between two runs; None where it does not exist."""

    id: str
    in_parent: dict[str, Any] | None
    in_fork: dict[str, Any] | None

    def summary(self) -> str:
        """One line for people."""
        if self.in_parent is None:
            return f"{self.id} only in fork"
        if self.in_fork is None:
            return f"{self.id} only in parent"
        return f"{self.id} differs (parent v{self.in_parent['version']} ↔ fork v{self.in_fork['version']})"


@dataclass
class DivergentRelation:
    """A relation that differs between two runs; None where it does not exist."""

    id: str
    in_parent: dict[str, Any] | None
    in_fork: dict[str, Any] | None

    def summary(self) -> str:
        """One line for people."""
        if self.in_parent is not None and self.in_fork is not None:
            return f"{self.id} differs"
        side, found = ("fork", self.in_fork) if self.in_parent is None else ("parent", self.in_parent)
        assert found is not None  # noqa: S101 - one side has it, or it would not be listed
        return f"{self.id} only in {side} ({found['source']} --{found['type']}--> {found['target']})"


@dataclass
class Diff:
    """How two runs differ; left is called parent, right fork, whatever their origin."""

    parent_run_id: str
    fork_run_id: str
    shared_events: list[Event] = field(default_factory=list)
    parent_only_events: list[Event] = field(default_factory=list)
    fork_only_events: list[Event] = field(default_factory=list)
    divergent_objects: list[DivergentObject] = field(default_factory=list)
    divergent_relations: list[DivergentRelation] = field(default_factory=list)

    @property
    def is_identical(self) -> bool:
        """Whether nothing differs."""
        return not (
            self.parent_only_events or self.fork_only_events or self.divergent_objects or self.divergent_relations
        )

    def __str__(self) -> str:
        """One line of counts; the events themselves are in the lists."""
        return (
            f"diff {self.parent_run_id} vs {self.fork_run_id}: {len(self.shared_events)} events shared, "
            f"{len(self.parent_only_events)} only in parent, {len(self.fork_only_events)} only in fork, "
            f"{len(self.divergent_objects)} objects and {len(self.divergent_relations)} relations differ"
        )


def diff_live(parent: RunFace, fork: RunFace) -> Diff:
    """Compare the runs of two runtimes, each as it is now.

    Raises:
        InvalidArgumentType: One of them is no runtime.
    """
    for runtime in (parent, fork):
        if not hasattr(runtime, "_engine"):
            raise InvalidArgumentType(
                f"`diff` compares with another runtime, not with {type(runtime).__name__}",
                what_failed=f"`diff({shown(runtime)})`.",
                why="Two runs are compared by their logs and their graphs.",
                how_to_fix='runtime.diff(Runtime.load("sqlite:///run.db", run_id="..."))',
                context={"argument": "other", "type": type(runtime).__name__},
            )
    left, right = parent._engine, fork._engine
    return diff_logs(left.run_id, right.run_id, left.log.read(), right.log.read(), left.projection, right.projection)


def diff_logs(
    parent_run_id: str,
    fork_run_id: str,
    parent_events: Iterable[Event],
    fork_events: Iterable[Event],
    parent: Projection,
    fork: Projection,
) -> Diff:
    """Compare two logs and the graphs that they project to. Each log is read once."""
    diff = Diff(parent_run_id, fork_run_id)
    shared = True
    for left, right in zip_longest(_told(parent_events), _told(fork_events)):
        if shared and left is not None and right is not None and _same(left, right):
            diff.shared_events.append(left)
            continue
        shared = False
        if left is not None:
            diff.parent_only_events.append(left)
        if right is not None:
            diff.fork_only_events.append(right)
    diff.divergent_objects = [
        DivergentObject(id, _plain_object(left), _plain_object(right))
        for id, left, right in _differing(parent.objects, fork.objects, _same_object)
    ]
    diff.divergent_relations = [
        DivergentRelation(id, _plain_relation(left), _plain_relation(right))
        for id, left, right in _differing(parent.relations, fork.relations, _same_relation)
    ]
    return diff


def _told(events: Iterable[Event]) -> Iterator[Event]:
    return (event for event in events if not is_lifecycle(event.type))


def _same(left: Event, right: Event) -> bool:
    if left.id != right.id or left.type != right.type:
        return False
    before, after = raw_payload(left), raw_payload(right)
    if before == after:
        return True
    return _comparable(before) == _comparable(after)


def _comparable(raw: bytes) -> bytes:
    return encode_payload_bytes(_without_moment(decode_canonical(raw)))


def _without_moment(value: Any) -> Any:
    """The value less what two equal executions do not share: when, in which run, and how long."""
    if isinstance(value, dict):
        plain = {}
        for key in sorted(value):
            item = value[key]
            if key == "latency_seconds":
                continue
            if key == "provenance" and isinstance(item, dict):
                item = {k: v for k, v in item.items() if k not in ("timestamp", "run_id")}
            plain[key] = _without_moment(item)
        return plain
    if isinstance(value, list):
        return [_without_moment(item) for item in value]
    return value


def _differing(left: dict[str, Any], right: dict[str, Any], same: Any) -> Iterator[tuple[str, Any, Any]]:
    for id in sorted(left.keys() | right.keys()):
        a, b = left.get(id), right.get(id)
        if a is None or b is None or not same(a, b):
            yield id, a, b


def _same_object(a: ObjectState, b: ObjectState) -> bool:
    if a.created == b.created and a.is_as_created and b.is_as_created and a.version == b.version:
        return True  # two runs of one origin share most of what they hold, byte for byte
    return a.type == b.type and a.version == b.version and _same_bytes(a.data_bytes(), b.data_bytes())


def _same_relation(a: RelationState, b: RelationState) -> bool:
    ends = (a.source, a.target, a.type) == (b.source, b.target, b.type)
    return ends and (a.created == b.created or _same_bytes(a.data_bytes(), b.data_bytes()))


def _same_bytes(a: bytes, b: bytes) -> bool:
    return a == b or decode_canonical(a) == decode_canonical(b)


def _plain_object(state: ObjectState | None) -> dict[str, Any] | None:
    if state is None:
        return None
    data = decode_canonical(state.data_bytes())
    return {"id": state.id, "type": state.type, "data": data, "version": state.version}


def _plain_relation(state: RelationState | None) -> dict[str, Any] | None:
    if state is None:
        return None
    return {
        "id": state.id,
        "source": state.source,
        "target": state.target,
        "type": state.type,
        "data": state.first_data(),
    }
