"""The root of all errors of the product, the seven categories, and the texts that they share."""

from __future__ import annotations

import re
from copy import deepcopy
from typing import Any, ClassVar, Self, TypeVar

__all__ = [
    "DOCS_BASE_URL",
    "GITHUB_NEW_ISSUE_URL",
    "ActiveGraphError",
    "ConfigurationError",
    "ExecutionError",
    "PackError",
    "PatternError",
    "RegistrationError",
    "ReplayError",
    "StorageError",
    "internal_bug_fields",
]

DOCS_BASE_URL = "https://docs.activegraph.ai"
"""The one place that links in messages start from."""

GITHUB_NEW_ISSUE_URL = "https://github.com/activegraph/activegraph/issues/new"
"""Where to report what only a bug of the framework can cause."""

_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]{2,}(?![a-z])|[A-Z][a-z0-9]*|[a-z0-9]+")


class ActiveGraphError(Exception):
    """An error that says what failed, why it must be so, and what to do now.

    Args:
        summary: One line that names the thing.
        what_failed, why, how_to_fix: The three parts; left out, `str` is the summary alone.
        context: Machine-readable details.
    """

    _doc_slug: ClassVar[str] = "active-graph-error"
    _quotes_others: ClassVar[bool] = False
    """Whether the summary may hold the text of a model, a tool or an exception of somebody else's."""

    def __init__(
        self,
        summary: str,
        *,
        what_failed: str | None = None,
        why: str | None = None,
        how_to_fix: str | None = None,
        context: dict[str, Any] | None = None,
    ) -> None:
        summary = _one_line(summary)
        super().__init__(summary)
        self.summary = summary
        self.what_failed = what_failed or ""
        self.why = why or ""
        self.how_to_fix = how_to_fix or ""
        self.context: dict[str, Any] = dict(context or {})

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if cls.__module__.startswith("activegraph.errors."):
            cls.__module__ = "activegraph.errors"
        if "_doc_slug" not in cls.__dict__:
            cls._doc_slug = "-".join(_WORD.findall(cls.__name__)).lower()

    @property
    def doc_url(self) -> str:
        """The page of this error in the reference."""
        return f"{DOCS_BASE_URL}/errors/{self._doc_slug}"

    def is_structured(self) -> bool:
        """Whether all three parts were given."""
        return bool(self.what_failed and self.why and self.how_to_fix)

    def __str__(self) -> str:
        if not self.is_structured():
            return self.summary
        parts = (
            ("What failed", self.what_failed),
            ("Why", self.why),
            ("How to fix", self.how_to_fix),
            ("More", self.doc_url),
        )
        sections = [f"{type(self).__name__}: {self.summary}"]
        sections += [f"{title}:\n{_indented(body)}" for title, body in parts]
        return "\n\n".join(sections)

    def __reduce__(self) -> tuple[Any, ...]:
        # Leaves build their own texts from keyword arguments, so a copy is restored by its state.
        return _restored, (type(self), self.args), {name: _portable(item) for name, item in self.__dict__.items()}

    def __copy__(self) -> Self:
        error = _restored(type(self), self.args)
        error.__dict__.update(self.__dict__)
        return error

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        error = _restored(type(self), self.args)
        for name, item in self.__dict__.items():
            try:
                error.__dict__[name] = deepcopy(item, memo)
            except Exception:  # a value that was refused may be of any class, and may refuse to be copied
                error.__dict__[name] = item
        return error


_Error = TypeVar("_Error", bound=ActiveGraphError)


def _restored(cls: type[_Error], args: tuple[Any, ...]) -> _Error:
    error = cls.__new__(cls, *args)
    # The builtin base keeps fields of its own, outside the state: the `msg` of an ImportError, for one.
    builtin = next(base for base in cls.__mro__ if base.__module__ == "builtins")
    builtin.__init__(error, *args)  # type: ignore[misc]  # it is a base of `cls`
    return error


def _portable(item: Any) -> Any:
    """`item` if it can be pickled, else what can be of it: a context may name a value of any class."""
    import pickle

    try:
        pickle.dumps(item)
    except Exception:  # raised by the value's own class
        if type(item) is dict:
            return {key: _portable(part) for key, part in item.items()}
        if type(item) in (list, tuple):
            return type(item)(_portable(part) for part in item)
        return shown(item)
    return item


def shown(value: object, limit: int = 80) -> str:
    """`repr(value)` for a message: one line, cut at `limit`, whatever the value's own `repr` does."""
    try:
        text = repr(value)
    except Exception as error:  # a value of any class, and integers have a limit of digits
        text = f"<{type(value).__name__} whose repr raised {type(error).__name__}>"
    text = _one_line(text).encode("utf-8", "backslashreplace").decode("utf-8")
    return text if len(text) <= limit else f"{text[: limit - 3]}..."


def _one_line(text: str) -> str:
    lines = text.splitlines()
    return text if len(lines) < 2 else " ".join(line.strip() for line in lines)


def _indented(body: str) -> str:
    return "\n".join(f"  {line}" if line.strip() else "" for line in body.strip("\n").split("\n"))


ActiveGraphError.__module__ = "activegraph.errors"


class ConfigurationError(ActiveGraphError):
    """Wrong construction, arguments or state."""


class RegistrationError(ActiveGraphError):
    """Declaring or looking up behaviors, tools and packs."""


class ExecutionError(ActiveGraphError):
    """Raised to the caller during a run."""


class ReplayError(ActiveGraphError):
    """Replay, resume or fork differs from the log."""


class StorageError(ActiveGraphError):
    """Stores, their URLs and their content."""


class PatternError(ActiveGraphError):
    """Patterns."""


class PackError(ActiveGraphError):
    """Packs."""


def internal_bug_fields(
    *,
    summary: str,
    what_happened: str,
    why_invariant: str,
    location: str,
    extra_context: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Arguments for an error that only a bug of the framework can cause."""
    from activegraph import __version__

    return {
        "summary": summary,
        "what_failed": what_happened,
        "why": why_invariant,
        "how_to_fix": (
            "This is a framework bug, not a problem with your code. Please report it:\n"
            f"    {GITHUB_NEW_ISSUE_URL}\n"
            f"framework version: {__version__}\n"
            f"internal location: {location}"
        ),
        "context": {
            "internal": True,
            "framework_version": __version__,
            "internal_error_location": location,
            "report_url": GITHUB_NEW_ISSUE_URL,
            **(extra_context or {}),
        },
    }
