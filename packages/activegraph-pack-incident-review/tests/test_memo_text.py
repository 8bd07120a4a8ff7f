"""Promises of a memo as text: narrow, complete, cited; and of the small words in it."""

from __future__ import annotations

from pathlib import Path

import pytest
from activegraph.packs.incident_review.memo_text import WIDTH, cite_lines, memo_lines
from activegraph.packs.incident_review.wording import between, counted, duration, first_of, size, sql
from hypothesis import given
from support.server_logs import error, log_files, log_line, review, write_log
from support.values import examples


@examples(50)
@given(lines=log_files())
def test_a_memo_of_any_log_is_narrow_and_moves_no_cursor(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str | bytes]
) -> None:
    graph = review(write_log(tmp_path_factory.mktemp("log") / "log.json", [log_line("readable"), *lines]))

    for memo in graph.objects("memo"):
        for line in [*memo_lines(graph, memo), *memo_lines(graph, memo, cite=cite_lines)]:
            assert len(line) <= WIDTH
            assert line.isprintable()


def test_findings_are_cited_by_line_of_the_file(tmp_path: Path) -> None:
    log = write_log(tmp_path / "log.json", [error("23505", f'violates "{name}"') for name in "abab"])
    graph = review(log)

    text = "\n".join(memo_lines(graph, graph.objects("memo")[0], cite=cite_lines))

    assert "(lines 1, 2)" in text
    assert 'log line 2: violates "b"' in text


def test_a_timeline_over_several_days_shows_the_dates(tmp_path: Path) -> None:
    graph = review(write_log(tmp_path / "log.json", [error("23505", "x", seconds=n) for n in range(0, 90_000, 500)]))

    text = memo_lines(graph, graph.objects("memo")[0])

    assert "  05-15 10:00:00  ERROR 23505 x (180x)                lines 1, 2, 3, ..." in text


def test_a_timeline_cuts_words_and_never_the_number_of_times(tmp_path: Path) -> None:
    lines = [error("23505", "a message that is much too long", seconds=n * 500) for n in range(1234)]
    graph = review(write_log(tmp_path / "log.json", lines))

    text = "\n".join(memo_lines(graph, graph.objects("memo")[0]))

    assert "  05-15 10:00:00  ERROR 23505 a message tha… (1234x)  lines 1, 2, 3, ..." in text


@pytest.mark.parametrize(("count", "begins"), [(1, "1 line of the log tells of"), (2, "2 lines of the log tell of")])
def test_a_summary_counts_as_people_do(tmp_path: Path, count: int, begins: str) -> None:
    graph = review(write_log(tmp_path / "log.json", [error("23505", "x")] * count))

    assert graph.objects("memo")[0].data["summary"].startswith(begins)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.7, "1 min"),
        (185, "3 min 5 s"),
        (3600, "1 h"),
        (7500, "2 h 5 min"),
        (90_000, "1 d 1 h"),
    ],
)
def test_durations_are_told_in_the_two_units_that_matter(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"), [(2048, "2 kB"), (3 << 20, "3.0 MB"), (50 << 20, "50 MB"), (2 << 30, "2.0 GB")]
)
def test_sizes_are_told_in_a_fitting_unit(count: int, text: str) -> None:
    assert size(count) == text


def test_counts_names_times_and_statements_read_like_prose() -> None:
    assert [counted(n, "line") for n in (0, 1, 1204)] == ["0 lines", "1 line", "1,204 lines"]
    assert [first_of(list("abcde"[:n])) for n in (1, 2, 3, 5)] == ["a", "a and b", "a, b and c", "a, b, c and 2 more"]
    assert between("2026-05-15 10:00:00.1 UTC", "2026-05-15 10:00:00.9 UTC") == "at 10:00:00"
    assert between("2026-05-15 10:00:00 UTC", "2026-05-16 10:00:00 UTC") == (
        "between 2026-05-15 10:00:00 and 2026-05-16 10:00:00"
    )
    assert sql("SELECT 1\n  FROM t") == "`SELECT 1 FROM t`"
