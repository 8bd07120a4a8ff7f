"""Writes down the public interface: as text, so that a change of it shows, and as a page of import paths.

python scripts/write_public_api.py            # after a change that is meant
python scripts/write_public_api.py --check    # what differs, and what of it breaks users' code; exit 1 if anything

Public is what `PUBLIC` names: the import paths that the documents give. In `public_api.txt` each
thing stands once, as a stub, under the first path that has it; further paths are aliases of that one.
The page `docs/reference/api/index.md` leads from each path to where the thing is described.
"""

from __future__ import annotations

import contextlib
import difflib
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import griffe
from shared_packages import load_library

__all__ = [
    "DIRECTIVE",
    "OTHER_NAMES",
    "PAGES",
    "PUBLIC",
    "RECORD",
    "differences",
    "import_paths",
    "public_api",
    "public_names",
]

RECORD = Path(__file__).resolve().parent / "public_api.txt"
PAGES = RECORD.parent.parent / "docs" / "reference" / "api"

DIRECTIVE = re.compile(r"^::: (\S+)$", re.MULTILINE)
"""A thing that a page describes."""

_CHOSEN = re.compile(r"^::: (\S+)\n    options:\n      members: \[(.*)\]$", re.MULTILINE)
"""A class of which a page shows a part: the rest is for other rooms of the house."""

PUBLIC: dict[str, str] = {
    "activegraph": "*",
    "activegraph.errors": "*",
    "activegraph.core.event": "Event",
    "activegraph.core.graph": "Graph Object Relation evaluate_where",
    "activegraph.core.view": "View",
    "activegraph.core.ids": "IDGen",
    "activegraph.core.clock": "Clock FrozenClock TickingClock",
    "activegraph.core.patch": "Patch",
    "activegraph.frame": "Frame",
    "activegraph.policy": "Policy",
    "activegraph.behaviors.base": "Behavior RelationBehavior LLMBehavior",
    "activegraph.behaviors.decorators": (
        "behavior relation_behavior llm_behavior register get_registry clear_registry"
    ),
    "activegraph.runtime": "Runtime",
    "activegraph.runtime.runtime": "Runtime BehaviorFailure",
    "activegraph.runtime.budget": "Budget",
    "activegraph.runtime.diff": "Diff DivergentObject DivergentRelation",
    "activegraph.runtime.facades": "BehaviorGraph Context",
    "activegraph.runtime.patterns": "*",
    "activegraph.runtime.scheduler": "*",
    "activegraph.trace.printer": "Trace format_event TAG_COL",
    "activegraph.trace.causal": "causal_chain",
    "activegraph.store": "*",
    "activegraph.store.base": "EventStore RunRecord replay_into",
    "activegraph.store.memory": "InMemoryEventStore",
    "activegraph.store.errors": "*",
    "activegraph.store.url": "StoreURL parse_store_url parse_url safe_url sqlite_url",
    "activegraph.store.serde": (
        "encode_payload decode_payload encode_event decode_event encode_value decode_value validate_event "
        "canonicalize_event clone_event event_digest NonSerializableEventError"
    ),
    "activegraph.store.refusals": "*",
    "activegraph.store.conformance": "EventStoreConformance",
    "activegraph.store.sqlite": "SQLiteEventStore SCHEMA_VERSION",
    "activegraph.store.postgres": "PostgresEventStore SCHEMA_VERSION",
    "activegraph.operations.inspect": (
        "inspect_run inspect_stored_run event_of_run behaviors_of_run packs_of_run Inspection LoadedPack CallInDoubt"
    ),
    "activegraph.operations.replay": "replay_run ReplaySummary",
    "activegraph.operations.strict_replay": "*",
    "activegraph.operations.fork": "*",
    "activegraph.operations.diff": "*",
    "activegraph.operations.export": "export_run export_run_to",
    "activegraph.operations.migrate": "*",
    "activegraph.metrics": "Metrics NoOpMetrics METRIC_NAMES METRIC_BY_NAME MetricSpec validate_cardinality_rule",
    "activegraph.observability": "*",
    "activegraph.observability.logging": (
        "configure_logging get_logger runtime_log_extra LOG_FIELDS JsonLineFormatter"
    ),
    "activegraph.observability.metrics": "*",
    "activegraph.observability.prometheus": "*",
    "activegraph.observability.status": "*",
    "activegraph.observability.migration": "*",
    "activegraph.llm": "*",
    "activegraph.llm.anthropic": "AnthropicProvider",
    "activegraph.llm.openai": "OpenAIProvider",
    "activegraph.llm.recorded": "RecordedLLMProvider RecordingLLMProvider",
    "activegraph.llm.errors": "LLMBehaviorError MissingProviderError",
    "activegraph.llm.types": "LLMMessage LLMResponse ToolCall",
    "activegraph.llm.cache": "LLMCache",
    "activegraph.llm.provider": "LLMProvider",
    "activegraph.llm.parsing": "parse_structured_response",
    "activegraph.llm.prompt": (
        "AssembledPrompt assemble_prompt serialize_view schema_to_json build_system_prompt build_user_message "
        "build_instruction example_instance_from_schema"
    ),
    "activegraph.tools": "*",
    "activegraph.tools.cache": "ToolCache CachedToolResponse canonicalize_args hash_tool_call",
    "activegraph.tools.recorded": "RecordedToolProvider RecordingToolProvider DirectToolInvoker",
    "activegraph.tools.graph_query": "*",
    "activegraph.tools.web_fetch": "*",
    "activegraph.tools.decorators": "tool get_tool_registry clear_tool_registry",
    "activegraph.packs": "*",
    "activegraph.packs.scaffold": "*",
    "activegraph.packs.incident_review": "*",
    "activegraph.packs.incident_review.memo_bar": "memo_problems",
    "activegraph.conformance": "*",
    "activegraph.cli": "*",
    "activegraph.cli.main": (
        "main EXIT_CODES EXIT_OK EXIT_GENERIC_ERROR EXIT_USAGE_ERROR EXIT_NOT_FOUND EXIT_CORRUPTION EXIT_DIVERGENCE"
    ),
}
"""Modules that users import from, and what from each; `*` is all that the module's `__all__` holds."""

OTHER_NAMES = {"parse_url": "parse_store_url"}
"""Second names of a thing, and the one under which it is described."""

_COLOUR = re.compile(r"\x1b\[\d+m")
_SPECIAL_METHODS = {"__call__", "__enter__", "__exit__", "__getitem__", "__iter__", "__len__", "__contains__"}


def public_names() -> dict[str, list[str]]:
    """Every documented import path, and the names that it gives."""
    return {module: sorted(_all_of(module) if names == "*" else names.split()) for module, names in PUBLIC.items()}


def public_api() -> str:
    """The public interface as text: a section for each import path, a stub for each thing that it brings."""
    library, homes = load_library(), dict[str, str]()
    names, chosen = public_names(), _chosen_members(library)
    for module, exported in names.items():
        for name in exported:
            homes.setdefault(_target(library, module, name).path, module)
    sections = []
    for module, exported in names.items():
        stubs = []
        for name in exported:
            target = _target(library, module, name)
            home = homes[target.path]
            stubs.append(
                f"from {home} import {name}" if home != module else "\n".join(_stub(target, name, homes, chosen))
            )
        sections.append(f"## {module}\n\n" + "\n".join(stubs) + "\n")
    return "\n".join(sections)


HEAD = """\
# Import paths

Names that are not in this table are insides: they may change or move with any version. A change of what is in it is recorded, and one that breaks programs is announced in the [changes](../../../CHANGELOG.md). Nothing heavy is imported before a name is used, and a name whose distribution is not installed raises [`MissingOptionalDependency`](../errors/missing-optional-dependency.md).

Made by `scripts/write_public_api.py`.

| From | import |
|---|---|
"""


def import_paths() -> str:
    """The page of import paths."""
    library, described = load_library(), dict[str, str]()
    for page in sorted(PAGES.glob("*.md")):
        for path in DIRECTIVE.findall(page.read_text(encoding="utf-8")):
            described[_target(library, *_halves(path)).path] = f"{page.name}#{path}"
    rows = []
    for module, names in public_names().items():
        places = [described[_target(library, module, OTHER_NAMES.get(name, name)).path] for name in names]
        links = [f"[`{name}`]({place})" for name, place in zip(names, places, strict=True)]
        rows.append(f"| `{module}` | {', '.join(links)} |\n")
    return HEAD + "".join(rows)


def _halves(path: str) -> tuple[str, str]:
    module, _, name = path.rpartition(".")
    return module, name


def differences(old: str, new: str) -> Iterator[str]:
    """What differs between two records, then one line for each change that breaks code of users."""
    yield from difflib.unified_diff(old.splitlines(), new.splitlines(), "recorded", "now", lineterm="", n=1)
    before, after = _sections(old), _sections(new)
    for module, text in before.items():
        for line in _aliases(text) - _aliases(after.get(module, "")):
            yield f"breaks users: {module}: gone: {line}"
        was, now = (griffe.visit(module, Path("record"), _stubs(each.get(module, ""))) for each in (before, after))
        for breakage in griffe.find_breaking_changes(was, now):
            told = _COLOUR.sub("", breakage.explain(griffe.ExplanationStyle.ONE_LINE))
            yield f"breaks users: {module}: {told.partition(': ')[2]}"


def _all_of(module: str) -> list[str]:
    from importlib import import_module

    return list(import_module(module).__all__)


def _target(library: griffe.Module, module: str, name: str) -> griffe.Object:
    """What `from module import name` gives; where a module of that name hides it, what that module holds."""
    place = library if module == "activegraph" else library[module.removeprefix("activegraph.")]
    found = place[name]
    while isinstance(found, griffe.Alias):
        found = found.final_target
    if isinstance(found, griffe.Module):
        return _target(library, found.path, name)
    assert isinstance(found, griffe.Object)
    return found


def _chosen_members(library: griffe.Module) -> dict[str, set[str]]:
    found = [each for page in PAGES.glob("*.md") for each in _CHOSEN.findall(page.read_text(encoding="utf-8"))]
    return {_target(library, *_halves(path)).path: set(members.split(", ")) for path, members in found}


def _stub(thing: griffe.Object, name: str, homes: dict[str, str], chosen: dict[str, set[str]]) -> Iterator[str]:
    if isinstance(thing, griffe.Class):
        bases = ", ".join(dict.fromkeys(_bases(thing, homes)))
        yield f"class {name}({bases}):" if bases else f"class {name}:"
        public = [
            each for each in _members(thing, homes) if each.name in {"__init__", *chosen.get(thing.path, {each.name})}
        ]
        members = [line for member in public for line in _stub(member, member.name, homes, chosen)]
        yield from (f"    {line}" for line in members or ["..."])
    elif isinstance(thing, griffe.Function):
        for label in ("classmethod", "staticmethod"):
            if label in thing.labels:
                yield f"@{label}"
        yield f"def {name}({_parameters(thing.parameters)}) -> {thing.returns or 'None'}: ..."
    elif isinstance(thing, griffe.Attribute):
        value = str(thing.value or "")
        shown = f" = {value}" if re.fullmatch(r"-?\d+|'[^']*'|\"[^\"]*\"", value) else ""
        read_only = "property" in thing.labels and "writable" not in thing.labels
        yield f"{name}: {thing.annotation or '...'}{shown}{'  # read-only' if read_only else ''}"


def _bases(cls: griffe.Class, homes: dict[str, str]) -> Iterator[str]:
    """Names of the public bases; a base of the insides is replaced by its own."""
    ours = {base.path: base for base in cls.resolved_bases if isinstance(base, griffe.Class)}
    for base in cls.bases:
        path = base if isinstance(base, str) else base.canonical_path
        if path in ours and path not in homes:
            yield from _bases(ours[path], homes)
        else:
            yield path.rpartition(".")[2]


def _members(cls: griffe.Class, homes: dict[str, str]) -> Iterator[griffe.Object]:
    """What users see of a class and what none of its public bases shows: the constructor first, then by name."""
    for name in sorted(cls.all_members, key=lambda name: (name != "__init__", name)):
        is_hidden = name.startswith("_") and name != "__init__" and name not in _SPECIAL_METHODS
        if is_hidden or name.startswith("test_"):  # a suite's cases are run, not called
            continue
        member = cls.all_members[name]
        with contextlib.suppress(griffe.AliasResolutionError):
            found = member.final_target if isinstance(member, griffe.Alias) else member
            owner = found.parent.path if found.parent is not None else ""
            if isinstance(found, griffe.Function | griffe.Attribute) and (owner == cls.path or owner not in homes):
                yield found


def _parameters(parameters: griffe.Parameters) -> str:
    shown, kinds = [], griffe.ParameterKind
    starred = False
    given = list(parameters)
    for place, each in enumerate(given):
        if each.kind is kinds.keyword_only and not starred:
            shown.append("*")
            starred = True
        star = {kinds.var_positional: "*", kinds.var_keyword: "**"}.get(each.kind or kinds.positional_or_keyword, "")
        starred = starred or star == "*"
        typed = f": {each.annotation}" if each.annotation is not None else ""
        default = f" = {each.default}" if each.default is not None and not star else ""
        shown.append(f"{star}{each.name}{typed}{default}")
        following = given[place + 1].kind if place + 1 < len(given) else None
        if each.kind is kinds.positional_only and following is not kinds.positional_only:
            shown.append("/")
    return ", ".join(shown)


def _sections(record: str) -> dict[str, str]:
    parts = re.split(r"^## (.+)\n", record, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def _aliases(section: str) -> set[str]:
    return {line for line in section.splitlines() if line.startswith("from ")}


def _stubs(section: str) -> str:
    return "\n".join(line for line in section.splitlines() if not line.startswith("from "))


def main(arguments: list[str]) -> int:
    """Write the record, or say what differs from it."""
    now = public_api()
    if "--check" not in arguments:
        RECORD.write_text(now, encoding="utf-8")
        (PAGES / "index.md").write_text(import_paths(), encoding="utf-8")
        print(f"wrote {RECORD}: {sum(map(len, public_names().values()))} names in {len(PUBLIC)} places")
        return 0
    found = list(differences(RECORD.read_text(encoding="utf-8"), now))
    print("\n".join(found) if found else "the public interface is as recorded")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
