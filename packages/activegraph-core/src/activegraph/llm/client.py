"""The client of a provider's SDK: made at the first call, with the key of the environment.

Until then nothing is needed: no SDK, no key, no network. So a provider can be built where it will never be asked.
"""

from __future__ import annotations

import os
from base64 import b64encode
from collections.abc import Callable
from importlib import import_module
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

from activegraph.errors import IncompatibleRuntimeState, LLMBehaviorError, MissingProviderSDK
from activegraph.llm.client_failures import llm_error_of

__all__ = ["LazyClient"]

_Answer = TypeVar("_Answer")

_SECONDS_TO_COUNT = 60.0

_SHORTEST_KEY = 8
"""Characters; what is shorter is a version or a switch, and would be masked wherever it is written."""


class LazyClient:
    """One provider's client.

    Args:
        provider: Class name of the provider, for messages.
        package: The SDK, and the module that it is.
        factory: Class of the SDK that makes a client.
        api_key_env: Environment variable that holds the key.
        client: Used instead; then neither SDK nor key is looked for.
        base_url: Where the API is; None for the SDK's own.
        max_retries: How often the SDK asks again by itself.
    """

    def __init__(
        self,
        *,
        provider: str,
        package: str,
        factory: str,
        api_key_env: str,
        client: Any,
        base_url: str | None,
        max_retries: int,
    ) -> None:
        self.provider = provider
        self.package = package
        self.factory = factory
        self.api_key_env = api_key_env
        self.base_url = base_url
        self.max_retries = max_retries
        self._client = client
        self._secrets: set[str] = set()

    def get(self) -> Any:
        """The client.

        Raises:
            IncompatibleRuntimeState: No key in the environment.
            MissingProviderSDK: The SDK is not installed.
        """
        if self._client is None:
            self._client = self._made()
        return self._client

    def ask(self, call: Callable[[Any], _Answer], *, model: str) -> _Answer:
        """`call(client)`; what it raises becomes an `LLMBehaviorError` that no key can be read in."""
        client = self.get()
        failure: LLMBehaviorError
        try:
            return call(client)
        except LLMBehaviorError:
            raise
        except Exception as error:
            failure = llm_error_of(error, model=model, secrets=self._known_secrets(client))
        raise failure  # outside the handler, so that the client's error is no context of it

    def _made(self) -> Any:
        key = (os.environ.get(self.api_key_env) or "").strip()
        if not key:
            raise IncompatibleRuntimeState(
                f"{self.provider} finds no key in the environment variable {self.api_key_env}",
                what_failed=f"Making the client of {self.provider}: {self.api_key_env} is not set, or empty.",
                why="A key is read from the environment alone, so that it stands in no program and in no log.",
                how_to_fix=(
                    f"export {self.api_key_env}=...\n"
                    f"or name another variable: {self.provider}(api_key_env=...)\n"
                    "For runs without a key: RecordedLLMProvider(directory)."
                ),
                context={"api_key_env": self.api_key_env, "provider": self.provider},
            )
        try:
            sdk = import_module(self.package)
        except ModuleNotFoundError as error:
            raise MissingProviderSDK(package=self.package, feature=self.provider, extras="llm") from error
        self._secrets.add(key)
        options: dict[str, Any] = {"api_key": key, "max_retries": self.max_retries, "timeout": _SECONDS_TO_COUNT}
        if self.base_url is not None:
            options["base_url"] = self.base_url
        return getattr(sdk, self.factory)(**options)

    def _known_secrets(self, client: Any) -> set[str]:
        """Every text that may be the key: the one given to the client, the one that it has, the present one."""
        candidates = {*self._secrets, os.environ.get(self.api_key_env), getattr(client, "api_key", None)}
        candidates |= _credentials_in(self.base_url)
        plain = {text for candidate in candidates if isinstance(candidate, str) and (text := candidate.strip())}
        return plain | {ascii(text)[1:-1] for text in plain}  # as a message quotes it, where it holds odd characters


def _credentials_in(url: str | None) -> set[str]:
    """What an address holds of secrets: a password as it stands there, as it is meant, and as the header that is
    made of it; and the values of its query that are long enough to be a key."""
    try:
        parts = urlsplit(url or "")
        user, password = parts.username or "", parts.password
    except ValueError:  # no address; the client says so
        return set()
    values = [pair.partition("=")[2] for pair in parts.query.split("&")]
    found = {form for value in values for form in (value, unquote(value)) if len(form) >= _SHORTEST_KEY}
    if password:
        meant = unquote(password)
        found |= {password, meant, b64encode(f"{unquote(user)}:{meant}".encode()).decode()}
    return found
