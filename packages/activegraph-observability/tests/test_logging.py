"""`configure_logging`: one JSON object a line with the documented fields, set up once, and never to anybody's harm."""

from __future__ import annotations

import importlib
import io
import json
import logging
import re
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from activegraph.core.log_lines import say
from activegraph.errors import InvalidArgumentType, ToolNotFoundError
from activegraph.observability import logging as ours
from activegraph.observability.logging import (
    LOG_FIELDS,
    JsonLineFormatter,
    configure_logging,
    get_logger,
    redact_payload,
    runtime_log_extra,
    set_payload_redactor,
)
from hypothesis import given
from hypothesis import strategies as st


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    """Set up again what a test has set up otherwise."""
    logger = logging.getLogger("activegraph")
    before = logger.level, logger.propagate, list(logger.handlers)
    yield
    set_payload_redactor(None)
    logger.setLevel(before[0])
    logger.propagate = before[1]
    logger.handlers[:] = before[2]


def record(message: Any = "hello", *arguments: Any, **attributes: Any) -> logging.LogRecord:
    made = logging.LogRecord("activegraph.runtime", logging.INFO, "x.py", 1, message, arguments or None, None)
    vars(made).update(attributes)
    return made


def line(message: Any = "hello", *arguments: Any, **attributes: Any) -> dict[str, Any]:
    """The JSON object of a record."""
    text = JsonLineFormatter().format(record(message, *arguments, **attributes))
    assert len(text.splitlines()) == 1
    found: dict[str, Any] = json.loads(text)
    return found


class Unshowable:
    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


class TestSettingUp:
    def test_lines_are_json_with_the_fields_that_apply_in_their_order(self) -> None:
        stream = io.StringIO()
        logger = configure_logging("INFO", stream=stream)
        fields = {"latency_seconds": 0.5, "run_id": "run_a", "behavior": "b", "cache_hit": False, "other": 1}
        say(get_logger("runtime"), logging.INFO, "event emitted: %s", "a.b", **fields)
        say(get_logger("runtime"), logging.DEBUG, "not this one")

        assert logger is logging.getLogger("activegraph")
        (text,) = stream.getvalue().splitlines()
        assert re.fullmatch(
            r'\{"timestamp":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z","level":"INFO","logger":"activegraph.runtime",'
            r'"message":"event emitted: a.b","run_id":"run_a","behavior":"b","cache_hit":false,"latency_seconds":0.5\}',
            text,
        )

    def test_lines_may_be_text(self) -> None:
        stream = io.StringIO()
        configure_logging(logging.WARNING, json_output=False, stream=stream)
        get_logger("store").warning("closed")
        get_logger("store").info("not this one")

        assert re.fullmatch(r"\d{4}-\S+ \d\d:\d\d:\S+ WARNING activegraph.store closed\n", stream.getvalue())

    def test_a_further_call_replaces_the_first_and_leaves_the_handlers_of_others(self) -> None:
        logger, other = logging.getLogger("activegraph"), logging.NullHandler()
        logger.addHandler(other)
        first, second = io.StringIO(), io.StringIO()
        configure_logging("DEBUG", stream=first, payload_redactor=lambda payload: {})
        configure_logging("ERROR", stream=second)
        importlib.reload(ours)
        ours.configure_logging("INFO", stream=second)

        logger.info("once")
        assert first.getvalue() == ""
        assert len(second.getvalue().splitlines()) == 1
        assert [h for h in logger.handlers if getattr(h, "_activegraph", False)] != []
        assert len(logger.handlers) == 2
        assert other in logger.handlers
        assert (logger.level, logger.propagate) == (logging.INFO, False)
        assert redact_payload({"a": 1}) == {"a": 1}

    def test_without_a_stream_lines_go_to_whatever_stderr_is(self, monkeypatch: pytest.MonkeyPatch) -> None:
        configure_logging("INFO")
        for _ in range(2):
            stream = io.StringIO()
            monkeypatch.setattr(sys, "stderr", stream)
            get_logger().info("here")
            assert len(stream.getvalue().splitlines()) == 1
        monkeypatch.setattr(sys, "stderr", None)
        get_logger().info("nowhere")

    def test_a_handlers_stream_may_be_set_anew(self) -> None:
        (handler,) = [h for h in configure_logging("INFO").handlers if getattr(h, "_activegraph", False)]
        stream = io.StringIO()
        assert isinstance(handler, logging.StreamHandler)
        handler.setStream(stream)
        get_logger().info("there")
        assert '"message":"there"' in stream.getvalue()

    @pytest.mark.parametrize("level", ["info", "INFO", 20])
    def test_a_level_is_a_name_or_a_number(self, level: Any) -> None:
        assert configure_logging(level).level == logging.INFO

    @pytest.mark.parametrize("level", ["LOUD", "", None, True])
    def test_an_unknown_level_is_refused_and_changes_nothing(self, level: Any) -> None:
        before = list(logging.getLogger("activegraph").handlers)
        with pytest.raises(ValueError, match="unknown log level"):
            configure_logging(level)
        assert logging.getLogger("activegraph").handlers == before

    def test_a_redactor_that_cannot_be_called_is_refused_and_changes_nothing(self) -> None:
        before = list(logging.getLogger("activegraph").handlers)
        with pytest.raises(InvalidArgumentType, match="callable"):
            configure_logging(payload_redactor={"email": "x"})  # type: ignore[arg-type]
        assert logging.getLogger("activegraph").handlers == before

    def test_importing_and_reloading_sets_nothing_up(self) -> None:
        code = """if True:
            import importlib, logging, sys
            import activegraph.observability as o
            [getattr(o, name) for name in o.__all__]
            import activegraph.observability.logging as l, activegraph.observability.prometheus as p
            for module in (o, l, p):
                importlib.reload(module)
            from activegraph import Graph, Runtime
            Runtime(Graph(), []).run_goal("g")
            loggers = [logging.getLogger(n) for n in logging.root.manager.loggerDict if n.startswith("activegraph")]
            loggers += [logging.root]
            print([(l.name, l.handlers, l.level, l.propagate) for l in loggers if l.handlers or not l.propagate])
            print({l.level for l in loggers if l is not logging.root})
        """
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout.splitlines() == ["[]", "{0}"]
        assert done.stderr == ""

    def test_a_stream_of_few_characters_gets_the_others_escaped(self) -> None:
        raw = io.BytesIO()
        stream = io.TextIOWrapper(raw, encoding="ascii", write_through=True)
        configure_logging("INFO", stream=stream)
        get_logger().info("größer 🦉")

        assert json.loads(raw.getvalue())["message"] == "größer 🦉"


class TestLines:
    def test_text_is_written_as_it_is(self) -> None:
        assert '"message":"größer 🦉"' in JsonLineFormatter().format(record("größer 🦉"))

    @pytest.mark.parametrize(
        "text", ["a\nb", "a\r\nb", "a\u2028b", "a\u2029b", "a\x85b", "a\x0bb\x0c\x1c\x1d\x1e", "\x00", '"\\']
    )
    def test_a_message_is_one_line_whatever_it_holds(self, text: str) -> None:
        assert line(text)["message"] == text

    def test_half_a_character_is_escaped(self) -> None:
        text = JsonLineFormatter().format(record("\ud800 x"))
        assert '"\\ud800 x"' in text
        assert text.encode("utf-8")

    def test_what_is_none_or_unknown_is_left_out(self) -> None:
        assert list(line(model=None, tool="t", unheard_of=1, cost_usd=None)) == [*LOG_FIELDS[:4], "tool"]

    def test_values_keep_their_types(self) -> None:
        shown = line(cost_usd=Decimal("0.0021"), latency_seconds=2, cache_hit=True, reason="r")
        assert (shown["cost_usd"], shown["latency_seconds"], shown["cache_hit"]) == ("0.0021", 2, True)
        assert line(cost_usd=0.5)["cost_usd"] == "0.5"

    @pytest.mark.parametrize(
        ("value", "shown"),
        [
            (float("nan"), "nan"),
            (float("-inf"), "-inf"),
            (Decimal("1.50"), "1.50"),
            ({1, }, "{1}"),
            (Unshowable(), "<Unshowable>"),
            ([Unshowable()], "<list>"),
            ([1, float("inf")], "[1, inf]"),
            (["a"], ["a"]),
        ],
    )  # fmt: skip
    def test_what_json_cannot_hold_is_its_text(self, value: Any, shown: Any) -> None:
        assert line(reason=value)["reason"] == shown

    def test_a_message_that_cannot_be_put_together_is_shown_as_it_was_given(self) -> None:
        assert line("%d events", "many")["message"] == "%d events"
        assert line("%s", Unshowable())["message"] == "%s"
        assert line(Unshowable())["message"] == "<Unshowable>"

    def test_the_time_is_utc_with_milliseconds(self) -> None:
        assert line(created=1_700_000_000.0625)["timestamp"] == "2023-11-14T22:13:20.062Z"
        assert line(created=1_700_000_000.9999)["timestamp"] == "2023-11-14T22:13:20.999Z"
        assert line(created=float("nan"))["timestamp"] == "1970-01-01T00:00:00.000Z"

    @given(
        st.dictionaries(
            st.sampled_from([*LOG_FIELDS, "levelname", "name", "created", "exc_info_free"]),
            st.none()
            | st.text()
            | st.floats()
            | st.integers()
            | st.binary()
            | st.lists(st.floats())
            | st.builds(object),
        ),
        st.text(alphabet=st.characters()),
        st.lists(st.integers() | st.text()),
    )
    def test_no_record_is_refused(self, attributes: dict[str, Any], message: str, arguments: list[Any]) -> None:
        attributes.pop("message", None)
        shown = line(message, *arguments, **attributes)
        assert [name for name in LOG_FIELDS if name in shown] == list(shown)
        assert set(LOG_FIELDS[:4]) <= set(shown)

    def test_an_exception_fills_the_fields_that_nobody_has_given(self) -> None:
        def met(error: Exception, **fields: Any) -> dict[str, Any]:
            return line(exc_info=(type(error), error, None), **fields)

        shown = met(ToolNotFoundError("look"))
        assert (shown["error_type"], shown["error_message"]) == ("ToolNotFoundError", "no tool named 'look'")
        assert shown["doc_url"].endswith("/errors/tool-not-found-error")
        assert "error_message" not in met(ValueError("x"), error_type="Given")
        set_payload_redactor(lambda payload: {"error_message": "***"})
        assert met(ValueError("a secret"))["error_message"] == "***"
        assert "error_type" not in line(exc_info=(None, None, None))


class TestNames:
    def test_loggers_live_below_the_root(self) -> None:
        assert get_logger().name == "activegraph"
        assert get_logger("runtime").name == "activegraph.runtime"
        assert get_logger("activegraph.tools.look").name == "activegraph.tools.look"
        assert get_logger("activegraphs").name == "activegraph.activegraphs"

    def test_extra_fields_are_those_that_are_known_and_clash_with_no_attribute(self) -> None:
        extra = runtime_log_extra(run_id="r", event_id=None, name="n", message="m", cache_hit=False)
        assert extra == {"run_id": "r", "ag_name": "n", "ag_message": "m", "cache_hit": False}
        get_logger().info("x", extra=extra)
