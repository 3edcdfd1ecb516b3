"""Records with anything in their fields, by the types of the fields."""

from __future__ import annotations

import dataclasses
import types

from collections.abc import Mapping
from enum import Enum
from typing import Any
from typing import Union
from typing import get_args
from typing import get_origin
from typing import get_type_hints

from hypothesis import strategies as st

from leanner.report.parse import FLATTENED


NUMBERS = st.floats(allow_nan=False, allow_infinity=False)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | NUMBERS | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)

_SCALARS: dict[Any, st.SearchStrategy[Any]] = {
    Any: JSON,
    bool: st.booleans(),
    float: NUMBERS,
    int: st.integers(),
    str: st.text(max_size=5),
    types.NoneType: st.none(),
}


def instances(kind: Any) -> st.SearchStrategy[Any]:  # noqa: ANN401 - a type hint
    """Return a strategy for what a field of this type may hold."""
    if kind in _SCALARS:
        return _SCALARS[kind]
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return st.one_of(*map(instances, inner))
    if origin is tuple:
        is_open = inner[-1] is Ellipsis
        return st.lists(instances(inner[0]), max_size=3).map(tuple) if is_open else st.tuples(*map(instances, inner))
    if origin is not None and issubclass(origin, Mapping):
        return st.dictionaries(st.text(max_size=5), instances(inner[1]), max_size=2)
    return st.sampled_from(kind) if issubclass(kind, Enum) else dataclass_instances(kind)


def dataclass_instances(kind: Any) -> st.SearchStrategy[Any]:  # noqa: ANN401 - a dataclass
    """Return a strategy for the instances of a dataclass."""
    hints = get_type_hints(kind)
    fields = {field.name: instances(hints[field.name]) for field in dataclasses.fields(kind)}
    if kind in FLATTENED:
        # In JSON they lie beside the other fields, whose names they cannot have.
        name = FLATTENED[kind]
        keys = st.text(max_size=12).filter(lambda key: key not in fields or key == name)
        fields[name] = st.dictionaries(keys, instances(get_args(hints[name])[1]), max_size=3)
    return st.builds(kind, **fields)
