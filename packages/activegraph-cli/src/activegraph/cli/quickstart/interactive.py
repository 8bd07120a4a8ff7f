"""`--interactive`: the user writes a behavior, and sees it fire in the review of the first incident."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

from activegraph.behaviors.base import AnyBehavior
from activegraph.behaviors.registry import clear_registry, get_registry, register
from activegraph.cli.quickstart.text import write_lines
from activegraph.core.clock import FrozenClock
from activegraph.core.graph import Graph
from activegraph.packs.incident_review.definition import pack
from activegraph.packs.incident_review.host import incident_goal
from activegraph.packs.incident_review.provider import RecordedIncidentProvider
from activegraph.packs.incident_review.recordings import THREE_INCIDENTS
from activegraph.runtime.face import BehaviorFailure
from activegraph.runtime.runtime import Runtime
from activegraph.tools.registry import clear_tool_registry, register_tool

__all__ = ["Prompt", "run_interactive_mode"]

_FOLDER = "activegraph_quickstart"
_FILE = "my_first_behavior"

_TEMPLATE = '''\
"""My first behavior. Change it, save it, and type `continue` in the other window."""

from activegraph import behavior


@behavior(name="growth_flagger", on=["object.created"], where={"object.type": "hypothesis"})
def growth_flagger(event, graph, ctx):
    hypothesis = event.payload["object"]
    statement = hypothesis["data"]["statement"]
    # TODO: flag hypotheses that mention a growth above 25%.
    # Hint: re.search(r"growth of (\\d+)%", statement) finds the number, and
    # graph.add_object("flag", {"title": "...", "hypothesis": hypothesis["id"]}) makes a flag.
'''


class Prompt(Protocol):
    """Asks the user something."""

    def __call__(self, question: str, *, default: str = "") -> str:
        """The answer; `default` where there is none."""
        ...


def run_interactive_mode(stream: Any = None, *, prompt_fn: Prompt | None = None) -> int:
    """Write a behavior for the user to complete, then load and run it as often as they like.

    Args:
        stream: Where to write; stdout by default.
        prompt_fn: How to ask; a line of stdin by default, whose end means to quit.

    Returns:
        0; 1 if the user quits before anything was written.
    """

    def say(*lines: str) -> None:
        write_lines(stream, iter(lines))

    ask = _ask_on_terminal if prompt_fn is None else prompt_fn
    path = _choose_path(say, ask)
    if path is None:
        say("Goodbye.")
        return 1
    path.parent.mkdir(exist_ok=True)
    path.write_text(_TEMPLATE, encoding="utf-8")
    say(
        "Step 1 of 4: a behavior of your own",
        f"Created {path}.",
        "",
        "Step 2 of 4: open it in your editor and do what its TODO says",
        "It already fires on every new hypothesis; `continue` runs it as it is.",
        "",
    )
    while True:
        answer = ask("[continue / quit]: ", default="continue").strip()
        if answer.lower() in ("quit", "q"):
            say(f"Goodbye. Your behavior is in {path}.")
            return 0
        if answer.lower() in ("continue", "c", ""):
            say(*_run(path))
        else:
            say(f"(unrecognized: '{answer}'; type `continue` or `quit`)")


def _ask_on_terminal(question: str, *, default: str = "") -> str:
    # `input` would ask on stdout, which is the result's.
    if sys.stderr is not None:
        sys.stderr.write(question)
        sys.stderr.flush()
    answer = sys.stdin.readline() if sys.stdin is not None else ""
    return answer.rstrip("\n") or default if answer else "quit"


def _choose_path(say: Callable[..., None], ask: Prompt) -> Path | None:
    """Where to write, or None if the user would rather not."""
    folder = Path() / _FOLDER
    first = folder / f"{_FILE}.py"
    if not folder.exists():
        return first
    say(f"{folder}/ exists already: [o]verwrite {_FILE}.py, write to a [s]eparate file, or [q]uit?")
    while True:
        answer = ask("choose [o/s/q]: ", default="s").strip()
        match answer.lower():
            case "o":
                return first
            case "s" | "":
                return _free_path(folder)
            case "q" | "quit":
                return None
        say(f"(unrecognized: '{answer}'; choose o, s, or q)")


def _free_path(folder: Path) -> Path:
    number = 2
    while (path := folder / f"{_FILE}_{number}.py").exists():
        number += 1
    return path


def _run(path: Path) -> list[str]:
    """What to say after one run of the file as it is now."""
    with _registries_kept():
        try:
            own = _load(path)
        except (Exception, SystemExit) as error:
            return [f"{path} could not be imported:", *_told(error, path), ""]
        try:
            return [*_reviewed_with(own), "", "Step 4 of 4: change the file and `continue`, or `quit`", ""]
        except SystemExit as error:
            return [f"your behavior ended the program, which stops a run: SystemExit: {error}", ""]
        except Exception as error:  # such as a name that is taken, or a tool that nobody has
            return ["your behavior cannot take part in a run:", f"  {_first_line(str(error))}", ""]


def _reviewed_with(own: list[AnyBehavior]) -> list[str]:
    counter = _CallCounter(own)
    recording = THREE_INCIDENTS[0]
    graph = Graph(clock=FrozenClock("2026-01-01T00:00:00Z"))
    runtime = Runtime(graph, own, packs=[pack], llm_provider=RecordedIncidentProvider())
    runtime.run_goal(incident_goal(recording))
    made_by = {behavior.name for behavior in own}
    made = [event for event in runtime.graph.events if event.type == "object.created" and event.actor in made_by]
    failed = [each for each in runtime.errors if each.behavior in made_by]
    return [
        f"Step 3 of 4: your behavior in the review of '{recording.title}'",
        f"your behavior fired {counter.calls} time(s)",
        *(f"  it made {event.payload['id']}: {event.payload['object']['data'].get('title', '')}" for event in made),
        *(f"  it failed: {each.exception_type}: {_message(each)}" for each in failed),
    ]


def _message(failure: BehaviorFailure) -> str:
    return _first_line(failure.message).removeprefix(f"{failure.exception_type}: ")


def _first_line(text: str) -> str:
    return text.partition("\n")[0]


@contextmanager
def _registries_kept() -> Iterator[None]:
    """Empty registries inside; afterwards those from before."""
    behaviors, tools = clear_registry(), clear_tool_registry()
    try:
        yield
    finally:
        clear_registry()
        clear_tool_registry()
        for behavior in behaviors:
            register(behavior)
        for tool in tools:
            register_tool(tool)


def _load(path: Path) -> list[AnyBehavior]:
    """The behaviors of a file, read anew: a cached module would hide what the user just saved."""
    module = ModuleType(_FILE)
    module.__file__ = str(path)
    exec(compile(path.read_bytes(), str(path), "exec"), module.__dict__)  # noqa: S102 - the user's own file, as asked
    return get_registry()


def _told(error: BaseException, path: Path) -> list[str]:
    shown = traceback.format_exception_only(error)
    places = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    lines = [f"  {line}" for text in shown for line in text.rstrip().splitlines()]
    return lines if not places else [f"  line {places[-1]}:", *lines]


class _CallCounter:
    """Counts the calls of some behaviors, whatever they are called."""

    def __init__(self, behaviors: list[AnyBehavior]) -> None:
        self.calls = 0
        for behavior in behaviors:
            self._watch(behavior)

    def _watch(self, behavior: Any) -> None:
        run = behavior.run

        def counted(*arguments: Any) -> Any:
            self.calls += 1
            return run(*arguments)

        behavior.run = counted
