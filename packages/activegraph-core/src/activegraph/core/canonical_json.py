"""Canonical JSON for keys and recordings: one text, and one hash, for equal values.

This is what `json.dumps` with sorted keys, no spaces and escaped non-ASCII gives, so that anybody
can compute a key by hand. The log's own canonical form is another one (`core.codec`).
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

__all__ = ["canonical_hash", "canonical_json"]


def canonical_json(value: Any) -> str:
    """The text of a JSON value.

    Raises:
        TypeError, ValueError: Something in it is no JSON value.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def canonical_hash(value: Any) -> str:
    """SHA-256 over the canonical text: 64 lower-case hex digits."""
    return hashlib.sha256(canonical_json(value).encode("ascii")).hexdigest()
