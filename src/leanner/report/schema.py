"""Whether a report is what ``schema.json`` says (JSON Schema 2020-12)."""

from __future__ import annotations

import json
import math

from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from importlib.resources import files
from typing import TYPE_CHECKING
from typing import Any
from typing import Final

from leanner.report.parse import shown
from leanner.report.problem import Problem


if TYPE_CHECKING:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import ValidationError


_NAMES: Final = {
    "array": "a list",
    "boolean": "true or false",
    "integer": "a whole number",
    "null": "null",
    "number": "a number",
    "object": "an object",
    "string": "a text",
}


def schema() -> dict[str, Any]:
    """Return the schema of a report."""
    content: dict[str, Any] = json.loads((files("leanner") / "report" / "schema.json").read_text(encoding="utf-8"))
    return content


def validate(report: object) -> list[Problem]:
    """Return where ``report`` is not what the schema says, and where a number is not finite."""
    errors = sorted(_validator().iter_errors(report), key=lambda error: [str(part) for part in error.absolute_path])
    return [*_not_finite(report, ""), *(problem for error in errors for problem in _problems(error))]


def join(parts: Sequence[str | int]) -> str:
    """Return a place: names joined by dots, positions in brackets."""
    place = ""
    for part in parts:
        place += f"[{part}]" if isinstance(part, int) else f".{part}" if place else part
    return place


def _validator() -> Draft202012Validator:
    from jsonschema import Draft202012Validator  # noqa: PLC0415 - takes a while, and only the end of a run needs it

    return Draft202012Validator(schema())


def _problems(error: ValidationError) -> Iterator[Problem]:
    """Yield what an error of jsonschema says, in the words of the other errors."""
    place = join(error.absolute_path)
    found, wanted = error.instance, error.validator_value
    if error.validator == "type":
        kinds = [wanted] if isinstance(wanted, str) else wanted
        yield Problem(place, f"expected {' or '.join(_NAMES[kind] for kind in kinds)}, found {shown(found)}")
    elif error.validator == "required":
        # jsonschema reports each missing name by itself, in its text only
        (missing,) = [name for name in wanted if error.message.startswith(repr(name))]
        yield Problem(join([*error.absolute_path, missing]), "expected this field, found none")
    elif error.validator == "additionalProperties":
        known = error.schema["properties"]
        for name in found:
            if name not in known:
                yield Problem(join([*error.absolute_path, name]), "expected no such field; it is unknown here")
    elif error.validator in ("minimum", "exclusiveMinimum", "maximum"):
        least = {"minimum": "at least", "exclusiveMinimum": "more than", "maximum": "at most"}[error.validator]
        yield Problem(place, f"expected {least} {wanted}, found {shown(found)}")
    elif error.validator in ("const", "enum"):
        values = wanted if error.validator == "enum" else [wanted]
        yield Problem(place, f"expected {' or '.join(map(str, values))}, found {shown(found)}")
    else:
        yield Problem(place, error.message)


def _not_finite(value: object, place: str) -> Iterator[Problem]:
    if isinstance(value, float) and not math.isfinite(value):
        yield Problem(place, f"expected a finite number or null, found {value}")
    elif isinstance(value, Mapping):
        for name, item in value.items():
            yield from _not_finite(item, f"{place}.{name}" if place else str(name))
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _not_finite(item, f"{place}[{index}]")
