"""Configurations one after the other, by a name that says which: ``ffn-ls-50:share=0.375+int8-static+lean-prefix``."""

from __future__ import annotations

import dataclasses

from typing import TYPE_CHECKING
from typing import Any
from typing import Final

from leanner.configurations import Configuration
from leanner.configurations import named


if TYPE_CHECKING:
    from leanner.passes.protocol import Pass


_UNBOUNDED: Final = "a combination of configurations: nobody has promised a bound for it"
_BOOLEANS: Final = {"true": True, "false": False}


def combined(name: str) -> Configuration:
    """Return the configuration of this name, or several of them one after the other.

    Names of the table of configurations are joined by ``+``; their passes are applied in that order. Behind a name
    whose configuration is a single pass can stand parameters of it: ``:``, and ``parameter=value`` joined by commas.

    Raises:
        KeyError: A part is no configuration; the message lists those that there are.
        ValueError: A part has no such parameter, or not with such a value.
    """
    parts = name.split("+")
    if len(parts) == 1 and ":" not in name:
        return named(name)
    passes = tuple(step for part in parts for step in _passes(part))
    return Configuration(name, "combined", passes, unbounded=_UNBOUNDED, default=False)


def _passes(part: str) -> tuple[Pass, ...]:
    name, colon, given = part.partition(":")
    passes = named(name).passes
    if not colon:
        return passes
    if len(passes) != 1:
        raise ValueError(f"{part}: expected no parameters, since {name} is not a single pass")
    (step,) = passes
    assert dataclasses.is_dataclass(step)
    changes = dict(_parameter(part, step, each) for each in given.split(","))
    try:
        changed: Any = dataclasses.replace(step, **changes)
    except ValueError as error:
        raise ValueError(f"{part}: {error}") from error
    return (changed,)


def _parameter(part: str, step: Any, text: str) -> tuple[str, Any]:  # noqa: ANN401 - whatever a pass has
    """Return name and value of ``parameter=value``, the value of the type that the parameter has."""
    name, equals, value = text.partition("=")
    known = [field.name for field in dataclasses.fields(step)]
    if not equals or name not in known:
        raise ValueError(f"{part}: expected one of {', '.join(known)} with = and a value, found {text!r}")
    now = getattr(step, name)
    try:
        if isinstance(now, bool):
            return name, _BOOLEANS[value]
        # What is not given is a whole number (articles).
        return name, (int if now is None else type(now))(value)
    except (KeyError, ValueError) as error:
        kind = "true or false" if isinstance(now, bool) else "a whole number" if isinstance(now, int) else "a number"
        raise ValueError(f"{part}: expected {kind} for {name}, found {value!r}") from error
