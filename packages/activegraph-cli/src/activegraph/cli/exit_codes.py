"""Exit codes, and which error gets which: scripts are written against them."""

from __future__ import annotations

__all__ = [
    "EXIT_CODES",
    "EXIT_CORRUPTION",
    "EXIT_DIVERGENCE",
    "EXIT_GENERIC_ERROR",
    "EXIT_INTERRUPTED",
    "EXIT_NOT_FOUND",
    "EXIT_OK",
    "EXIT_USAGE_ERROR",
    "exit_code_of",
]

EXIT_OK = 0
EXIT_GENERIC_ERROR = 1
EXIT_USAGE_ERROR = 2
EXIT_NOT_FOUND = 3
EXIT_CORRUPTION = 4
EXIT_DIVERGENCE = 5
EXIT_INTERRUPTED = 130

EXIT_CODES = {
    "ok": EXIT_OK,
    "generic_error": EXIT_GENERIC_ERROR,
    "usage_error": EXIT_USAGE_ERROR,
    "not_found": EXIT_NOT_FOUND,
    "corruption": EXIT_CORRUPTION,
    "divergence": EXIT_DIVERGENCE,
}

# By name, so that no room of the library is loaded to find out what an error is not.
_ERRORS = (
    (EXIT_DIVERGENCE, {"ReplayDivergenceError"}),
    (EXIT_CORRUPTION, {"SchemaVersionMismatch", "CorruptedEventPayloadError", "LogInconsistencyError"}),
    (
        EXIT_NOT_FOUND,
        {
            "StoreNotFoundError",
            "RunNotFoundError",
            "EventNotFoundError",
            "PackNotFoundError",
            "FileNotFoundError",
            "NotADirectoryError",
        },
    ),
    (EXIT_USAGE_ERROR, {"InvalidStoreURL", "InvalidRuntimeConfiguration", "InvalidArgumentType", "UsageError"}),
)


def exit_code_of(error: BaseException) -> int:
    """The exit code of an error: its class decides, the gravest where it is several, 1 for any other."""
    names = {cls.__name__ for cls in type(error).__mro__}
    for code, of_this_code in _ERRORS:
        if names & of_this_code:
            return code
    return EXIT_GENERIC_ERROR
