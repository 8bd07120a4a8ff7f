"""What the command line itself has to say when it is called wrongly."""

from __future__ import annotations

__all__ = ["UsageError", "did_you_mean"]


class UsageError(Exception):
    """Arguments that make no sense; the message is shown with a hint at the help page, exit 2.

    Args:
        command: The words of the command that it is about; empty for the program itself.
        hint: Whether the help page would help.
    """

    def __init__(self, message: str, command: str = "", *, hint: bool = True) -> None:
        super().__init__(message)
        self.message = message
        self.command = command
        self.hint = hint


def did_you_mean(given: str, known: list[str]) -> str:
    """` Did you mean 'x'?` for the nearest known name, or nothing."""
    from difflib import get_close_matches

    close = get_close_matches(given, known, n=1, cutoff=0.6)
    return f" Did you mean '{close[0]}'?" if close else ""
