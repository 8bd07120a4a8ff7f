"""A conversation's hash, turn by turn, is that of the whole prompt."""

from __future__ import annotations

from dataclasses import replace

from activegraph.llm.growing_hash import GrowingHash
from activegraph.llm.prompt import AssembledPrompt
from activegraph.llm.types import LLMMessage, ToolCall
from hypothesis import given
from hypothesis import strategies as st

texts = st.text(max_size=20)
messages = st.builds(
    LLMMessage,
    role=st.sampled_from(["user", "assistant", "tool"]),
    content=texts,
    tool_use_id=st.none() | texts,
    tool_name=st.none() | texts,
    tool_calls=st.none()
    | st.lists(
        st.builds(ToolCall, id=texts, name=texts, args=st.dictionaries(texts, texts | st.floats())), max_size=2
    ).map(tuple),
)
prompts = st.builds(
    AssembledPrompt,
    system=texts,
    messages=st.lists(messages, max_size=2),
    model=texts,
    max_tokens=st.integers(1, 9999),
    temperature=st.floats(0, 2),
    top_p=st.floats(0, 1),
    output_schema_name=st.none() | texts,
    output_schema_json=st.none() | st.dictionaries(texts, texts),
    deterministic=st.booleans(),
    tools=st.none() | st.lists(st.dictionaries(texts, texts), max_size=2),
)


@given(prompt=prompts, turns=st.lists(st.lists(messages, max_size=3), max_size=4))
def test_it_is_the_hash_of_the_prompt_with_all_its_messages(
    prompt: AssembledPrompt, turns: list[list[LLMMessage]]
) -> None:
    growing = GrowingHash(prompt)
    assert growing.hexdigest() == prompt.hash()
    for added in turns:
        growing.add(added)
        prompt = replace(prompt, messages=[*prompt.messages, *added])
        assert growing.hexdigest() == prompt.hash()
