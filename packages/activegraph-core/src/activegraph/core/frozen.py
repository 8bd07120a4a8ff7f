"""Frozen values: what the graph hands out reads as dict and list, and refuses every change.

They are real subclasses that hold the frozen items, so that `json.dumps`, `dict(x)` and `f(**x)`
see the truth; copies and pickles of them are plain.
"""

from __future__ import annotations

from typing import Any, NoReturn

__all__ = ["FrozenDict", "FrozenList", "freeze", "frozen_copy", "thaw"]


def _refuse(self: Any, *args: Any, **options: Any) -> NoReturn:
    raise TypeError(
        "this value belongs to the event log, which cannot be changed: "
        "use `graph.patch_object(...)` to record a change, or `copy.deepcopy(...)` for a copy of your own"
    )


class FrozenDict(dict[str, Any]):
    """A dict that cannot be changed, at any depth."""

    __slots__ = ()

    __init__ = __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    def __copy__(self) -> dict[str, Any]:
        return dict(self)

    def copy(self) -> dict[str, Any]:
        """A plain shallow copy."""
        return dict(self)

    def __deepcopy__(self, memo: Any) -> dict[str, Any]:
        return {key: thaw(item) for key, item in self.items()}

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (thaw(self),)

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        return self.__reduce__()

    def __new__(cls, *args: Any, **options: Any) -> Any:
        # `dataclasses.asdict` rebuilds by `type(value)(...)`; it and everybody else gets a plain dict.
        return dict(*args, **options)


class FrozenList(list[Any]):
    """A list that cannot be changed, at any depth."""

    __slots__ = ()

    __init__ = __setitem__ = __delitem__ = __iadd__ = __imul__ = _refuse
    append = extend = insert = pop = remove = clear = sort = reverse = _refuse

    def __copy__(self) -> list[Any]:
        return list(self)

    def copy(self) -> list[Any]:
        """A plain shallow copy."""
        return list(self)

    def __deepcopy__(self, memo: Any) -> list[Any]:
        return [thaw(item) for item in self]

    def __reduce__(self) -> tuple[Any, ...]:
        return list, (thaw(self),)

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        return self.__reduce__()

    def __new__(cls, *args: Any) -> Any:
        return list(*args)


_new_dict, _fill_dict = dict.__new__, dict.update
_new_list, _fill_list = list.__new__, list.extend


def freeze(tree: Any) -> Any:
    """A freshly decoded tree as frozen values. The tree's own containers are taken apart."""
    kind = type(tree)
    if kind is dict:
        for key, item in tree.items():
            kind = type(item)
            if kind is dict or kind is list:
                tree[key] = freeze(item)
        frozen = _new_dict(FrozenDict)
        _fill_dict(frozen, tree)
        return frozen
    if kind is list:
        for place, item in enumerate(tree):
            kind = type(item)
            if kind is dict or kind is list:
                tree[place] = freeze(item)
        frozen_list = _new_list(FrozenList)
        _fill_list(frozen_list, tree)
        return frozen_list
    return tree


def frozen_copy(tree: Any) -> Any:
    """A plain tree as frozen values, the tree itself left as it is."""
    kind = type(tree)
    if kind is dict:
        frozen = _new_dict(FrozenDict)
        _fill_dict(frozen, {key: frozen_copy(item) for key, item in tree.items()})
        return frozen
    if kind is list:
        frozen_list = _new_list(FrozenList)
        _fill_list(frozen_list, [frozen_copy(item) for item in tree])
        return frozen_list
    return tree


def thaw(value: Any) -> Any:
    """A plain deep copy of frozen or plain values."""
    if isinstance(value, dict):
        return {key: thaw(item) for key, item in value.items()}
    if isinstance(value, list):
        return [thaw(item) for item in value]
    return value
