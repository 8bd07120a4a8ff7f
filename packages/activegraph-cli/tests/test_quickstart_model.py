"""Promises of `activegraph quickstart --input FILE --model NAME`: a real client, and a server that speaks its format."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from activegraph.cli.quickstart.review import reading_review
from activegraph.packs.incident_review.memo_bar import memo_problems
from activegraph.store import list_runs, sqlite_url
from support.cli import Cli
from support.model_review import ACTIONS, FOUND, LOOK, MEMO, PLAN, REVIEW
from support.model_server import Answer, ModelServer, Refusal
from support.server_logs import error, write_log

KEY = "sk-test-0123456789"
URL = sqlite_url("mine.db")


@pytest.fixture(autouse=True)
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModelServer]:
    """The service of both providers, in an empty folder with a log to review."""
    monkeypatch.chdir(tmp_path)
    write_log(Path("server.json"), [error("53300", "sorry, too many clients already"), error("23505", "twice")])
    with ModelServer(KEY) as server:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", server.anthropic_url)
        monkeypatch.setenv("OPENAI_BASE_URL", server.openai_url)
        monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        yield server


def quickstart(cli: Cli, model: str = "claude-test-1") -> Any:
    return cli("quickstart", "--input", "server.json", "--db", "mine.db", "--model", model)


@pytest.mark.parametrize("model", ["claude-test-1", "gpt-test-1"])
def test_the_model_investigates_and_only_what_it_quotes_is_printed(cli: Cli, server: ModelServer, model: str) -> None:
    server.replies(*REVIEW)

    result = quickstart(cli, model)

    assert (result.code, result.err) == (0, "")
    assert result.lines[0] == "server.json: 1 incident in 2 lines"
    assert "  Clients were refused." in result.lines
    assert "     Pool them. (line 1)" in result.lines
    assert "moon" not in result.out
    assert "4 claims that nothing in the record bears out were left out" in " ".join(result.out.split())
    (record,) = list_runs(URL)
    with reading_review(URL, record.run_id) as graph:
        assert memo_problems(graph, graph.objects("memo")[0]) == []
        first = graph.events[0].payload
        assert (first["mode"], first["model"]) == ("model", model)
        answers = [event.payload["output"] for event in graph.events if event.type == "tool.responded"]
        assert [answer["total"] for answer in answers] == [1] * 4
    assert {request.body["model"] for request in server.requests} == {model}


def test_a_finished_review_is_printed_again_without_asking_and_without_a_key(
    cli: Cli, server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.replies(*REVIEW)
    first = quickstart(cli)
    asked = len(server.requests)
    monkeypatch.delenv("ANTHROPIC_API_KEY")

    assert quickstart(cli) == first
    assert len(server.requests) == asked


def test_a_review_by_another_model_or_by_rules_is_another_run(cli: Cli, server: ModelServer) -> None:
    server.replies(*REVIEW)
    quickstart(cli)

    assert cli("quickstart", "--input", "server.json", "--db", "mine.db").code == 0

    assert len(list_runs(URL)) == 2


@pytest.mark.parametrize(
    ("model", "variable"), [("claude-test-1", "ANTHROPIC_API_KEY"), ("gpt-test-1", "OPENAI_API_KEY")]
)
def test_a_missing_key_is_one_line_and_nothing_is_recorded(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, model: str, variable: str
) -> None:
    monkeypatch.delenv(variable)

    result = quickstart(cli, model)

    assert (result.code, result.out) == (2, "")
    assert result.err.splitlines() == [f"model {model} needs a key: set the environment variable {variable}"]
    assert not Path("mine.db").exists()


def test_a_model_that_no_provider_knows_is_refused(cli: Cli) -> None:
    result = quickstart(cli, "oracle-9")

    assert (result.code, result.out) == (2, "")
    assert "oracle-9" in result.err


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("answered", [0, 9, 10])
def test_a_review_that_a_failure_ended_is_begun_again_before_it_and_asks_nothing_twice(
    cli: Cli, server: ModelServer, answered: int, times: int
) -> None:
    write_log(Path("server.json"), [error("53300", "too many clients already", seconds=1000 * n) for n in range(2)])
    asked = [*REVIEW, *REVIEW]
    done = len(REVIEW) + answered
    server.replies(*asked[:done], *[Refusal(401, "invalid x-api-key")] * times)
    failed = [quickstart(cli) for _ in range(times)]
    server.replies(*asked[done:])

    result = quickstart(cli)

    assert [(each.code, each.out) for each in failed] == [(1, "")] * times
    assert (result.code, result.err) == (0, "")
    assert result.out.count("     Pool them. (line ") == 2
    assert len(server.requests) == len(asked) + times
    requests = len(server.requests)
    assert quickstart(cli) == result
    assert len(server.requests) == requests


def test_a_refused_key_ends_the_review_and_the_next_start_goes_on(cli: Cli, server: ModelServer) -> None:
    server.replies(Refusal(401, "invalid x-api-key"))
    failed = quickstart(cli)
    server.replies(*REVIEW)

    assert (failed.code, failed.out) == (1, "")
    assert "llm.network_error" in failed.err
    advice = failed.err[failed.err.index("activegraph inspect ") :].splitlines()[0]
    assert '"reason": "llm.network_error"' in cli(*advice.split()[1:]).out
    assert KEY not in failed.err
    assert quickstart(cli).code == 0
    assert len(list_runs(URL)) == 2


def test_an_answer_of_no_use_leaves_its_question_open_and_the_review_goes_on(cli: Cli, server: ModelServer) -> None:
    server.replies(PLAN, Answer("I'd rather not say."), *[LOOK, FOUND] * 3, ACTIONS, MEMO)

    result = quickstart(cli)

    assert result.code == 0
    assert "not found: the investigation failed: llm.parse_error" in " ".join(result.out.split())
    assert "Not answered" in result.lines


def test_a_limit_of_the_service_is_waited_for(cli: Cli, server: ModelServer) -> None:
    server.replies(Refusal(429, "slow down", {"retry-after": "0"}), *REVIEW)

    assert quickstart(cli).code == 0
