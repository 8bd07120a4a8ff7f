"""Files with recorded answers: readable, sorted, and never half-written.

Ordinary values stand there as ordinary JSON; what JSON cannot carry is written as the log writes it.
"""

from __future__ import annotations

import json
import os
import secrets
import time
from pathlib import Path
from typing import Any

from activegraph.core.codec import decode_canonical, encode_plain

__all__ = ["read_fixture", "recorded_at", "write_fixture"]


def read_fixture(path: Path) -> dict[str, Any]:
    """The recording in a file.

    Raises:
        FileNotFoundError: There is none.
        OSError: It cannot be read.
        ValueError: It is no JSON object.
    """
    recording = decode_canonical(path.read_bytes())
    if not isinstance(recording, dict):
        raise ValueError(f"{path} holds no JSON object")
    return recording


def write_fixture(path: Path, recording: dict[str, Any]) -> None:
    """Write a recording: indented, keys sorted. A reader finds the old file or the new one, whole.

    Raises:
        OSError: It cannot be written.
        NonSerializableEventError: It holds what no log could carry.
    """
    text = json.dumps(json.loads(encode_plain(recording)), indent=2, sort_keys=True) + "\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.stem}.{secrets.token_hex(4)}.part")
    try:
        with open(partial, "x", encoding="utf-8") as file:
            file.write(text)
        os.replace(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def recorded_at() -> str:
    """The time now, as recordings have it: UTC, `2026-05-15T10:32:01Z`."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
