"""From JSON back to a record: the inverse of ``CaseRecord.to_json``."""

from __future__ import annotations

import dataclasses
import json
import math
import types

from collections.abc import Mapping
from enum import Enum
from functools import cache
from typing import Any
from typing import Final
from typing import TypeVar
from typing import Union
from typing import get_args
from typing import get_origin
from typing import get_type_hints

from leanner.report.costs import Energy
from leanner.report.record import SCHEMA
from leanner.report.record import CaseRecord


T = TypeVar("T")

#: Fields whose entries lie in JSON beside the other fields of their class.
FLATTENED: Final[Mapping[type, str]] = {Energy: "domains"}

_SCALARS: Final[Mapping[Any, tuple[tuple[type, ...], str]]] = {
    # An int is a number too (PEP 484), and stays one.
    float: ((float, int), "a number"),
    int: ((int,), "a whole number"),
    str: ((str,), "a text"),
    bool: ((bool,), "true or false"),
    types.NoneType: ((types.NoneType,), "null"),
}
#: Characters of a value in an error.
_LONGEST: Final = 100


class ParseError(ValueError):
    """JSON is not what it should be; the message begins with the place."""


def record_from_json(data: object, where: str = "") -> CaseRecord:
    """Return the record that ``CaseRecord.to_json`` made ``data`` of.

    Fields that came into the record later, and have a default, may be missing.

    Args:
        data: As ``json.loads`` gives it.
        where: Place of ``data``, for errors.

    Raises:
        ParseError: It is of a newer leanner, has an unknown field, lacks one, or a value is of another type.
    """
    if not isinstance(data, Mapping):
        raise ParseError(f"{where or 'record'}: expected an object, found {shown(data)}")
    flat = dict(data)
    place = _join(where, "schema")
    if "schema" not in flat:
        raise ParseError(f"{place}: expected the schema's version, found none; is this a record of leanner?")
    found = flat.pop("schema")
    if type(found) is int and found > SCHEMA:
        raise ParseError(f"{place}: expected at most {SCHEMA}, found {found}: a newer leanner wrote it; update leanner")
    if type(found) is not int or found < 1:
        raise ParseError(f"{place}: expected a whole number from 1 to {SCHEMA}, found {shown(found)}")
    return read(CaseRecord, flat, where)


def read(kind: type[T], data: object, where: str = "") -> T:
    """Return ``data`` as an instance of the dataclass ``kind``, by the types of its fields.

    Raises:
        ParseError: A field is unknown, missing, or of another type.
    """
    result: T = _read(kind, data, where)
    return result


def shown(value: object, longest: int = _LONGEST) -> str:
    """Return ``value`` as JSON, cut behind ``longest`` characters."""
    # A half of a surrogate pair is a JSON text, and no terminal's.
    text = json.dumps(value, default=repr, ensure_ascii=False).encode(errors="backslashreplace").decode()
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def _read(kind: Any, value: object, where: str) -> Any:  # noqa: ANN401 - a type hint, and what it stands for
    if kind is Any:
        return _json(value, where)
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        (inner,) = [option for option in get_args(kind) if option is not types.NoneType]
        return None if value is None else _read_optional(inner, value, where)
    return _read_one(kind, origin, value, where, "")


def _read_optional(kind: Any, value: object, where: str) -> Any:  # noqa: ANN401 - as above
    return _read_one(kind, get_origin(kind), value, where, " or null")


def _read_one(kind: Any, origin: Any, value: object, where: str, or_null: str) -> Any:  # noqa: ANN401 - as above
    if kind in _SCALARS:
        allowed, name = _SCALARS[kind]
        if not isinstance(value, allowed) or (isinstance(value, bool) and kind is not bool) or not _is_finite(value):
            raise _wrong(where, name + or_null, value)
        return value
    if origin is tuple:
        return _tuple(get_args(kind), value, where, or_null)
    if origin is not None and issubclass(origin, Mapping):
        mapping = _object(value, where, or_null)
        return {key: _read(get_args(kind)[1], item, _join(where, key)) for key, item in mapping.items()}
    if issubclass(kind, Enum):
        # a list has no hash: no set
        if value not in [member.value for member in kind]:
            raise _wrong(where, "one of " + ", ".join(str(member.value) for member in kind) + or_null, value)
        return kind(value)
    return _dataclass(kind, _object(value, where, or_null), where)


def _tuple(kinds: tuple[Any, ...], value: object, where: str, or_null: str) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise _wrong(where, "a list" + or_null, value)
    if kinds[-1] is Ellipsis:
        kinds = kinds[:1] * len(value)
    if len(value) != len(kinds):
        raise _wrong(where, f"a list of {len(kinds)}", value)
    return tuple(
        _read(kind, item, f"{where}[{index}]") for index, (kind, item) in enumerate(zip(kinds, value, strict=True))
    )


def _dataclass(kind: Any, data: Mapping[str, Any], where: str) -> Any:  # noqa: ANN401 - as above
    hints = _hints(kind)
    flattened = FLATTENED.get(kind)
    values: dict[str, Any] = {}
    beside: dict[str, Any] = {}
    for name, value in data.items():
        if name in hints and name != flattened:
            values[name] = _read(hints[name], value, _join(where, name))
        elif flattened is not None and isinstance(value, Mapping):
            beside[name] = value
        else:
            known = ", ".join(field for field in hints if field != flattened)
            raise ParseError(f"{_join(where, name)}: expected one of the fields {known}; found an unknown one")
    if flattened is not None:
        values[flattened] = _read(hints[flattened], beside, where)
    for field in dataclasses.fields(kind):
        has_default = field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING
        if field.name not in values and not has_default:
            raise ParseError(f"{_join(where, field.name)}: expected this field, found none")
    return kind(**values)


def _json(value: object, where: str) -> Any:  # noqa: ANN401 - as above
    if isinstance(value, Mapping):
        return {key: _json(item, _join(where, key)) for key, item in _object(value, where, "").items()}
    if isinstance(value, list):
        return [_json(item, f"{where}[{index}]") for index, item in enumerate(value)]
    if (value is None or isinstance(value, bool | int | float | str)) and _is_finite(value):
        return value
    raise _wrong(where, "a JSON value", value)


def _object(value: object, where: str, or_null: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise _wrong(where, "an object" + or_null, value)
    for key in value:
        if not isinstance(key, str):
            raise _wrong(where, "texts as names", key)
    return value


def _is_finite(value: object) -> bool:
    return not isinstance(value, float) or math.isfinite(value)


def _wrong(where: str, expected: str, found: object) -> ParseError:
    return ParseError(f"{where or 'value'}: expected {expected}, found {shown(found)}")


def _join(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)
