"""A handler that runs again behind a crash, or on a recorded answer, is given what it was given the first time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from activegraph.core.event import Event
from activegraph.llm.behavior import LLMBehavior
from activegraph.llm.parsing import parse_structured_response
from pydantic import BaseModel, Field, SecretStr, field_validator
from support.runtimes import loaded, new
from support.scripted import ScriptedProvider, answer


class Renamed(BaseModel):
    full_name: str = Field(alias="fullName")


class Share(BaseModel):
    share: float

    @field_validator("share", mode="before")
    @classmethod
    def percent(cls, value: Any) -> Any:
        return float(value.strip("%")) / 100


class Doubled(BaseModel):
    number: int

    @field_validator("number")
    @classmethod
    def doubled(cls, value: int) -> int:
        return value * 2


class Hidden(BaseModel):
    word: SecretStr
    kept_back: str = Field(default="", exclude=True)


class Nested(BaseModel):
    inside: list[Renamed]


def told(out: Any) -> str:
    """All that an instance holds, secrets too."""
    values = {name: getattr(out, name) for name in type(out).model_fields}
    return repr({k: v.get_secret_value() if isinstance(v, SecretStr) else v for k, v in values.items()})


SPOKEN = [
    (Renamed, '{"fullName": "Ada"}'),
    (Share, '{"share": "50%"}'),
    (Doubled, '{"number": 3}'),
    (Hidden, '{"word": "sesame", "kept_back": "x"}'),
    (Nested, 'Here it is: {"inside": [{"fullName": "Ada"}, {"fullName": "Bob"}]}'),
]


def speaking(text: str) -> ScriptedProvider:
    return ScriptedProvider(
        lambda output_schema, **call: answer(text, parsed=parse_structured_response(text, output_schema))
    )


@pytest.mark.parametrize(("schema", "text"), SPOKEN, ids=[schema.__name__ for schema, _ in SPOKEN])
def test_behind_a_crash_between_answer_and_handler(schema: type[BaseModel], text: str, tmp_path: Path) -> None:
    given: list[str] = []

    def handler(event: Event, graph: Any, ctx: Any, out: Any) -> None:
        given.append(told(out))
        if len(given) == 1:
            raise KeyboardInterrupt

    behavior = LLMBehavior("asker", on=["goal.created"], handler=handler, output_schema=schema)
    provider = speaking(text)
    runtime = new([behavior], llm_provider=provider, persist_to=tmp_path / "run.db")
    with pytest.raises(KeyboardInterrupt):
        runtime.run_goal("why")
    runtime.close()
    again = loaded(tmp_path / "run.db", [behavior], llm_provider=provider)
    again.run_until_idle()

    assert len(provider.calls) == 1
    assert again.errors == []
    assert given[1] == given[0]


@pytest.mark.parametrize(("schema", "text"), SPOKEN, ids=[schema.__name__ for schema, _ in SPOKEN])
def test_on_an_answer_that_its_parent_got(schema: type[BaseModel], text: str, tmp_path: Path) -> None:
    given: list[str] = []
    behavior = LLMBehavior(
        "asker", on=["goal.created"], handler=lambda e, g, c, out: given.append(told(out)), output_schema=schema
    )
    provider = speaking(text)
    runtime = new([behavior], llm_provider=provider, persist_to=tmp_path / "run.db")
    runtime.run_goal("why")
    runtime.fork("evt_001", replay_llm_cache=True).run_until_idle()

    assert len(provider.calls) == 1
    assert given[1] == given[0]


def test_an_answer_whose_text_is_no_json_is_read_from_what_was_recorded(tmp_path: Path) -> None:
    given: list[str] = []
    behavior = LLMBehavior(
        "asker", on=["goal.created"], handler=lambda e, g, c, out: given.append(told(out)), output_schema=Renamed
    )
    runtime = new(
        [behavior],
        llm_provider=ScriptedProvider(answer("It is Ada.", parsed=Renamed(fullName="Ada"))),
        persist_to=tmp_path / "run.db",
    )
    runtime.run_goal("why")
    runtime.fork("evt_001", replay_llm_cache=True).run_until_idle()

    assert given == ["{'full_name': 'Ada'}"] * 2
