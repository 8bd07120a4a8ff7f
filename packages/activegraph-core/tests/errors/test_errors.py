"""Every public error: its family, its text, its details, and that it survives copies and pickles."""

from __future__ import annotations

import copy
import pickle
import threading
from typing import Any

import activegraph.errors as errors
import pytest
from activegraph.errors import (
    DOCS_BASE_URL,
    GITHUB_NEW_ISSUE_URL,
    ActiveGraphError,
    ConfigurationError,
    ExecutionError,
    InternalEvaluatorError,
    PackError,
    PatternError,
    RegistrationError,
    ReplayError,
    StorageError,
    internal_bug_fields,
)

CATEGORIES = {
    "configuration-error": ConfigurationError,
    "registration-error": RegistrationError,
    "execution-error": ExecutionError,
    "replay-error": ReplayError,
    "storage-error": StorageError,
    "pattern-error": PatternError,
    "pack-error": PackError,
}

TEXTS: dict[str, Any] = {
    "what_failed": "Doing it.",
    "why": "Because.",
    "how_to_fix": "Do this:\n    run it\n\nThen that.",
    "context": {"a": 1},
}

LEAVES: list[tuple[str, type[Exception], type[Exception] | None, str]] = [
    ("InvalidRuntimeConfiguration", ConfigurationError, ValueError, "invalid-runtime-configuration"),
    ("InvalidArgumentType", ConfigurationError, TypeError, "invalid-argument-type"),
    ("IncompatibleRuntimeState", ConfigurationError, RuntimeError, "incompatible-runtime-state"),
    ("MissingOptionalDependency", RegistrationError, ImportError, "missing-optional-dependency"),
    ("BehaviorNotFoundError", RegistrationError, LookupError, "behavior-not-found-error"),
    ("ToolNotFoundError", RegistrationError, LookupError, "tool-not-found-error"),
    ("MissingToolError", RegistrationError, RuntimeError, "missing-tool-error"),
    ("AmbiguousBehaviorError", RegistrationError, ValueError, "ambiguous-behavior-error"),
    ("AmbiguousToolError", RegistrationError, ValueError, "ambiguous-tool-error"),
    ("InvalidToolRegistration", RegistrationError, TypeError, "invalid-tool-registration"),
    ("InvalidActivateAfter", RegistrationError, ValueError, "invalid-activate-after"),
    ("ToolError", ExecutionError, None, "tool-error"),
    ("UnknownToolError", ExecutionError, RuntimeError, "unknown-tool-error"),
    ("PackNotFoundError", RegistrationError, LookupError, "pack-not-found-error"),
    *(
        (name, category, None, slug)
        for name, slug in (
            ("PackValidationError", "pack-validation-error"),
            ("PackConflictError", "pack-conflict-error"),
            ("PackVersionConflictError", "pack-version-conflict-error"),
            ("PackSettingsMissingError", "pack-settings-missing-error"),
            ("PackPromptLoadError", "pack-prompt-load-error"),
        )
        for category in (RegistrationError, PackError)
    ),
    ("PackSchemaViolation", PackError, ValueError, "pack-schema-violation"),
    ("ApprovalNotFoundError", ExecutionError, LookupError, "approval-not-found-error"),
    ("RuntimeContextRequiredError", ExecutionError, RuntimeError, "runtime-context-required-error"),
    ("InvalidPatchLifecycleState", ExecutionError, ValueError, "invalid-patch-lifecycle-state"),
    ("InvalidPatchOperation", ExecutionError, ValueError, "invalid-patch-operation"),
    ("InternalEvaluatorError", ExecutionError, ValueError, "internal-evaluator-error"),
    ("UnsupportedPatternError", PatternError, SyntaxError, "unsupported-pattern-error"),
    ("LLMBehaviorError", ExecutionError, None, "llm-behavior-error"),
    ("MissingProviderSDK", RegistrationError, ImportError, "missing-provider-sdk"),
    ("MissingProviderSDK", errors.MissingOptionalDependency, RuntimeError, "missing-provider-sdk"),
    ("MissingProviderError", RegistrationError, RuntimeError, "missing-provider-error"),
    ("ReplayDivergenceError", ReplayError, None, "replay-divergence-error"),
    ("InvalidStoreURL", StorageError, ValueError, "invalid-store-url-error"),
    ("StoreNotFoundError", StorageError, FileNotFoundError, "store-not-found-error"),
    ("StoreUnavailableError", StorageError, ConnectionError, "store-unavailable-error"),
    ("StoreReadOnlyError", StorageError, PermissionError, "store-read-only-error"),
    ("RunNotFoundError", StorageError, FileNotFoundError, "run-not-found-error"),
    ("RunNotFoundError", StorageError, LookupError, "run-not-found-error"),
    ("RunExistsError", StorageError, ValueError, "run-exists-error"),
    ("EventNotFoundError", StorageError, KeyError, "event-not-found-error"),
    ("DuplicateEventError", StorageError, ValueError, "duplicate-event-error"),
    ("ConcurrentWriterError", StorageError, None, "concurrent-writer-error"),
    ("NonSerializableEventError", StorageError, TypeError, "non-serializable-event-error"),
    ("CorruptedEventPayloadError", StorageError, None, "corrupted-event-payload-error"),
    ("LogInconsistencyError", StorageError, None, "log-inconsistency-error"),
    ("SchemaVersionMismatch", StorageError, None, "schema-version-mismatch"),
]

OWN_CONSTRUCTORS: dict[str, tuple[tuple[Any, ...], dict[str, Any], dict[str, Any]]] = {
    "MissingOptionalDependency": (
        (),
        {"package": "psycopg", "feature": "PostgresEventStore", "extras": "postgres"},
        {"package": "psycopg", "feature": "PostgresEventStore", "extras": "postgres"},
    ),
    "BehaviorNotFoundError": (
        ("plan",),
        {"registered": ["a", "b"], "pack_state": True},
        {"name": "plan", "registered": ("a", "b"), "pack_state": True},
    ),
    "ToolNotFoundError": (("look",), {"registered": ["a"]}, {"name": "look", "registered": ("a",)}),
    "AmbiguousBehaviorError": (("plan",), {"packs": ["p", "q"]}, {"name": "plan", "packs": ("p", "q")}),
    "AmbiguousToolError": (("look",), {"packs": ["p", "q"]}, {"name": "look", "packs": ("p", "q")}),
    "MissingToolError": (
        ("look",),
        {"behavior_name": "plan", "registered": ["a"]},
        {"tool_name": "look", "behavior_name": "plan", "registered": ("a",)},
    ),
    "ToolError": (
        ("tool.timeout", "no answer"),
        {"payload_extras": {"url": "u"}},
        {"reason": "tool.timeout", "message": "no answer", "payload_extras": {"url": "u"}},
    ),
    "UnknownToolError": (
        ("no such tool",),
        {"tool_name": "look", "declared_tools": ["a"]},
        {"message": "no such tool", "tool_name": "look", "declared_tools": ("a",)},
    ),
    "PackNotFoundError": (("p",), {"installed": ["q"]}, {"name": "p", "installed": ("q",)}),
    "InvalidToolRegistration": ((5,), {}, {"type": "int", "repr": "5"}),
    "InvalidActivateAfter": (
        (),
        {"spec": "soon", "kind": "unparseable string", "hint": "Pass a number."},
        {"spec": "'soon'", "kind": "unparseable string"},
    ),
    "LLMBehaviorError": (
        ("llm.rate_limited", "too many"),
        {"payload_extras": {"retry_after_seconds": 2.0}},
        {"reason": "llm.rate_limited", "message": "too many", "payload_extras": {"retry_after_seconds": 2.0}},
    ),
    "MissingProviderSDK": (
        (),
        {"package": "anthropic", "feature": "AnthropicProvider", "extras": "llm"},
        {"package": "anthropic", "feature": "AnthropicProvider", "extras": "llm"},
    ),
    "MissingProviderError": (("suggest",), {}, {"behavior_name": "suggest"}),
    "ApprovalNotFoundError": (
        ("approval_001",),
        {"pending_count": 2},
        {"approval_id": "approval_001", "pending_count": 2},
    ),
    "RuntimeContextRequiredError": ((), {"method": "graph.emit"}, {"method": "graph.emit"}),
    "InvalidPatchLifecycleState": (
        (),
        {"patch_id": "patch_001", "current_status": "applied"},
        {"patch_id": "patch_001", "current_status": "applied"},
    ),
    "ReplayDivergenceError": (
        (),
        {"event_id": "evt_003", "expected": "type=a", "actual": "type=b"},
        {"event_id": "evt_003", "expected": "type=a", "actual": "type=b", "kind": "type_mismatch"},
    ),
    "ConcurrentWriterError": (
        (),
        {
            "run_id": "r",
            "expected_head": "evt_001",
            "actual_head": None,
            "expected_count": 1,
            "actual_count": 2,
            "driver": "sqlite",
        },
        {
            "run_id": "r",
            "expected_head": "evt_001",
            "actual_head": None,
            "expected_count": 1,
            "actual_count": 2,
            "driver": "sqlite",
        },
    ),
}


def make(name: str) -> ActiveGraphError:
    cls = getattr(errors, name)
    args, options, _ = OWN_CONSTRUCTORS.get(name, (("it failed",), TEXTS, {}))
    error: ActiveGraphError = cls(*args, **options)
    return error


NAMES = sorted({name for name, *_ in LEAVES})


@pytest.mark.parametrize(("slug", "category"), CATEGORIES.items())
def test_categories_take_the_base_constructor(slug: str, category: type[ActiveGraphError]) -> None:
    error = category("it failed", **TEXTS)
    assert error.doc_url == f"{DOCS_BASE_URL}/errors/{slug}"
    assert error.context == {"a": 1}
    assert isinstance(error, ActiveGraphError)


@pytest.mark.parametrize(("name", "category", "also", "slug"), LEAVES)
def test_leaves_keep_their_category_their_builtin_base_and_their_page(
    name: str, category: type[Exception], also: type[Exception] | None, slug: str
) -> None:
    error = make(name)
    assert isinstance(error, category)
    assert also is None or isinstance(error, also)
    assert error.doc_url == f"{DOCS_BASE_URL}/errors/{slug}"
    assert type(error).__module__ == "activegraph.errors"


def test_no_two_errors_share_a_page() -> None:
    classes = [c for c in vars(errors).values() if isinstance(c, type) and issubclass(c, ActiveGraphError)]
    slugs = [c._doc_slug for c in classes]
    assert len(set(slugs)) == len(slugs)


def test_the_text_has_five_parts_in_one_layout() -> None:
    assert str(errors.InvalidArgumentType("it failed", **TEXTS)) == (
        "InvalidArgumentType: it failed\n"
        "\n"
        "What failed:\n"
        "  Doing it.\n"
        "\n"
        "Why:\n"
        "  Because.\n"
        "\n"
        "How to fix:\n"
        "  Do this:\n"
        "      run it\n"
        "\n"
        "  Then that.\n"
        "\n"
        "More:\n"
        f"  {DOCS_BASE_URL}/errors/invalid-argument-type"
    )


def test_an_error_without_all_three_parts_is_its_summary() -> None:
    error = ActiveGraphError("only this", what_failed="x", why="y")
    assert not error.is_structured()
    assert str(error) == "only this"
    assert (error.what_failed, error.why, error.how_to_fix, error.context) == ("x", "y", "", {})


def test_a_summary_is_one_line_whatever_was_passed() -> None:
    assert ActiveGraphError("two\nlines").summary == "two lines"


@pytest.mark.parametrize("name", NAMES)
def test_every_leaf_is_structured_and_names_its_details(name: str) -> None:
    error = make(name)
    _, options, context = OWN_CONSTRUCTORS.get(name, ((), {}, {"a": 1}))
    assert error.is_structured()
    assert str(error).startswith(f"{name}: {error.summary}\n")
    assert not str(error).endswith("\n")
    assert context.items() <= error.context.items()
    if name in OWN_CONSTRUCTORS:
        for attribute, value in options.items():
            found = getattr(error, attribute, error.context.get(attribute))
            assert found == (tuple(value) if isinstance(value, list) else value)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda e: pickle.loads(pickle.dumps(e))])
def test_errors_survive_copies_and_pickles(name: str, copied: Any) -> None:
    error = make(name)
    error.add_note("seen in a test")
    other = copied(error)
    assert type(other) is type(error)
    assert str(other) == str(error)
    assert other.__dict__ == error.__dict__
    assert other.args == error.args
    assert getattr(other, "msg", None) == getattr(error, "msg", None)


def test_errors_survive_although_they_name_a_value_that_cannot_be_pickled() -> None:
    lock = threading.Lock()
    error = errors.InvalidToolRegistration(lock)
    loaded = pickle.loads(pickle.dumps(error))
    assert str(loaded) == str(error)
    assert copy.copy(error).value is lock
    assert copy.deepcopy(error).value is lock
    with_context = ActiveGraphError("it failed", context={"deep": [lock, 1], "plain": 2})
    assert pickle.loads(pickle.dumps(with_context)).context["plain"] == 2


class UsersOwnError(errors.StorageError, ValueError):
    """A user's subclass."""


def test_a_users_subclass_lives_in_the_users_module() -> None:
    assert UsersOwnError.__module__ == __name__
    assert UsersOwnError("x").doc_url.endswith("/errors/users-own-error")


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("InvalidRuntimeConfiguration", "invalid-runtime-configuration"),
        ("LLMBehaviorError", "llm-behavior-error"),
        ("HTTPError2Big", "http-error2-big"),
        ("MissingProviderSDK", "missing-provider-sdk"),
    ],
)
def test_slugs_take_runs_of_capitals_as_one_word(name: str, slug: str) -> None:
    assert type(name, (ActiveGraphError,), {})._doc_slug == slug


def test_messages_show_values_however_long_or_broken_they_are() -> None:
    class Broken:
        def __repr__(self) -> str:
            raise RuntimeError

    assert "Broken" in str(errors.InvalidToolRegistration(Broken()))
    assert len(errors.InvalidToolRegistration("x" * 500).context["repr"]) == 80
    assert "int" in str(errors.InvalidToolRegistration(10**5000))


def test_a_missing_package_is_named_with_the_line_that_installs_it() -> None:
    with_extra = errors.MissingOptionalDependency(package="psycopg", feature="PostgresEventStore", extras="postgres")
    assert with_extra.summary == "PostgresEventStore requires the 'psycopg' Python package"
    assert "pip install 'activegraph[postgres]'" in str(with_extra)
    without = errors.MissingOptionalDependency(package="activegraph-cli", feature="the command line")
    assert "pip install activegraph-cli" in str(without)
    assert without.extras is None
    assert "extras" not in without.context


def test_an_unknown_name_is_shown_beside_up_to_six_known_ones() -> None:
    error = errors.BehaviorNotFoundError("x", registered=[f"b{n}" for n in range(9)])
    assert "b0, b1, b2, b3, b4, b5 and 3 more" in str(error)
    assert "b6" not in str(error)
    assert error.context["pack_state"] is False
    assert errors.ToolNotFoundError("x").registered == ()


def test_an_ambiguous_name_is_shown_with_its_packs() -> None:
    assert "p.plan" in str(errors.AmbiguousBehaviorError("plan", packs=["p", "q"]))
    assert errors.AmbiguousToolError("look").packs == ()


@pytest.mark.parametrize("name", ["RuntimeContextRequiredError", "InvalidPatchLifecycleState"])
def test_errors_about_the_life_of_a_run_link_to_the_failure_model(name: str) -> None:
    assert f"{DOCS_BASE_URL}/concepts/failure-model" in str(make(name))


def test_context_is_required_for_proposing_by_default() -> None:
    assert errors.RuntimeContextRequiredError().method == "ctx.propose_object"


@pytest.mark.parametrize(
    ("expected", "actual", "kind", "first_line"),
    [
        ("prompt_hash=a", "prompt_hash=b", "prompt_hash_mismatch", "LLM prompt hash mismatch"),
        ("payload=a", "payload=b", "payload_mismatch", "event payload mismatch"),
        ("type=a", "type=b", "type_mismatch", "event type mismatch"),
        ("type=a", None, "length_mismatch", "live re-run finished early"),
        ("<no recorded event>", "type=b", "length_mismatch", "live re-run produced an unrecorded event"),
    ],
)
def test_a_divergence_says_of_what_kind_it_is(expected: str, actual: str | None, kind: str, first_line: str) -> None:
    error = errors.ReplayDivergenceError(event_id="evt_007", expected=expected, actual=actual)
    assert error.kind == error.context["kind"] == kind
    assert str(error).splitlines()[0] == f"ReplayDivergenceError: replay diverged at evt_007: {first_line}"
    assert "evt_007" in error.what_failed
    for help_line in ("--event evt_007", "--pack-version", "--behaviors", "--at-event evt_007 --record"):
        assert help_line in error.how_to_fix


def test_a_framework_bug_says_that_it_is_one_and_where_to_report_it() -> None:
    fields = internal_bug_fields(
        summary="impossible",
        what_happened="It happened.",
        why_invariant="It cannot.",
        location="activegraph.somewhere",
        extra_context={"extra": 1},
    )
    error = InternalEvaluatorError(**fields)
    for words in (
        "framework bug",
        "not a problem with your code",
        GITHUB_NEW_ISSUE_URL,
        "framework version",
        "internal location",
    ):
        assert words in error.how_to_fix
    assert error.context["internal"] is True
    assert error.context["internal_error_location"] == "activegraph.somewhere"
    assert error.context["report_url"] == GITHUB_NEW_ISSUE_URL
    assert error.context["framework_version"]
    assert error.context["extra"] == 1


def test_a_missing_event_prints_its_text_and_not_a_quoted_key() -> None:
    error = errors.EventNotFoundError("event 'evt_9' is unknown", **TEXTS)
    assert str(error).startswith("EventNotFoundError: event 'evt_9' is unknown\n")
