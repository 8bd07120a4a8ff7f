"""An answer that is served again is the one that was given when it was new, whatever a dump of it leaves out or changes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from activegraph.llm import RecordedLLMProvider, RecordingLLMProvider, parse_structured_response
from activegraph.llm.behavior import LLMBehavior
from activegraph.llm.parsing import read_back
from activegraph.tools.base import Tool
from pydantic import BaseModel, ConfigDict, Field, SecretStr, computed_field, field_validator
from support.runtimes import loaded, new
from support.scripted import ScriptedProvider, answer, asking


class Aliased(BaseModel):
    word: str = Field(alias="theWord")


class Computed(BaseModel):
    model_config = ConfigDict(extra="forbid")
    n: int

    @computed_field  # type: ignore[prop-decorator]
    @property
    def twice(self) -> int:
        return 2 * self.n


class Growing(BaseModel):
    text: str

    @field_validator("text")
    @classmethod
    def louder(cls, value: str) -> str:
        return f"{value}!"


class PartlyShown(BaseModel):
    a: int
    b: int = Field(exclude=True)


class Secret(BaseModel):
    word: SecretStr


class PartlyShownBag(BaseModel):
    numbers: set[int]
    b: int = Field(exclude=True)


ANSWERS: dict[type[BaseModel], str] = {
    Aliased: '{"theWord": "x"}',
    Computed: '{"n": 2}',
    Growing: 'It is: {"text": "a"}',
    PartlyShown: '{"a": 1, "b": 2}',
    Secret: '{"word": "hush"}',
    PartlyShownBag: '{"numbers": [3, 100, 20], "b": 2}',
}

schemas = pytest.mark.parametrize(
    ("schema", "text"), list(ANSWERS.items()), ids=lambda each: getattr(each, "__name__", "")
)


def asker(seen: list[Any], **fields: Any) -> LLMBehavior:
    def note(event: Any, graph: Any, ctx: Any, out: Any) -> None:
        seen.append(out)
        graph.add_object("note", {"text": repr(out)})

    return LLMBehavior("asker", handler=note, on=["goal.created"], model="m", **fields)


@schemas
def test_a_model_s_answer(schema: type[BaseModel], text: str, tmp_path: Path) -> None:
    seen: list[Any] = []
    behavior = asker(seen, output_schema=schema)
    instance = parse_structured_response(text, schema)
    provider = ScriptedProvider(answer(text, parsed=instance))
    with new(
        [behavior], persist_to=tmp_path / "run.db", llm_provider=RecordingLLMProvider(provider, tmp_path / "files")
    ) as runtime:
        runtime.run_goal("x")
        runtime.fork("evt_001", replay_llm_cache=True).run_until_idle()
    loaded(tmp_path / "run.db", [behavior], replay_strict=True)
    new([behavior], llm_provider=RecordedLLMProvider(tmp_path / "files")).run_goal("x")

    assert seen == [instance] * 4
    assert len(provider.calls) == 1


@pytest.mark.parametrize(
    "give",
    [
        lambda: Aliased(theWord="x"),
        lambda: {"theWord": "x"},
        lambda: Computed(n=2),
        lambda: Growing(text="a"),
        lambda: {"text": "a"},
        lambda: PartlyShown(a=1, b=2),
    ],
)
def test_a_tools_output(give: Callable[[], Any], tmp_path: Path) -> None:
    made = give()
    schema = type(made) if isinstance(made, BaseModel) else (Growing if "text" in made else Aliased)
    tool = Tool("look", lambda args, ctx: give(), output_schema=schema)
    provider = ScriptedProvider(asking(("look", {})), answer())
    with new([asker([], tools=[tool])], persist_to=tmp_path / "run.db", llm_provider=provider) as runtime:
        runtime.run_goal("x")
        fork = runtime.fork("evt_001", replay_llm_cache=True, replay_tool_cache=True)
        fork.run_until_idle()
        first, again = (
            [event.payload["output"] for event in each.graph.events if event.type == "tool.responded"]
            for each in (runtime, fork)
        )

    assert first == again != [None]
    assert len(provider.calls) == 2


def test_what_a_provider_made_itself_is_read_from_its_dump() -> None:
    class Dated(BaseModel):
        on: tuple[int, int] = Field(alias="day")

    made = Dated(day=(1, 2))
    assert read_back(made.model_dump(mode="json"), Dated, raw_text="the first of February") == made
    assert read_back(made.model_dump(mode="json"), Dated, raw_text='{"day": [3, 4]}') == made
