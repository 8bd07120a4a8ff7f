"""Settings of a pack: what is in force, what stands in the log, and how behaviors get at them.

The base is what the caller gives, else what the log has recorded, else the schema's defaults;
recorded overrides come on top. The environment is never read.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import UnionType
from typing import TYPE_CHECKING, Any, NamedTuple, Union, get_args, get_origin

from activegraph.core.model_dump import is_secret, plain_dump
from activegraph.errors import PackSettingsMissingError
from activegraph.packs.models import MASK, fields_of, is_model, refusal_lines, validated, validated_json

if TYPE_CHECKING:
    from activegraph.packs.values import Pack

__all__ = [
    "Override",
    "effective_settings",
    "holds_mask",
    "merged",
    "overridden",
    "recorded_form",
    "secret_setting",
    "settings_parameters",
    "unknown_setting",
    "without_masks",
]


class Override(NamedTuple):
    """Settings that a fork was told to have."""

    event_id: str
    """The event that recorded them."""
    values: dict[str, Any]
    """Nested dicts for nested models."""


def effective_settings(
    pack: Pack, given: object, *, recorded: Mapping[str, Any] | None, overrides: Sequence[Override]
) -> Any:
    """The settings that a pack is loaded with, an instance of its schema.

    Args:
        given: A dict, an instance of the schema, or None for what is recorded, else the defaults.
        recorded: `settings` of the log's latest `pack.loaded` of this pack.
        overrides: Recorded ones, in log order.

    Raises:
        PackSettingsMissingError: A required setting is missing, a value does not fit the schema, or an
            override names a setting that it does not have, or the log cannot hold a value.
    """
    schema = pack.settings_schema
    for override in overrides:
        unknown = unknown_setting(schema, override.values)
        if unknown is not None:
            raise _unknown_override(pack, unknown, override.event_id)
    try:
        if given is None and recorded is not None:
            tree = without_masks(recorded)
            for override in overrides:
                tree = merged(tree, override.values)
            return validated_json(schema, tree)
        base = _base(pack, given)
        for override in overrides:
            base = overridden(schema, base, override.values)
        recorded_form(base)
    except PackSettingsMissingError:
        raise
    except ValueError as error:
        raise _refused(pack, refusal_lines(error, show_input=False)) from None
    return base


def _base(pack: Pack, given: object) -> Any:
    schema = pack.settings_schema
    if given is None:
        return schema()
    if isinstance(given, schema):
        return given
    if isinstance(given, Mapping):
        return schema.model_validate(dict(given))
    raise _refused(pack, f"`settings` must be a dict or a {schema.__name__}, not {type(given).__name__}")


def overridden(schema: Any, base: Any, values: Mapping[str, Any]) -> Any:
    """Settings with others on top, which come from the log: a strict schema takes a list for a tuple in JSON only."""
    try:
        return validated(schema, merged(base, values))
    except ValueError:
        return validated_json(schema, merged(_revealed(base), values))


def merged(base: Any, changes: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a model or dict with `changes` on top, nested dicts into nested ones."""
    fields = fields_of(base) if is_model(base) else dict(base)
    for key, value in changes.items():
        old = fields.get(key)
        can_merge = isinstance(value, Mapping) and (is_model(old) or isinstance(old, Mapping))
        fields[key] = merged(old, value) if can_merge else value
    return fields


def unknown_setting(schema: Any, values: Mapping[str, Any]) -> str | None:
    """The dotted name of the first of `values` that a schema has no field for; None if it has all."""
    if schema.model_config.get("extra") == "allow":
        return None
    for name, value in values.items():
        field = schema.model_fields.get(name)
        if field is None:
            return name
        nested = _model_in(field.annotation)
        if nested is not None and isinstance(value, Mapping):
            below = unknown_setting(nested, value)
            if below is not None:
                return f"{name}.{below}"
    return None


def secret_setting(schema: Any, values: Mapping[str, Any]) -> str | None:
    """The dotted name of the first of `values` that is, or may hold, a secret; None if none does."""
    for name, value in values.items():
        field = schema.model_fields.get(name)
        nested = None if field is None else _model_in(field.annotation)
        if nested is not None and isinstance(value, Mapping):
            below = secret_setting(nested, value)
            if below is not None:
                return f"{name}.{below}"
        elif field is not None and _may_be_secret(field.annotation):
            return name
    return None


def _may_be_secret(annotation: Any, seen: tuple[Any, ...] = ()) -> bool:
    if annotation in seen:  # a model that holds itself
        return False
    fields = getattr(annotation, "model_fields", {}).values()
    parts = (*get_args(annotation), *(field.annotation for field in fields))
    return is_secret(annotation) or any(_may_be_secret(part, (*seen, annotation)) for part in parts)


def _model_in(annotation: Any) -> Any:
    """The model that an annotation stands for, with or without `None`; None for any other annotation."""
    members = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)
    others = [member for member in members if member is not type(None)]
    return others[0] if len(others) == 1 and hasattr(others[0], "model_fields") else None


def recorded_form(settings: Any) -> dict[str, Any]:
    """The settings as the log keeps them: JSON values by field name, keys sorted, secrets masked."""
    form: dict[str, Any] = _with_sorted_keys(_dumped(settings, lambda secret: MASK))
    return form


def _revealed(settings: Any) -> dict[str, Any]:
    """The same with its secrets, for nobody's eyes."""
    form: dict[str, Any] = _dumped(settings, _content)
    return form


def _dumped(settings: Any, of_secret: Callable[[Any], Any]) -> Any:
    return plain_dump(settings, of_secret=of_secret, by_alias=False, round_trip=True)


def _content(secret: Any) -> Any:
    content = secret.get_secret_value()
    return content.decode() if isinstance(content, bytes) else content


def _with_sorted_keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _with_sorted_keys(value[key]) for key in sorted(value)}
    return [_with_sorted_keys(item) for item in value] if isinstance(value, list) else value


def without_masks(tree: Mapping[str, Any]) -> dict[str, Any]:
    """A recorded tree less its secrets, which the log does not know."""
    kept: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping):
            kept[key] = without_masks(value)
        elif not holds_mask(value):
            kept[key] = value
    return kept


def holds_mask(value: Any) -> bool:
    """Whether a recorded value is a secret, or holds one."""
    if isinstance(value, Mapping):
        return any(map(holds_mask, value.values()))
    return any(map(holds_mask, value)) if isinstance(value, list) else bool(value == MASK)


def settings_parameters(fn: Callable[..., Any], schema: Any, standard: int) -> list[str]:
    """Names of the parameters beyond the `standard` first that are annotated with exactly this settings class."""
    try:
        parameters = list(inspect.signature(fn).parameters.values())
    except (TypeError, ValueError):
        return []
    return [p.name for p in _beyond(parameters, standard) if _is_annotated_with(p.annotation, schema, fn)]


def _beyond(parameters: list[inspect.Parameter], standard: int) -> Iterator[inspect.Parameter]:
    for place, parameter in enumerate(parameters):
        if parameter.kind is parameter.KEYWORD_ONLY or (
            place >= standard and parameter.kind is parameter.POSITIONAL_OR_KEYWORD
        ):
            yield parameter


def _is_annotated_with(annotation: Any, schema: Any, fn: Callable[..., Any]) -> bool:
    names = dict(getattr(inspect.unwrap(fn), "__globals__", {}))
    for _ in range(2):  # a text in a module of texts is quoted twice
        if isinstance(annotation, str):
            try:
                annotation = eval(annotation, names)  # noqa: S307 - the author's own text
            except Exception:  # a name that only type checkers see: its last part is what can be compared
                return bool(annotation.rpartition(".")[2] == schema.__name__)
    return annotation is schema


def _refused(pack: Pack, what: str) -> PackSettingsMissingError:
    return PackSettingsMissingError(
        f"settings of pack {pack.name!r} are missing or do not fit {pack.settings_schema.__name__}",
        what_failed=f"Loading pack {pack.name!r} {pack.version}. Nothing was changed.\n{what}",
        why="A pack's behaviors count on their settings, so they are complete and checked before the first of them runs.",
        how_to_fix=f'runtime.load_pack(pack, settings={{"...": ...}}), or an instance of '
        f"{pack.settings_schema.__name__}. Secrets are not in the log, and are given each time.",
        context={"pack": pack.name, "version": pack.version, "problem": what},
    )


def _unknown_override(pack: Pack, setting: str, event_id: str) -> PackSettingsMissingError:
    return PackSettingsMissingError(
        f"pack {pack.name!r} has no setting {setting!r}, which event {event_id!r} overrides",
        what_failed=f"Loading pack {pack.name!r} {pack.version}: the override in {event_id!r} names {setting!r}. "
        "Nothing was changed.",
        why="A fork's override is part of its log; leaving it out would be another run.",
        how_to_fix="Load the version of the pack that has this setting, or fork again with another `--set`.",
        context={"pack": pack.name, "version": pack.version, "setting": setting, "event_id": event_id},
    )
