"""The files of a new pack, by path; `$distribution`, `$module` and `$settings` stand for its names."""

from __future__ import annotations

__all__ = ["FILES"]

_PYPROJECT = """\
[project]
name = "$distribution"
version = "0.1.0"
description = "A pack for Active Graph."
readme = "README.md"
requires-python = ">=3.11"
dependencies = ["activegraph", "pydantic>=2"]

[project.optional-dependencies]
test = ["pytest"]

[project.entry-points."activegraph.packs"]
$module = "$module:pack"

[build-system]
requires = ["setuptools>=68"]
build-backend = "setuptools.build_meta"

[tool.setuptools]
packages = ["$module"]

[tool.setuptools.package-data]
$module = ["prompts/*.md"]

[tool.pytest.ini_options]
testpaths = ["tests"]
pythonpath = ["."]
"""

_README = """\
# $distribution

A pack for Active Graph: object types, behaviors, tools, prompts and settings that are shipped together.

## Install

```sh
pip install -e .
activegraph pack list
```

## Use

```python
from activegraph import Graph, Runtime, load_by_name

runtime = Runtime(Graph())
runtime.load_pack(load_by_name("$module"), settings={"threshold": 0.7})
runtime.run_goal("try the pack")
runtime.print_graph()
```

## Develop

```sh
pip install -e '.[test]'
pytest
```

| File | Holds |
|---|---|
| `$module/object_types.py` | the types of objects and relations, with their schemas |
| `$module/behaviors.py` | what reacts to events |
| `$module/tools.py` | what a model may call |
| `$module/settings.py` | what a user of the pack may choose |
| `$module/prompts/` | texts for models; one named like an LLM behavior is given to it |
| `$module/__init__.py` | the pack, put together |

A changed prompt, setting or part is recorded in the log of every run that loads the pack. Give the pack a new
version in `pyproject.toml` and `$module/__init__.py` when you ship it.
"""

_INIT = '''\
"""The pack: everything that is shipped together."""

from pathlib import Path

from activegraph.packs import Pack, load_prompts_from_dir

from .behaviors import BEHAVIORS
from .object_types import OBJECT_TYPES, RELATION_TYPES
from .settings import $settings
from .tools import TOOLS

__all__ = ["$settings", "pack"]

pack = Pack(
    name="$module",
    version="0.1.0",
    description="A pack for Active Graph.",
    object_types=tuple(OBJECT_TYPES),
    relation_types=tuple(RELATION_TYPES),
    behaviors=tuple(BEHAVIORS),
    tools=tuple(TOOLS),
    prompts=load_prompts_from_dir(Path(__file__).parent / "prompts"),
    settings_schema=$settings,
)
'''

_OBJECT_TYPES = '''\
"""Types of objects and relations. While the pack is loaded, data of these types is checked and completed."""

from activegraph.packs import ObjectType, RelationType
from pydantic import BaseModel


class Item(BaseModel):
    """Something that the pack knows of."""

    name: str
    notes: str = ""


OBJECT_TYPES = [ObjectType("item", Item, description="Something that the pack knows of.")]

# A relation type names the types that its ends may have; empty means any:
#     RelationType("part_of", source_types=("item",), target_types=("item",))
RELATION_TYPES: list[RelationType] = []
'''

_BEHAVIORS = '''\
"""What reacts to events. In logs and traces a behavior is called `$module.<name>`."""

from activegraph import Event
from activegraph.packs import behavior
from activegraph.runtime.facades import BehaviorGraph, Context

from .settings import $settings


@behavior(on=["goal.created"], creates=["item"])
def hello(event: Event, graph: BehaviorGraph, ctx: Context, *, settings: $settings) -> None:
    """Note each goal as an item."""
    graph.add_object("item", {"name": event.payload["goal"], "notes": f"threshold {settings.threshold}"})


BEHAVIORS = [hello]
'''

_TOOLS = '''\
"""What a model may call while it answers. An LLM behavior of this pack lists it: `tools=[look_up]`."""

from activegraph.tools import Tool

# from activegraph.packs import tool
# from activegraph.tools import ToolContext
# from pydantic import BaseModel
#
#
# class Query(BaseModel):
#     name: str
#
#
# @tool(description="Look an item up by its name.", deterministic=True)
# def look_up(args: Query, ctx: ToolContext) -> dict[str, str]:
#     return {"name": args.name, "state": "unknown"}

TOOLS: list[Tool] = []
'''

_SETTINGS = '''\
"""What a user of the pack may choose. The settings in force are recorded with each run."""

from pydantic import BaseModel


class $settings(BaseModel):
    """Settings of the pack."""

    threshold: float = 0.5
'''

_PROMPT = """\
---
version = "1.0.0"
---
You are careful. Say what you do not know, and cite what you know by the ids of objects.
"""

_TEST = '''\
"""The pack can be loaded, and importing it changes nothing."""

from activegraph import Graph, Runtime, get_registry, get_tool_registry


def test_importing_the_pack_registers_nothing_globally() -> None:
    import $module  # noqa: F401

    assert get_registry() == []
    assert get_tool_registry() == []


def test_loading_the_pack_is_recorded_once_under_its_name() -> None:
    from $module import pack

    runtime = Runtime(Graph(), behaviors=[])

    assert runtime.load_pack(pack) is True
    assert [event.payload["name"] for event in runtime.graph.events if event.type == "pack.loaded"] == ["$module"]


def test_a_goal_becomes_an_item() -> None:
    from $module import pack

    runtime = Runtime(Graph(), behaviors=[], packs=[pack])
    runtime.run_goal("try the pack")

    assert runtime.errors == []
    assert [item.data["name"] for item in runtime.graph.objects("item")] == ["try the pack"]
'''

FILES = {
    "pyproject.toml": _PYPROJECT,
    "README.md": _README,
    "$module/__init__.py": _INIT,
    "$module/object_types.py": _OBJECT_TYPES,
    "$module/behaviors.py": _BEHAVIORS,
    "$module/tools.py": _TOOLS,
    "$module/settings.py": _SETTINGS,
    "$module/prompts/example_prompt.md": _PROMPT,
    "tests/test_pack_loads.py": _TEST,
}
