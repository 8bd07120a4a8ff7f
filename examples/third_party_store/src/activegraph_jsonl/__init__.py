"""A store of text files, as anybody could write one."""

from activegraph_jsonl.backend import JsonlBackend
from activegraph_jsonl.store import JsonlStore

__all__ = ["JsonlBackend", "JsonlStore"]
