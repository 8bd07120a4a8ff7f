"""Promises of `activegraph inspect`: layouts for people, JSON for programs, exit codes."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from activegraph import Frame
from activegraph.observability import inspect_run
from activegraph.operations import inspect as inspecting
from activegraph.store import open_store
from support.cli import Said
from support.stored_runs import alter, append, event, record_prices

Cli = Callable[..., Said]

SNAPSHOT = """\
run_id:           run_a
state:            exhausted
queue_depth:      3
events_processed: 7
frame:            frame_001 (-)
budget:
  max_events           1.0 / unlimited
  max_behavior_calls   1.0 / 1.0
  max_llm_calls        0.0 / unlimited
  max_tool_calls       0.0 / unlimited
  max_patches          0.0 / unlimited
  max_depth            0.0 / unlimited
  max_seconds          0.0 / unlimited
  max_cost_usd         0.0 / unlimited
  exhausted_by:        max_behavior_calls
registered behaviors:
  planner                        function   on=goal.created
recent events (last 2):
  evt_006            behavior.completed
  stop_001           runtime.budget_exhausted
"""


def test_the_snapshot_has_its_layout(cli: Cli, tmp_path: Path) -> None:
    url = record_prices(tmp_path / "run.db", budget={"max_behavior_calls": 1}, frame=Frame("g"))

    said = cli("inspect", url, "--tail", "2")

    assert (said.code, said.out) == (0, SNAPSHOT)


def test_a_run_without_frame_behaviors_and_exhaustion_leaves_their_lines_out(cli: Cli, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'run.db'}"
    append(url, "run_a", event("evt_1"))

    said = cli("inspect", url)

    assert not {"frame:", "registered behaviors:"} & set(said.lines)
    assert "exhausted_by" not in said.out
    assert said.lines[-2:] == ["recent events (last 1):", "  evt_1              note.taken"]


def test_a_behavior_without_event_types_is_shown_as_pattern_only(cli: Cli, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'run.db'}"
    scheduled = {"behavior": "b", "event_id": "evt_1", "activate_after": 2, "fire_at_tick": 3, "current_tick": 1}
    append(url, "run_a", event("evt_1"), event("evt_2", "behavior.scheduled", scheduled, actor="runtime"))

    assert "  b                              function   on=(pattern-only)" in cli("inspect", url).lines


def test_json_is_the_status_of_the_library_on_one_line(cli: Cli, url: str) -> None:
    said = cli("inspect", url, "--json")

    assert said.out.count("\n") == 1
    assert json.loads(said.out) == inspect_run(url).to_dict()
    assert list(json.loads(said.out)) == list(inspect_run(url).to_dict())


def test_whole_numbers_of_a_budget_stay_floats_in_json(cli: Cli, url: str) -> None:
    assert '"max_events": 7.0' in cli("inspect", url, "--json").out


@pytest.mark.parametrize(("tail", "shown"), [("0", 0), ("3", 3), ("1000", 14)])
def test_tail_says_how_many_events_are_shown(cli: Cli, url: str, tail: str, shown: int) -> None:
    assert len(json.loads(cli("inspect", url, "--json", "--tail", tail).out)["recent_events"]) == shown


def test_a_negative_tail_is_a_usage_error(cli: Cli, url: str) -> None:
    said = cli("inspect", url, "--tail", "-1")

    assert (said.code, said.out) == (2, "")
    assert said.err == "--tail must be 0 or more, not -1\nTry 'activegraph inspect --help'.\n"


EVENT = """\
event:       evt_001
type:        goal.created
actor:       user
frame:       (none)
caused_by:   (none)
timestamp:   2026-05-15T10:32:01Z
payload:
{
  "goal": "prices"
}
"""


def test_one_event_has_its_layout(cli: Cli, url: str) -> None:
    assert cli("inspect", url, "--event", "evt_001").out == EVENT


def test_one_event_as_json_has_its_keys_in_order(cli: Cli, url: str) -> None:
    shown = json.loads(cli("inspect", url, "--event", "evt_001", "--json").out)

    assert list(shown) == ["id", "type", "actor", "frame_id", "caused_by", "timestamp", "payload"]
    assert shown["payload"] == {"goal": "prices"}


@pytest.mark.parametrize(
    "payload",
    [{"n": float("nan")}, {"n": 2**70}, {"b": b"\x00\xff"}, {"s": "\udc80 \x00"}, {"n": -0.0}, {"t": "zwölf ≠ 12"}],
)
def test_a_payload_is_shown_in_codec_form(cli: Cli, tmp_path: Path, payload: dict[str, object]) -> None:
    from activegraph.store.serde import decode_payload, encode_payload

    url = f"sqlite:///{tmp_path / 'run.db'}"
    append(url, "run_a", event("evt_1", payload=payload))

    shown = cli("inspect", url, "--event", "evt_1", "--json").out

    text = shown[shown.index('"payload": ') + len('"payload": ') :].rstrip()[:-1]
    assert text == encode_payload(payload)
    assert encode_payload(decode_payload(text)) == text


def test_behaviors_of_the_whole_run_stand_alone(cli: Cli, url: str) -> None:
    assert cli("inspect", url, "--behaviors").lines == [
        "registered behaviors:",
        "  planner                        function   on=goal.created",
        "  worker                         function   on=object.created",
        "  unblock                        relation   on=task.completed",
    ]
    assert json.loads(cli("inspect", url, "--behaviors", "--json").out)[0] == {
        "name": "planner",
        "kind": "function",
        "subscribed_to": ["goal.created"],
    }


def test_packs_have_their_layout(cli: Cli, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'run.db'}"
    prompts = {"judge": {"version": "1.2.0", "hash": "sha256:0123456789abcdef"}}
    loaded = {"name": "review", "version": "0.1.0", "prompts": prompts}
    append(url, "run_a", event("evt_9", "pack.loaded", loaded, actor="runtime"))

    assert cli("inspect", url, "--pack-version").lines == [
        "packs loaded (1):",
        "  review                   0.1.0           (evt_9)",
        "    prompt judge                    v1.2.0    hash=0123456789ab",
    ]
    assert json.loads(cli("inspect", url, "--pack-version", "-j").out) == [
        {"event_id": "evt_9", "pack": "review", "version": "0.1.0", "prompts": prompts}
    ]


def test_packs_that_a_host_told_of_in_its_own_way_are_shown_too(cli: Cli, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'run.db'}"
    loaded = {"name": None, "version": {"major": 1}, "prompts": {"judge": {"version": None, "hash": 7}, "other": 3}}
    append(url, "run_a", event("evt_9", "pack.loaded", loaded))

    said = cli("inspect", url, "--pack-version")

    assert said.code == 0
    assert said.lines[-1] == "    prompt judge                    vNone     hash=7"


def test_line_breaks_in_names_do_not_break_the_layout(cli: Cli, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'run.db'}"
    started = {"behavior": "one\nstate: idle", "event_id": "evt\n1", "triggering_event_type": "a\rb"}
    marks = event("evt_2", "behavior.started", started, actor="runtime", caused_by="evt\n1")
    append(url, "run\nb", event("evt\n1", "note\ntaken", actor="who\nme"), marks)

    snapshot, fired = cli("inspect", url).lines, cli("inspect", url, "--behaviors").lines
    one = cli("inspect", url, "--event", "evt\n1").lines

    assert snapshot[0] == "run_id:           run\\nb"
    assert [line.split() for line in snapshot[-2:]] == [["evt\\n1", "note\\ntaken"], ["evt_2", "behavior.started"]]
    assert [line.split() for line in fired[1:]] == [["one\\nstate:", "idle", "function", "on=a\\nb"]]
    assert one[:3] == ["event:       evt\\n1", "type:        note\\ntaken", "actor:       who\\nme"]
    assert cli("verify", url).lines[0].startswith("ok      run\\nb events=2 ")


def test_a_run_without_packs_or_behaviors_says_so(cli: Cli, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'run.db'}"
    append(url, "run_a", event("evt_1"))

    assert cli("inspect", url, "--pack-version").out == "(no packs loaded in this run)\n"
    assert cli("inspect", url, "--behaviors").out == "(no behaviors registered in this run)\n"
    assert cli("inspect", url, "--pack-version", "--json").out == "[]\n"
    assert cli("inspect", url, "--behaviors", "--json").out == "[]\n"


@pytest.mark.parametrize(
    "selectors",
    [
        ["--event", "evt_001", "--behaviors"],
        ["--behaviors", "--pack-version"],
        ["--event", "evt_001", "--pack-version"],
        ["--event", "evt_001", "--behaviors", "--pack-version"],
    ],
)
def test_selectors_exclude_each_other(cli: Cli, url: str, selectors: list[str]) -> None:
    said = cli("inspect", url, *selectors)

    assert (said.code, said.out) == (2, "")
    assert "mutually exclusive" in said.err


def test_without_a_run_id_the_run_appended_to_last_is_shown(cli: Cli, database: Path, url: str) -> None:
    record_prices(database, run_id="run_b")
    append(url, "run_a", event("evt_100"))

    assert cli("inspect", url).lines[0] == "run_id:           run_a"
    assert cli("inspect", url, "-r", "run_b").lines[0] == "run_id:           run_b"


def test_owed_work_is_noted_on_stderr_with_its_age(cli: Cli, tmp_path: Path) -> None:
    url = record_prices(tmp_path / "run.db", budget={"max_behavior_calls": 1})

    said = cli("inspect", url)

    assert "note: run run_a owes work; its last event is from " in said.err
    assert " ago. " in said.err or " at 2026-05-15" in said.err
    assert "no other process" in said.err


@pytest.mark.parametrize("quieting", ["--json", "--quiet"])
def test_programs_and_quiet_people_get_no_notes(cli: Cli, tmp_path: Path, quieting: str) -> None:
    url = record_prices(tmp_path / "run.db", budget={"max_behavior_calls": 1})

    assert cli("inspect", url, quieting).err == ""


def test_an_idle_run_gets_no_note(cli: Cli, url: str) -> None:
    assert cli("inspect", url).err == ""


def test_a_run_longer_than_what_is_looked_through_gets_a_note(
    cli: Cli, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inspecting, "BEHAVIOR_WINDOW", 5)

    assert "the last 5 events; `--behaviors` reads the whole run" in cli("inspect", url).err


def test_a_run_too_long_to_look_for_old_delays_gets_a_note(cli: Cli, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspecting, "BEHAVIOR_WINDOW", 2)
    monkeypatch.setattr("activegraph.operations.owed._LONG_RUN", 5)
    with closing(open_store(url, "run_a")) as store:
        store.truncate_after("evt_010")

    said = cli("inspect", url)

    assert "note: invocations that were delayed before the last 2 events are not looked for" in said.err
    assert "looked for" not in cli("inspect", url, "--json").err


def test_a_damaged_event_is_corruption_with_a_preview(cli: Cli, database: Path, url: str) -> None:
    alter(database, "UPDATE events SET payload = '{\"goal\": oops' WHERE id = 'evt_001'")

    said = cli("inspect", url, "--event", "evt_001")

    assert (said.code, said.out) == (4, "")
    assert "CorruptedEventPayloadError" in said.err
    assert "oops" in said.err
    assert cli("inspect", url).code == 0


def test_a_damaged_stop_shows_as_unknown_and_is_corruption(cli: Cli, database: Path, url: str) -> None:
    alter(database, "UPDATE events SET payload = 'x' WHERE type = 'runtime.idle'")

    said = cli("inspect", url)

    assert said.code == 4
    assert "budget:           unknown" in said.lines
    assert "state:            idle" in said.lines
    assert "evt_014" in said.err
    assert json.loads(cli("inspect", url, "--json").out)["budget"] == "unknown"


def test_a_payload_that_was_edited_by_hand_is_shown_if_it_is_one(cli: Cli, database: Path, url: str) -> None:
    from activegraph.store.serde import decode_payload

    alter(database, """UPDATE events SET payload = ' {"half" : "\\ud800", "n": 1E2}' WHERE id = 'evt_001'""")

    for option in ([], ["--json"]):
        said = cli("inspect", url, "--event", "evt_001", *option)
        text = said.out[said.out.index('{"half"') :].rstrip()[:-1] if option else said.out.partition("payload:\n")[2]
        assert said.code == 0
        assert decode_payload(text) == {"half": "\ud800", "n": 100.0}


def test_a_column_that_holds_no_text_does_not_hide_the_others(cli: Cli, database: Path, url: str) -> None:
    alter(database, "UPDATE events SET actor = X'61ff' WHERE id = 'evt_009'")

    shown = json.loads(cli("inspect", url, "--json").out)

    assert shown["recent_events"][8] == {**shown["recent_events"][8], "id": "evt_009", "actor": "a\udcff"}
    assert json.loads(cli("inspect", url, "--event", "evt_009", "--json").out)["actor"] == "a\udcff"


@pytest.mark.parametrize("type", ["runtime.idle", "behavior.started"])
def test_a_mark_that_is_nested_without_end_is_a_damaged_one(cli: Cli, database: Path, url: str, type: str) -> None:
    endless = '{"a":' + "[" * 99999 + "]" * 99999 + "}"
    alter(database, "UPDATE events SET payload = ? WHERE type = ?", endless, type)

    said = cli("inspect", url)

    assert said.code == (4 if type == "runtime.idle" else 0)
    assert said.lines[0] == "run_id:           run_a"
    assert cli("inspect", url, "--behaviors").code == 0


def test_a_call_in_doubt_stands_behind_the_state(cli: Cli, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'run.db'}"
    doubt = {"behavior": "payer", "tool": "pay", "requested_event_id": "evt_1"}
    append(url, "run_a", event("evt_1", "tool.requested"), event("stop_1", "tool.in_doubt", doubt, actor="runtime"))

    assert cli("inspect", url).lines[1:3] == ["state:            stopped", "in_doubt:         evt_1 tool=pay"]
    shown = json.loads(cli("inspect", url, "--json").out)
    assert list(shown)[1:3] == ["state", "in_doubt"]
    assert shown["in_doubt"] == {"requested_event_id": "evt_1", "tool": "pay"}


def test_json_of_a_run_without_doubt_does_not_mention_it(cli: Cli, url: str) -> None:
    assert "in_doubt" not in cli("inspect", url, "--json").out
