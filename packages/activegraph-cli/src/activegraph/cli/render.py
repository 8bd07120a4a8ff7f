"""Results as text for people and as JSON for programs. The layouts are pinned by tests."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from activegraph.core.event import Event
    from activegraph.operations.inspect import Inspection, LoadedPack
    from activegraph.operations.migrate import MigrationReport
    from activegraph.operations.replay import ReplaySummary
    from activegraph.packs import DiscoveredPack
    from activegraph.runtime.diff import Diff
    from activegraph.runtime.status import BehaviorInfo, BudgetSnapshot
    from activegraph.store.base import ForkResult
    from activegraph.store.verify import VerifyReport

__all__ = [
    "behaviors_json",
    "behaviors_text",
    "diff_json",
    "diff_text",
    "event_json",
    "event_text",
    "fork_json",
    "fork_text",
    "inspection_json",
    "inspection_text",
    "migration_json",
    "migration_text",
    "pack_list_json",
    "pack_list_text",
    "packs_json",
    "packs_text",
    "replay_json",
    "replay_text",
    "to_json",
    "verify_json",
    "verify_text",
]

_UNKNOWN = "unknown"
_NONE = "(none)"


def to_json(value: Any) -> str:
    """`value` as one line of JSON."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, default=_as_text)


def _as_text(value: Any) -> str:
    """What a damaged column holds in place of text; a status must not fail for it."""
    if not isinstance(value, bytes):
        raise TypeError(f"{type(value).__name__} is no JSON value")
    return value.decode("utf-8", "surrogateescape")


def _lines(lines: Iterable[str]) -> str:
    """The lines joined; names and ids are the user's, and may hold line breaks that are none of the layout."""
    return "\n".join(line.replace("\r\n", "\\n").replace("\n", "\\n").replace("\r", "\\n") for line in lines)


def inspection_text(inspection: Inspection) -> str:
    """The status of a run; fields that a damaged payload hides are `unknown`."""
    status, hidden = inspection.status, inspection.unknown
    lines = [_row("run_id", status.run_id), _row("state", status.state)]
    if inspection.in_doubt is not None:
        lines.append(_row("in_doubt", f"{inspection.in_doubt.requested_event_id} tool={inspection.in_doubt.tool}"))
    lines.append(_row("queue_depth", _UNKNOWN if "queue_depth" in hidden else status.queue_depth))
    lines.append(_row("events_processed", status.events_processed))
    if status.frame is not None:
        lines.append(_row("frame", f"{status.frame.id} ({status.frame.name or '-'})"))
    if "budget" in hidden:
        lines.append(_row("budget", _UNKNOWN))
    else:
        lines += ["budget:", *_budget_lines(status.budget)]
    if status.registered_behaviors:
        lines += behaviors_text(status.registered_behaviors).split("\n")
    lines.append(f"recent events (last {len(status.recent_events)}):")
    lines += [f"  {event.id:<18} {event.type}" for event in status.recent_events]
    return _lines(lines)


def _row(label: str, value: object) -> str:
    return f"{label + ':':<18}{value}"


def _budget_lines(budget: BudgetSnapshot) -> Iterable[str]:
    for key, used in budget.used.items():
        limit = budget.limits[key]
        yield f"  {key:<20} {used} / {'unlimited' if limit is None else limit}"
    if budget.exhausted_by is not None:
        yield f"  {'exhausted_by:':<20} {budget.exhausted_by}"


def inspection_json(inspection: Inspection) -> str:
    """The status as `RuntimeStatus.to_dict()`, and `in_doubt` behind `state` where a call is."""
    fields = inspection.status.to_dict()
    for name in inspection.unknown:
        fields[name] = _UNKNOWN
    shown: dict[str, Any] = {}
    for name, value in fields.items():
        shown[name] = value
        if name == "state" and inspection.in_doubt is not None:
            call = inspection.in_doubt
            shown["in_doubt"] = {"requested_event_id": call.requested_event_id, "tool": call.tool}
    return to_json(shown)


def behaviors_text(behaviors: Sequence[BehaviorInfo]) -> str:
    """What fired."""
    if not behaviors:
        return "(no behaviors registered in this run)"
    lines = ["registered behaviors:"]
    for info in behaviors:
        on = ",".join(info.subscribed_to) or "(pattern-only)"
        lines.append(f"  {info.name:<30} {info.kind:<10} on={on}")
    return _lines(lines)


def behaviors_json(behaviors: Sequence[BehaviorInfo]) -> str:
    """The same for programs."""
    return to_json([{"name": b.name, "kind": b.kind, "subscribed_to": list(b.subscribed_to)} for b in behaviors])


def event_text(event: Event) -> str:
    """One event with its payload."""
    rows = (
        ("event", event.id),
        ("type", event.type),
        ("actor", event.actor),
        ("frame", event.frame_id),
        ("caused_by", event.caused_by),
        ("timestamp", event.timestamp),
    )
    lines = [f"{label + ':':<13}{_NONE if value is None else value}" for label, value in rows]
    return "\n".join([_lines(lines), "payload:", _payload_json(event, indent=2)])


def event_json(event: Event) -> str:
    """One event for programs, its payload in codec form."""
    header = {
        "id": event.id,
        "type": event.type,
        "actor": event.actor,
        "frame_id": event.frame_id,
        "caused_by": event.caused_by,
        "timestamp": event.timestamp,
    }
    # Written by hand behind the header, so that no number of the payload is read and written again.
    return f'{to_json(header)[:-1]}, "payload": {_payload_json(event, indent=-1)}}}'


def _payload_json(event: Event, *, indent: int) -> str:
    """The payload as it is stored; as the codec writes it where an edited text cannot be laid out as it is."""
    import msgspec
    from activegraph.core.codec import decode_canonical, encode_payload_bytes
    from activegraph.core.event import raw_payload

    raw = raw_payload(event)
    try:
        laid_out = msgspec.json.format(raw, indent=indent)
    except msgspec.MsgspecError:  # half a character as an escape
        laid_out = msgspec.json.format(encode_payload_bytes(decode_canonical(raw)), indent=indent)
    return laid_out.decode("utf-8", "backslashreplace")


def packs_text(packs: Sequence[LoadedPack]) -> str:
    """The `pack.loaded` events of a run."""
    if not packs:
        return "(no packs loaded in this run)"
    lines = [f"packs loaded ({len(packs)}):"]
    for pack in packs:
        lines.append(f"  {pack.pack:<24} {pack.version:<14}  ({pack.event_id})")
        for name, prompt in pack.prompts.items():
            digest = str(prompt.get("hash", "?")).removeprefix("sha256:")[:12]
            lines.append(f"    prompt {name:<24} v{prompt.get('version', '?')!s:<8} hash={digest}")
    return _lines(lines)


def packs_json(packs: Sequence[LoadedPack]) -> str:
    """The same for programs."""
    return to_json(
        [{"event_id": p.event_id, "pack": p.pack, "version": p.version, "prompts": p.prompts} for p in packs]
    )


def replay_text(summary: ReplaySummary, *, strict: bool = False) -> str:
    """How large a run and its graph are, and that it was replayed strictly."""
    rows = (
        ("run_id", summary.run_id),
        ("events", summary.events),
        ("objects", summary.objects),
        ("relations", summary.relations),
    )
    lines = [f"{label + ':':<11}{value}" for label, value in rows]
    return _lines([*lines, "strict: ok"] if strict else lines)


def replay_json(summary: ReplaySummary, *, strict: bool = False) -> str:
    """The same for programs."""
    return to_json(
        {
            "run_id": summary.run_id,
            "events": summary.events,
            "objects": summary.objects,
            "relations": summary.relations,
            **({"strict": "ok"} if strict else {}),
        }
    )


def pack_list_text(packs: Sequence[DiscoveredPack]) -> str:
    """Installed packs, one a line."""
    if not packs:
        return "no packs installed"
    return "\n".join(f"  {pack.name:<24} {pack.version:<10} {pack.entry_point}" for pack in packs)


def pack_list_json(packs: Sequence[DiscoveredPack]) -> str:
    """The same for programs."""
    return to_json([{"name": p.name, "version": p.version, "entry_point": p.entry_point} for p in packs])


def fork_text(fork: ForkResult, *, elsewhere: bool, recording: bool) -> str:
    """A fork that was made, and the events of the settings that it overrides."""
    line = f"forked {fork.parent_run_id} at {fork.at_event} -> {fork.new_run_id} ({fork.events_copied} events)"
    lines = [line + (f" in {fork.to_url}" if elsewhere else "")]
    if recording:
        lines.append("  recording fork: load the run without `replay_strict=True`, so that new answers are recorded")
    lines += [f"  settings override recorded: {event_id}" for event_id in fork.settings_override_events]
    return _lines(lines)


def fork_json(fork: ForkResult, *, elsewhere: bool, recording: bool, overrides: Mapping[str, Any]) -> str:
    """The same for programs.

    Args:
        overrides: Settings by pack.
    """
    shown: dict[str, Any] = {
        "parent_run_id": fork.parent_run_id,
        "new_run_id": fork.new_run_id,
        "at_event": fork.at_event,
        "label": fork.label,
        "events_copied": fork.events_copied,
    }
    if recording:
        shown["recording"] = True
    if elsewhere:
        shown["to"] = fork.to_url
    if overrides:
        shown["settings_overrides"] = overrides
        shown["settings_override_events"] = list(fork.settings_override_events)
    return to_json(shown)


def _diff_counts(diff: Diff) -> dict[str, int]:
    return {
        "shared_events": len(diff.shared_events),
        "parent_only_events": len(diff.parent_only_events),
        "fork_only_events": len(diff.fork_only_events),
        "divergent_objects": len(diff.divergent_objects),
        "divergent_relations": len(diff.divergent_relations),
    }


def diff_text(diff: Diff) -> str:
    """How two runs differ: counts, then each object and relation that does."""
    lines = [f"diff {diff.parent_run_id} vs {diff.fork_run_id}:"]
    lines += [f"  {key:<24} {count}" for key, count in _diff_counts(diff).items()]
    for title, found in (
        ("divergent objects:", diff.divergent_objects),
        ("divergent relations:", diff.divergent_relations),
    ):
        if found:
            lines += [title, *(f"  - {one.summary()}" for one in found)]
    return _lines(lines)


def diff_json(diff: Diff) -> str:
    """The counts for programs."""
    return to_json({"run_a": diff.parent_run_id, "run_b": diff.fork_run_id, **_diff_counts(diff)})


def verify_text(report: VerifyReport) -> str:
    """One line about a run's log."""
    count, digest = report.head
    if report.ok:
        return _lines([f"ok      {report.run_id} events={report.events} head={count}:{digest}"])
    where = _NONE if report.first_bad is None else report.first_bad
    return _lines(
        [
            f"broken  {report.run_id} events={report.events} first_bad={where} position={report.position} reason={report.reason}"
        ]
    )


def verify_json(reports: Sequence[VerifyReport]) -> str:
    """All reports for programs."""
    from dataclasses import asdict

    return to_json([asdict(report) for report in reports])


def migration_text(report: MigrationReport) -> str:
    """What became of each run, and how many went well."""
    lines = [f"migrate {report.source_url} -> {report.dest_url}"]
    for run in report.runs:
        line = f"  {run.status:<7} run={run.run_id} events={run.events_migrated}"
        line += f" error={run.error}" if run.error else ""
        line += f" skipped={len(run.skipped_events)}" if run.skipped_events else ""
        lines += [line, *(f"    skipped (corrupted): {event_id}" for event_id in run.skipped_events)]
    failed = len(report.failures)
    lines.append(f"summary: {len(report.runs) - failed} ok, {failed} failed")
    return _lines(lines)


def migration_json(report: MigrationReport) -> str:
    """The report for programs; what does not apply is left out."""
    runs = []
    for run in report.runs:
        shown: dict[str, Any] = {
            "run_id": run.run_id,
            "status": run.status,
            "events_migrated": run.events_migrated,
        }
        if run.error:
            shown["error"] = run.error
        if run.skipped_events:
            shown["skipped_events"] = list(run.skipped_events)
        runs.append(shown)
    return to_json({"source_url": report.source_url, "dest_url": report.dest_url, "runs": runs})
