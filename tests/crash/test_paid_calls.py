"""Kill a process that pays for calls: at any commit, inside a call, and between a call and its answer."""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from activegraph.errors import ConcurrentWriterError
from activegraph.store import verify_run
from support.equal_logs import essences
from support.killed import KILLED, commits_of, ended_at_commit, in_a_process, kill, wait_for
from support.paid_program import RUN, log_of, opened, replayed_strictly, to_the_end
from support.scripted import CallBook

FULL = os.environ.get("ACTIVEGRAPH_TEST_SCALE") == "full"


@pytest.fixture(params=["sqlite", "postgres"])
def new_url(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], str]:
    """A function that gives the URL of another empty store."""
    if request.param == "postgres":
        make: Callable[[], str] = request.getfixturevalue("new_postgres_url")
        return make
    numbers = iter(range(10**6))
    return lambda: f"sqlite:///{tmp_path}/{next(numbers)}.db"


@pytest.fixture
def new_book(tmp_path: Path) -> Callable[[], CallBook]:
    """A function that gives another empty book of calls."""
    numbers = iter(range(10**6))
    return lambda: CallBook(tmp_path / f"{next(numbers)}.calls")


class Whole:
    """The run that nothing has ended: its log, its calls and how many commits it took."""

    def __init__(self, url: str, book: CallBook) -> None:
        self.commits = commits_of(lambda: to_the_end(url, book))
        self.essences = essences(log_of(url))
        self.calls = book.lines()

    def check(self, url: str, book: CallBook, in_flight: int) -> None:
        """The finished log is this one's, does it again, and each call was made once, but for those in flight."""
        assert essences(log_of(url)) == self.essences
        replayed_strictly(url)
        assert verify_run(url, RUN).ok
        made, expected = Counter(book.lines()), Counter(self.calls)
        assert set(made) == set(expected)
        assert sum((made - expected).values()) <= in_flight


@pytest.fixture
def whole(new_url: Callable[[], str], new_book: Callable[[], CallBook]) -> Whole:
    return Whole(new_url(), new_book())


def some(last: int, *, url: str) -> range:
    """Every place up to the last; on a server, which takes its time, every third."""
    return range(1, last + 1, 1 if FULL or url.startswith("sqlite") else 3)


@pytest.mark.parametrize("after", [False, True], ids=["before-each-commit", "after-each-commit"])
def test_a_process_that_ends_at_any_commit_pays_for_no_answer_twice(
    whole: Whole, new_url: Callable[[], str], new_book: Callable[[], CallBook], after: bool
) -> None:
    assert len(whole.calls) > 12
    for commit in some(whole.commits, url=new_url()):
        url, book = new_url(), new_book()
        assert ended_at_commit(partial(to_the_end, url, book), commit, after=after)
        answered = {event.caused_by for event in log_of(url) if event.type.endswith(".responded")} if after else set()
        requests = (
            [event.id for event in log_of(url) if event.type in ("llm.requested", "tool.requested")] if after else []
        )
        to_the_end(url, book)
        # Behind the commit of an answer nothing is in flight; before it, the one call that it answers was.
        in_flight = 0 if after and set(requests) <= answered else 1
        whole.check(url, book, in_flight)


@pytest.mark.parametrize("after", [False, True], ids=["inside", "between-call-and-return"])
def test_a_process_that_ends_in_a_call_makes_it_again_with_the_same_key(
    whole: Whole, new_url: Callable[[], str], new_book: Callable[[], CallBook], after: bool
) -> None:
    for call in some(len(whole.calls), url=new_url()):
        url, book = new_url(), new_book()
        assert wait_for(in_a_process(partial(to_the_end, url, book, call, after=after))) == KILLED
        killed_in = whole.calls[call - 1]
        replayed_strictly(url)
        to_the_end(url, book)
        assert Counter(book.lines())[killed_in] == Counter(whole.calls)[killed_in] + after
        whole.check(url, book, in_flight=int(after))


def test_a_process_that_ends_in_every_call_pays_for_each_answer_once_all_the_same(
    whole: Whole, new_url: Callable[[], str], new_book: Callable[[], CallBook]
) -> None:
    url, book = new_url(), new_book()
    ends = 0
    # The first call of each process is the one that was in flight; it ends in the one behind it.
    while wait_for(in_a_process(partial(to_the_end, url, book, 2, after=True))) == KILLED:
        ends += 1
    assert ends >= len(whole.calls) // 2
    whole.check(url, book, in_flight=ends)


def test_a_process_that_resumes_behind_another_one_is_told_before_it_makes_the_open_call(
    whole: Whole, new_url: Callable[[], str], new_book: Callable[[], CallBook]
) -> None:
    url, book = new_url(), new_book()
    assert wait_for(in_a_process(partial(to_the_end, url, book, 3, after=True))) == KILLED
    second = opened(url, book)

    to_the_end(url, book)
    with pytest.raises(ConcurrentWriterError):
        second.run_until_idle()

    assert Counter(book.lines())[whole.calls[2]] == 2
    whole.check(url, book, in_flight=1)


def test_a_process_killed_from_outside_at_any_time_pays_for_each_answer_once(
    whole: Whole, new_url: Callable[[], str], new_book: Callable[[], CallBook]
) -> None:
    began = time.monotonic()
    to_the_end(new_url(), new_book())
    seconds = time.monotonic() - began
    chance = random.Random(4)
    killed = 0
    for _ in range(40 if FULL else 6):
        url, book = new_url(), new_book()
        ends = 0
        while True:
            pid = in_a_process(partial(to_the_end, url, book))
            time.sleep(chance.random() * seconds)  # the instant of the kill is what is tried here
            kill(pid)
            if wait_for(pid) == 0:
                break
            ends += 1
        whole.check(url, book, in_flight=ends)
        killed += ends
    assert killed > 0
