"""Delays under the path that users import them from; they live in `activegraph.behaviors.delay`."""

from activegraph.behaviors.delay import parse_activate_after
from activegraph.errors import InvalidActivateAfter

__all__ = ["InvalidActivateAfter", "parse_activate_after"]
