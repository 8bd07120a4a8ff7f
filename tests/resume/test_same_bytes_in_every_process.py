"""A run is a function of its inputs: no hash of a text, no address and no process has a part in it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PROGRAM = """
import sys
from activegraph.core.codec import encode_payload_bytes
from support.programs import RUN, Host, Program, Rule
from support.shared_memory import new_disk

rules = (
    Rule("a", ("goal.created",), ("relate", "relate again", "ping")),
    Rule("b", ("relation.created", "ping"), ("relate again", "look"), relation="r1"),
    Rule("a", ("object.created",), ("t2", "relate", "chance"), pattern="(a:t1)-[:r1]->(b)"),
    Rule("c", (), ("patch", "propose", "fail"), delay=2),
    Rule("d", ("behavior.failed",), ("propose patch", "look")),
)
disk = new_disk()
program = Program(rules, ("object", "relate"), (("goal", 0), ("transaction", 3), ("approve", 0), ("run", 0)))
for event in Host(program, disk).finish():
    sys.stdout.buffer.write(encode_payload_bytes(event.to_dict()) + b"\\n")
"""


def log_of_a_process(hash_seed: str) -> bytes:
    places = os.pathsep.join([str(Path(__file__).parents[1]), *sys.path])
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": places}
    finished = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, check=True)
    return finished.stdout


def test_two_processes_with_other_hashes_write_the_same_bytes() -> None:
    first = log_of_a_process("1")

    assert first.count(b"\n") > 60
    assert log_of_a_process("4242") == first
