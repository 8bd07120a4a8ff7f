"""Integers of any size as decimal text, without the interpreter's limit on digits.

The limit guards `int(text)` and `str(number)` against quadratic time; long numbers are halved
until their parts are short, which costs about as much as multiplying them.
"""

from __future__ import annotations

__all__ = ["digits_of", "number_of"]

_SHORT = 600
"""Digits that are converted at once: below the least limit that an interpreter can be set to (640)."""

_SHORT_BOUND = 10**_SHORT
_DIGITS_PER_BIT = 0.30103


def digits_of(number: int) -> str:
    """`str(number)`."""
    if -_SHORT_BOUND < number < _SHORT_BOUND:
        return str(number)
    return "-" + _digits(-number) if number < 0 else _digits(number)


def _digits(number: int) -> str:
    if number < _SHORT_BOUND:
        return str(number)
    half = int(number.bit_length() * _DIGITS_PER_BIT) // 2
    high, low = divmod(number, 10**half)
    return _digits(high) + _digits(low).rjust(half, "0")


def number_of(digits: str) -> int:
    """`int(digits)` for ASCII digits with an optional minus."""
    if digits.startswith("-"):
        return -_number(digits[1:])
    return _number(digits)


def _number(digits: str) -> int:
    if len(digits) <= _SHORT:
        return int(digits)
    half = len(digits) // 2
    scale: int = 10**half
    return _number(digits[:-half]) * scale + _number(digits[-half:])
