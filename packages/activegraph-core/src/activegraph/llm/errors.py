"""The errors about models, at the path that users import them from."""

from activegraph.errors.llm import LLMBehaviorError, MissingProviderError

__all__ = ["LLMBehaviorError", "MissingProviderError"]
