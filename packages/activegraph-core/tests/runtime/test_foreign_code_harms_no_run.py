"""Errors that refuse to be shown, and handlers and redactors that raise: each is said as far as it goes, and the run goes on."""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from activegraph.behaviors.base import Behavior
from activegraph.core.event import Event
from activegraph.core.log_lines import error_fields, text_of
from activegraph.core.redaction import redact_payload, set_payload_redactor
from activegraph.errors import ActiveGraphError, IncompatibleRuntimeState, ToolNotFoundError
from activegraph.operations.migrate import migrate
from activegraph.store import InMemoryEventStore, sqlite_url
from support.runtimes import emit, loaded, new, types_of


class Unshowable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


class OddText(str):
    """Text that refuses what text can do."""

    __slots__ = ()

    def splitlines(self, keepends: bool = False) -> Any:
        raise RuntimeError("no lines")

    __len__ = splitlines  # type: ignore[assignment]


class OddlyShown(Exception):
    def __str__(self) -> str:
        return OddText("odd")


class Unnamed:
    """A listener without a name that anybody could ask for."""

    def __call__(self, event: Event) -> None:
        raise Unshowable

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError("no attributes")


@pytest.fixture
def raising_handler(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every line of the product meets a handler that raises an error that refuses to be shown."""

    class Raising(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            raise Unshowable

    monkeypatch.setattr(logging, "raiseExceptions", False)
    logger, handler = logging.getLogger("activegraph"), Raising()
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    yield
    logger.removeHandler(handler)
    logger.setLevel(logging.NOTSET)


@pytest.fixture
def redactor() -> Iterator[Any]:
    """What configures a redactor for the time of a test."""
    yield set_payload_redactor
    set_payload_redactor(None)


def raising(error: type[Exception]) -> Behavior:
    def work(event: Event, graph: Any, ctx: Any) -> None:
        graph.add_object("x", {})
        raise error

    return Behavior("work", work, ["a"])


class TestErrorsThatRefuseToBeShown:
    @pytest.mark.parametrize("error", [Unshowable, OddlyShown])
    def test_a_listeners_is_logged_and_the_run_goes_on(
        self, error: type[Exception], caplog: pytest.LogCaptureFixture
    ) -> None:
        def listen(event: Event) -> None:
            raise error

        seen: list[str] = []
        runtime = new([])
        runtime.graph.add_listener(listen)
        runtime.graph.add_listener(Unnamed())
        runtime.graph.add_listener(lambda event: seen.append(event.type))
        runtime.run_goal("g")
        runtime.run_goal("g")

        assert seen == ["goal.created", "runtime.idle"] * 2
        lines = [(r.getMessage(), r.error_type) for r in caplog.records]  # type: ignore[attr-defined]
        assert [type for _, type in lines] == [error.__name__, "Unshowable"]
        assert lines[0][0].endswith(".listen")
        assert lines[1][0] == "listener failed: Unnamed"

    @pytest.mark.parametrize(
        ("error", "message"), [(Unshowable, "<Unshowable without a readable message>"), (OddlyShown, "odd")]
    )
    def test_a_behaviors_is_a_failed_invocation(
        self, error: type[Exception], message: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        runtime = new([raising(error)])
        emit(runtime, "a")
        runtime.run_until_idle()

        (failure,) = runtime.errors
        assert (failure.exception_type, failure.message) == (error.__name__, message)
        assert failure.failed_event_id == "evt_004"
        (line,) = caplog.records
        assert (line.levelname, line.reason) == ("ERROR", f"exception.{error.__name__}")  # type: ignore[attr-defined]
        assert line.error_message == message  # type: ignore[attr-defined]
        assert type(line.error_message) is str  # type: ignore[attr-defined]

    @pytest.mark.parametrize("error", [Unshowable, OddlyShown])
    def test_a_stores_leaves_the_call_and_stops_the_run_as_any_other(
        self, error: type[Exception], caplog: pytest.LogCaptureFixture
    ) -> None:
        class Failing(InMemoryEventStore):
            def append_many(self, *events: Any, **options: Any) -> int:
                raise error

        runtime = new([], store=Failing("run_1"))
        with pytest.raises(error):
            emit(runtime, "a")

        assert runtime.status().state == "stopped"
        with pytest.raises(IncompatibleRuntimeState, match=error.__name__):
            runtime.run_until_idle()
        (line,) = caplog.records
        assert line.getMessage() == "append failed, runtime stopped"
        assert line.error_type == error.__name__  # type: ignore[attr-defined]

    def test_a_progress_callbacks_is_logged_and_the_copy_goes_on(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        def progress(report: Any) -> None:
            raise Unshowable

        new([], persist_to=tmp_path / "a.db").run_goal("g")
        report = migrate(sqlite_url(tmp_path / "a.db"), sqlite_url(tmp_path / "b.db"), on_progress=progress)

        assert [run.status for run in report.runs] == ["ok"]
        assert [r.getMessage() for r in caplog.records] == ["progress callback failed"]

    def test_one_of_ours_with_fields_of_its_own_making_is_said_by_its_text(self) -> None:
        class Odd(ActiveGraphError):
            @property
            def doc_url(self) -> str:
                raise Unshowable

        error = Odd("what it is")
        assert error_fields(error) == {"error_type": "Odd", "error_message": "what it is"}
        del error.summary
        assert error_fields(error)["error_message"] == "<Odd without a readable message>"

    def test_a_text_is_plain_text_whatever_a_class_makes_of_it(self) -> None:
        assert type(text_of(OddlyShown())) is str
        assert text_of(ValueError("a\nb")) == "a\nb"
        assert error_fields(ValueError("\n a\nb"))["error_message"] == "a"
        assert error_fields(ValueError())["error_message"] == "ValueError"


class TestHandlersThatRaise:
    @pytest.mark.usefixtures("raising_handler")
    def test_no_line_of_the_runtime_or_a_store_harms_a_run(self, tmp_path: Path) -> None:
        log = {}
        for name, options in {"file": {"persist_to": tmp_path / "a.db"}, "memory": {"store": _memory()}}.items():
            runtime = new([raising(ValueError), raising(Unshowable)], **options)
            runtime.graph.add_listener(Unnamed())
            emit(runtime, "a")
            runtime.run_until_idle()
            log[name] = types_of(runtime)
            runtime.close()
        again = loaded(tmp_path / "a.db")
        again.run_until_idle()

        step = ["behavior.started", "object.created", "behavior.failed"]
        assert log["file"] == log["memory"] == ["a", *step, *step, "runtime.idle"]
        assert types_of(again) == log["file"]

    @pytest.mark.usefixtures("raising_handler")
    def test_no_line_of_a_copy_harms_it(self, tmp_path: Path) -> None:
        new([], persist_to=tmp_path / "a.db").run_goal("g")
        report = migrate(sqlite_url(tmp_path / "a.db"), sqlite_url(tmp_path / "b.db"), on_progress=lambda r: 1 / 0)

        assert [run.status for run in report.runs] == ["ok"]

    @pytest.mark.usefixtures("raising_handler")
    @pytest.mark.parametrize("stream", [None, "closed", "raising"])
    def test_nor_does_a_stderr_that_cannot_take_the_handlers_error(
        self, stream: str | None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class Raising(io.StringIO):
            def write(self, text: str) -> int:
                raise Unshowable

        closed = io.StringIO()
        closed.close()
        monkeypatch.setattr(logging, "raiseExceptions", True)
        monkeypatch.setattr(sys, "stderr", {None: None, "closed": closed, "raising": Raising()}[stream])
        runtime = new([])
        runtime.run_goal("g")

        assert runtime.status().state == "idle"


class TestRedactors:
    def debug_lines(self, caplog: pytest.LogCaptureFixture) -> list[str]:
        with caplog.at_level(logging.DEBUG, "activegraph"):
            runtime = new([])
            emit(runtime, "a", {"email": "x@y", "n": [1, {"email": "z"}]})
            emit(runtime, "b", {"email": "x@y"})
        assert [event.payload["email"] for event in runtime.graph.events] == ["x@y", "x@y"]
        return [r.getMessage() for r in caplog.records if r.getMessage().startswith("event payload")]

    def test_what_it_leaves_is_shown_and_the_log_keeps_all(
        self, redactor: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        met: list[Any] = []

        def redact(payload: dict[str, Any]) -> dict[str, Any]:
            met.append(payload)
            payload.get("n", [0])[-1:] = []
            return {k: ("<redacted>" if k == "email" else v) for k, v in payload.items()}

        redactor(redact)
        lines = self.debug_lines(caplog)

        assert lines == [
            'event payload: a payload={"email":"<redacted>","n":[1]}',
            'event payload: b payload={"email":"<redacted>"}',
        ]
        assert [type(payload) for payload in met] == [dict, dict]
        assert "x@y" not in caplog.text

    @pytest.mark.parametrize("given", ["raise", None, [], {"a": object()}, {"self": ...}])
    def test_where_it_fails_nothing_is_shown_and_that_is_said_once(
        self, given: Any, redactor: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        def redact(payload: dict[str, Any]) -> Any:
            if given == "raise":
                raise Unshowable
            return given

        redactor(redact)
        assert self.debug_lines(caplog) == [f"event payload: {type} payload=<withheld>" for type in "ab"]
        redactor(redact)
        self.debug_lines(caplog)

        said = [r for r in caplog.records if r.levelno == logging.WARNING]
        assert [(r.name, r.getMessage()) for r in said] == [
            ("activegraph.observability", "payload redactor failed, payloads are withheld")
        ] * 2
        assert not hasattr(said[0], "error_message")
        assert "x@y" not in caplog.text

    def test_the_text_of_a_foreign_error_passes_it_and_ours_does_not(self, redactor: Any) -> None:
        met: list[Any] = []

        def redact(payload: dict[str, Any]) -> dict[str, Any]:
            met.append(payload)
            return {"error_message": payload["error_message"].replace("secret", "***")}

        redactor(redact)
        assert error_fields(ValueError("a secret\nbelow"))["error_message"] == "a ***"
        assert error_fields(ToolNotFoundError("secret"))["error_message"].startswith("no tool")
        assert met == [{"error_message": "a secret\nbelow"}]

    @pytest.mark.parametrize("left", [{}, {"error_message": 7}, None])
    def test_the_text_of_a_foreign_error_that_it_does_not_clear_is_withheld(self, left: Any, redactor: Any) -> None:
        redactor(lambda payload: left)

        assert error_fields(ValueError("a secret"))["error_message"] == "<withheld>"

    def test_a_failed_behaviors_line_does_not_quote_what_is_withheld(
        self, redactor: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        def fail(event: Event, graph: Any, ctx: Any) -> None:
            raise ValueError("x@y is no customer")

        redactor(lambda payload: 1 / 0)
        runtime = new([Behavior("fail", fail, ["a"])])
        emit(runtime, "a")
        runtime.run_until_idle()

        assert runtime.errors[0].message == "x@y is no customer"
        line = next(r for r in caplog.records if r.levelno == logging.ERROR)
        assert line.error_message == "<withheld>"  # type: ignore[attr-defined]
        assert "x@y" not in caplog.text

    def test_a_payload_can_be_asked_for_as_lines_show_it(self, redactor: Any) -> None:
        payload = {"email": "x", "parts": [{"email": "y"}]}
        shown = redact_payload(payload)
        assert shown == payload
        assert shown is not payload
        redactor(lambda payload: {"only": "this"})
        assert redact_payload(payload) == {"only": "this"}
        redactor(lambda payload: None)
        assert redact_payload(payload) is None
        assert payload == {"email": "x", "parts": [{"email": "y"}]}


def _memory() -> InMemoryEventStore:
    return InMemoryEventStore("run_1")
