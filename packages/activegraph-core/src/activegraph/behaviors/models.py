"""Pydantic models in declarations, told apart from other things without importing pydantic.

Whoever passes a model class has imported pydantic; so where it isn't loaded, nothing is one.
"""

from __future__ import annotations

import sys
from typing import Any

__all__ = ["checked_model_class", "instance_of_dump", "is_model_class"]


def is_model_class(value: object) -> bool:
    """Whether `value` is a `pydantic.BaseModel` subclass."""
    pydantic = sys.modules.get("pydantic")
    return pydantic is not None and isinstance(value, type) and issubclass(value, pydantic.BaseModel)


def checked_model_class(value: Any, decorator: str, argument: str) -> Any:
    """`value` if it is None or a model class.

    Raises:
        TypeError: Anything else; the text says what it is, and shows the right form.
    """
    if value is None or is_model_class(value):
        return value
    if isinstance(value, type):
        what = f"{value.__name__} (a class, but not a BaseModel subclass)"
    else:
        what = type(value).__name__
    raise TypeError(
        f"{decorator}: `{argument}` must be a pydantic BaseModel subclass, not {what}. Write\n"
        "    from pydantic import BaseModel\n\n"
        "    class MyOutput(BaseModel):\n"
        "        ...\n\n"
        f"    {decorator}({argument}=MyOutput)"
    )


def instance_of_dump(schema: Any, dump: Any) -> Any:
    """An instance of a model class; fields may have their own names too, as in a recorded dump, besides aliases."""
    version = tuple(int(part) for part in sys.modules["pydantic"].VERSION.split(".")[:2])
    return schema.model_validate(dump, **({"by_alias": True, "by_name": True} if version >= (2, 11) else {}))
