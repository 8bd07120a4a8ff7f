"""Arithmetic on money, whatever the decimal context of the program that this library runs in."""

from __future__ import annotations

from decimal import Context, DivisionByZero, InvalidOperation, Overflow

__all__ = ["EXACT"]

EXACT = Context(prec=400, traps=[DivisionByZero, InvalidOperation, Overflow])
"""A program may round to three digits, or trap what is inexact; a limit on costs must not depend on that.

Its digits reach from the greatest number that a float holds to far below the price of a token.
"""
