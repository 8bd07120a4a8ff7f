"""The paths that users import from, whatever the inside looks like."""

from __future__ import annotations

from importlib import import_module

import pytest

PATHS = {
    "activegraph.behaviors.base": "Behavior RelationBehavior LLMBehavior",
    "activegraph.behaviors.decorators": "behavior relation_behavior llm_behavior register get_registry clear_registry",
    "activegraph.core.clock": "Clock FrozenClock TickingClock",
    "activegraph.core.event": "Event",
    "activegraph.core.graph": "Graph Object Relation evaluate_where",
    "activegraph.core.ids": "IDGen",
    "activegraph.core.patch": "Patch",
    "activegraph.core.view": "View",
    "activegraph.errors": (
        "ActiveGraphError ConfigurationError RegistrationError ExecutionError ReplayError StorageError PatternError"
        " PackError MissingOptionalDependency internal_bug_fields DOCS_BASE_URL GITHUB_NEW_ISSUE_URL"
    ),
    "activegraph.frame": "Frame",
    "activegraph.llm": (
        "AnthropicProvider OpenAIProvider RecordedLLMProvider RecordingLLMProvider"
        " LLMProvider LLMMessage LLMResponse ToolCall LLMCache AssembledPrompt assemble_prompt serialize_view"
        " schema_to_json parse_structured_response LLMBehaviorError MissingProviderError"
    ),
    "activegraph.llm.anthropic": "AnthropicProvider",
    "activegraph.llm.cache": "LLMCache",
    "activegraph.llm.errors": "LLMBehaviorError MissingProviderError",
    "activegraph.llm.openai": "OpenAIProvider",
    "activegraph.llm.parsing": "parse_structured_response",
    "activegraph.llm.prompt": (
        "AssembledPrompt assemble_prompt serialize_view schema_to_json build_system_prompt build_user_message"
        " build_instruction example_instance_from_schema"
    ),
    "activegraph.llm.provider": "LLMProvider",
    "activegraph.llm.recorded": "RecordedLLMProvider RecordingLLMProvider",
    "activegraph.llm.types": "LLMMessage LLMResponse ToolCall",
    "activegraph.packs": (
        "Pack ObjectType RelationType PackPolicy PackPrompt EmptySettings DiscoveredPack PendingApproval"
        " load_prompts_from_dir discover load_by_name clear_discovery_cache behavior llm_behavior relation_behavior tool"
        " PackError PackNotFoundError PackValidationError PackConflictError PackVersionConflictError"
        " PackSchemaViolation PackSettingsMissingError PackPromptLoadError"
    ),
    "activegraph.policy": "Policy",
    "activegraph.runtime": "Runtime",
    "activegraph.runtime.budget": "Budget",
    "activegraph.runtime.diff": "Diff DivergentObject DivergentRelation",
    "activegraph.runtime.patterns": (
        "parse Pattern PatternMatcher Match MatchClause NodePat RelPat Comparison NotExpr NotExists AndExpr"
        " UnsupportedPatternError"
    ),
    "activegraph.runtime.runtime": "Runtime BehaviorFailure",
    "activegraph.runtime.scheduler": "parse_activate_after InvalidActivateAfter",
    "activegraph.store": (
        "EventStore RunRecord RawEvent InMemoryEventStore SQLiteEventStore StoreURL StoreBackend ForkResult"
        " ImportResult open_store parse_store_url parse_url safe_url sqlite_url list_runs get_run most_recent_run_id"
        " fork_run replay_into verify_run InvalidStoreURL StoreNotFoundError StoreUnavailableError StoreReadOnlyError"
        " RunNotFoundError RunExistsError EventNotFoundError DuplicateEventError ConcurrentWriterError"
        " NonSerializableEventError CorruptedEventPayloadError LogInconsistencyError SchemaVersionMismatch"
    ),
    "activegraph.store.base": "EventStore RunRecord replay_into",
    "activegraph.store.conformance": "EventStoreConformance",
    "activegraph.store.memory": "InMemoryEventStore",
    "activegraph.store.serde": (
        "encode_payload decode_payload encode_event decode_event validate_event canonicalize_event clone_event"
        " NonSerializableEventError"
    ),
    "activegraph.store.sqlite": "SQLiteEventStore SCHEMA_VERSION",
    "activegraph.store.url": "StoreURL parse_store_url parse_url safe_url sqlite_url",
    "activegraph.tools": (
        "Tool ToolCache ToolContext ToolError MissingToolError UnknownToolError RecordedToolProvider"
        " RecordingToolProvider tool get_tool_registry clear_tool_registry make_graph_query_tool web_fetch"
    ),
    "activegraph.tools.cache": "ToolCache CachedToolResponse canonicalize_args hash_tool_call",
    "activegraph.tools.graph_query": "make_graph_query_tool GraphQueryInput GraphQueryOutput ObjectRef",
    "activegraph.tools.web_fetch": "web_fetch WebFetchInput WebFetchOutput",
    "activegraph.tools.recorded": "RecordedToolProvider RecordingToolProvider DirectToolInvoker",
    "activegraph.tools.decorators": "tool get_tool_registry clear_tool_registry",
    "activegraph.trace.causal": "causal_chain",
    "activegraph.trace.printer": "Trace format_event TAG_COL",
}


@pytest.mark.parametrize(
    ("path", "name"), [(path, name) for path, names in PATHS.items() for name in names.split()], ids=str
)
def test_the_path_gives_the_name(path: str, name: str) -> None:
    assert getattr(import_module(path), name) is not None


def test_a_name_is_the_same_thing_at_every_path() -> None:
    import activegraph

    for path, names in PATHS.items():
        module = import_module(path)
        # The decorators of packs are others on purpose: the path tells which kind is in use.
        of_packs = {"behavior", "llm_behavior", "relation_behavior", "tool"} if path == "activegraph.packs" else set()
        for name in (set(names.split()) & set(activegraph.__all__)) - of_packs:
            assert getattr(module, name) is getattr(activegraph, name), (path, name)
