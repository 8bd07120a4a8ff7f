"""Promises of `activegraph export-trace`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from activegraph import Event, Runtime
from activegraph.store.serde import decode_payload
from support.cli import Said, process
from support.stored_runs import alter, append, event, files_of

Cli = Callable[..., Said]

TRACE = """\
[goal.created]            user: "prices"
[behavior.started]        planner
[object.created]          task#1 "Look up prices" (open)
[object.created]          task#2 "Write it down" (blocked)
[relation.created]        task#1 --depends_on--> task#2
[behavior.completed]      planner (2 objects, 1 relation)
[behavior.started]        worker  (matched object.created: task#1)
[object.created]          note#3 "found"
[event.emitted]           task.completed task_id=task#1
[behavior.completed]      worker
[relation_behavior.started] unblock  (matched task.completed on depends_on edge)
[patch.applied]           task#2 status: blocked -> open
[behavior.completed]      unblock
[runtime.idle]            queue empty, budget remaining
"""


def test_text_is_what_the_live_run_printed(cli: Cli, url: str) -> None:
    said = cli("export-trace", url, "--run-id", "run_a")

    assert (said.code, said.out, said.err) == (0, TRACE, "")


def test_jsonl_is_what_the_runtime_exports_byte_for_byte(cli: Cli, url: str, tmp_path: Path) -> None:
    with Runtime.load(url, run_id="run_a", behaviors=[]) as runtime:
        runtime.export_trace(tmp_path / "live.jsonl")

    said = cli("export-trace", url, "-r", "run_a", "--format", "jsonl")

    assert said.out.encode() == (tmp_path / "live.jsonl").read_bytes()


def test_jsonl_reads_back_as_equal_events(cli: Cli, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'run.db'}"
    sent = event(
        "evt_1", payload={"b": b"\x00", "n": 2**70, "s": "\udc80\n\u2028", "f": -0.0}, actor="a", caused_by="c"
    )
    append(url, "run_a", sent)

    (line,) = cli("export-trace", url, "-r", "run_a", "-f", "jsonl").out.split("\n")[:-1]

    fields = decode_payload(line)
    assert list(fields) == ["id", "type", "payload", "actor", "frame_id", "caused_by", "timestamp"]
    assert Event(**fields) == sent


def test_a_file_gets_the_lines_and_stdout_nothing(cli: Cli, url: str, tmp_path: Path) -> None:
    target = tmp_path / "trace.txt"

    said = cli("export-trace", url, "-r", "run_a", "-o", str(target))

    assert target.read_text() == TRACE
    assert (said.out, said.err) == ("", f"wrote 14 events to {target}\n")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["run.db", "trace.txt"]


@pytest.mark.parametrize("option", ["-o", "--output", "--out"])
def test_a_dash_is_stdout(cli: Cli, url: str, option: str) -> None:
    assert cli("export-trace", url, "-r", "run_a", option, "-").out == TRACE


def test_an_export_that_fails_leaves_the_old_file(cli: Cli, database: Path, url: str, tmp_path: Path) -> None:
    target = tmp_path / "trace.txt"
    target.write_text("old")
    alter(database, "UPDATE events SET payload = 'x' WHERE id = 'evt_009'")

    said = cli("export-trace", url, "-r", "run_a", "-o", str(target))

    assert said.code == 4
    assert target.read_text() == "old"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["run.db", "trace.txt"]


def test_stdout_gets_what_was_readable_before_the_damage(cli: Cli, database: Path, url: str) -> None:
    alter(database, "UPDATE events SET payload = 'x' WHERE id = 'evt_009'")

    said = cli("export-trace", url, "-r", "run_a")

    assert said.code == 4
    assert said.out == "".join(TRACE.splitlines(keepends=True)[:8])
    assert "evt_009" in said.err


def test_a_replaced_file_keeps_its_mode(cli: Cli, url: str, tmp_path: Path) -> None:
    target = tmp_path / "trace.txt"
    target.write_text("old")
    target.chmod(0o640)

    cli("export-trace", url, "-r", "run_a", "-o", str(target))

    assert target.stat().st_mode & 0o777 == 0o640


def test_a_link_stays_one(cli: Cli, url: str, tmp_path: Path) -> None:
    (tmp_path / "real.txt").write_text("old")
    (tmp_path / "link.txt").symlink_to("real.txt")

    cli("export-trace", url, "-r", "run_a", "-o", str(tmp_path / "link.txt"))

    assert (tmp_path / "link.txt").is_symlink()
    assert (tmp_path / "real.txt").read_text() == TRACE


def test_a_missing_directory_is_not_found(cli: Cli, url: str, tmp_path: Path) -> None:
    said = cli("export-trace", url, "-r", "run_a", "-o", str(tmp_path / "nowhere" / "trace.txt"))

    assert (said.code, said.out) == (3, "")
    assert str(tmp_path / "nowhere" / "trace.txt") in said.err
    assert ".part" not in said.err


def test_a_directory_cannot_be_written(cli: Cli, url: str, tmp_path: Path) -> None:
    said = cli("export-trace", url, "-r", "run_a", "-o", str(tmp_path))

    assert said.code == 1
    assert str(tmp_path) in said.err
    assert "Traceback" not in said.err


def test_a_device_is_written_to_and_not_replaced(url: str) -> None:
    said = process("export-trace", url, "-r", "run_a", "-o", "/dev/full")

    assert said.code == 1
    assert said.err == "No space left on device: /dev/full\n"
    assert Path("/dev/full").is_char_device()


def test_an_unknown_format_is_a_usage_error(cli: Cli, url: str) -> None:
    said = cli("export-trace", url, "-r", "run_a", "--format", "jsonlines")

    assert said.code == 2
    assert said.err.startswith("--format must be one of text, jsonl, not 'jsonlines'. Did you mean 'jsonl'?")


def test_an_unknown_run_leaves_no_file(cli: Cli, url: str, tmp_path: Path) -> None:
    before = files_of(tmp_path)

    assert cli("export-trace", url, "-r", "nope", "-o", str(tmp_path / "trace.txt")).code == 3
    assert files_of(tmp_path) == before


def test_a_flag_that_holds_for_every_prompt_is_told_once(cli: Cli, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'run.db'}"
    asked = {"behavior": "w", "model": "m", "prompt_normalized": True}
    append(url, "run_a", event("evt_1", "llm.requested", asked, actor="w"))

    assert cli("export-trace", url, "-r", "run_a").lines == [
        "[trace.flags]             prompt_normalized=true (1 llm request)",
        "[llm.requested]           evt_1  w  model=m",
    ]
