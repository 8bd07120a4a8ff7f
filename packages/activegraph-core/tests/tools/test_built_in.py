"""Tools that come with the library are found by name, need pydantic only when used, and are in no registry."""

from __future__ import annotations

import subprocess
import sys

import pytest
from activegraph.tools.built_in import built_in_tool

WITHOUT_PYDANTIC = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "pydantic":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())
"""


def run_python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_a_built_in_tool_is_found_by_its_name() -> None:
    from activegraph.tools import web_fetch

    assert built_in_tool("web_fetch") is web_fetch
    assert built_in_tool("drop_table") is None


def test_it_is_the_tool_and_not_the_module_of_that_name_whatever_was_imported_first() -> None:
    said = run_python(
        "import activegraph.tools.web_fetch\n"
        "from activegraph.tools.web_fetch import WebFetchInput\n"
        "from activegraph.tools import web_fetch, get_tool_registry\n"
        "print(type(web_fetch).__name__, type(activegraph.tools.web_fetch).__name__, get_tool_registry())"
    )

    assert said.split() == ["Tool", "Tool", "[]"]


def test_declaring_tools_loads_neither_pydantic_nor_anything_else_that_is_heavy() -> None:
    heavy = run_python(
        "from activegraph import tool\n"
        "@tool()\ndef look(args, ctx): ...\n"
        "look.to_definition()\n"
        "import sys; print(sorted({'pydantic', 'urllib.request', 'ssl'} & set(sys.modules)))"
    )

    assert heavy.strip() == "[]"


@pytest.mark.parametrize("name", ["web_fetch", "make_graph_query_tool"])
def test_without_pydantic_a_built_in_tool_says_what_to_install(name: str) -> None:
    said = run_python(
        WITHOUT_PYDANTIC + "import activegraph.tools\n"
        f"try:\n    activegraph.tools.{name}\nexcept activegraph.MissingOptionalDependency as error:\n    print(error)"
    )

    assert f"activegraph.tools.{name} (a built-in tool) requires the 'pydantic' Python package" in said
    assert "pip install 'activegraph[llm]'" in said


def test_tools_work_without_pydantic() -> None:
    said = run_python(
        WITHOUT_PYDANTIC + "from activegraph import ToolContext, tool\n"
        "from activegraph.tools.checking import checked_output, prepare_call\n"
        "from activegraph.tools.recorded import DirectToolInvoker\n"
        "@tool()\ndef look(args, ctx): return {'seen': args['x']}\n"
        "call = prepare_call(look, {'x': 1})\n"
        "response = DirectToolInvoker().invoke(look, call.args, ToolContext('plan', 'evt_001'))\n"
        "print(checked_output(look, response))"
    )

    assert said.strip() == "{'seen': 1}"
