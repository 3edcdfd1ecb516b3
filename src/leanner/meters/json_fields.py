"""Members of a JSON object, read with the type that they must have."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from typing import NoReturn
from typing import TypeVar

from leanner.meters.errors import TraceFileError


T = TypeVar("T", str, int, bool)
C = TypeVar("C", bound=str)


class Fields:
    """A JSON object and where it stands; all methods raise ``TraceFileError`` if a member is not what it must be."""

    def __init__(self, value: object, where: str) -> None:
        self.where = where
        if not isinstance(value, dict):
            self.refuse("a JSON object", value)
        self._members: dict[str, object] = value

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def refuse(self, expected: str, found: object) -> NoReturn:
        """Say what was expected, what was found, where, and what to do."""
        text = repr(found)
        raise TraceFileError(
            f"{self.where}: expected {expected}, found {text if len(text) <= 80 else text[:77] + '...'}; the file was "
            "changed or damaged: take it from where it was recorded, or record it again"
        )

    def get(self, name: str, kind: type[T]) -> T:
        """Return a text, an integer or a truth value."""
        value = self.any(name)
        # True is an int to Python, not to JSON.
        if not isinstance(value, kind) or isinstance(value, bool) is not (kind is bool):
            self.refuse(f"{name!r} to be {_WORDS[kind]}", value)
        return value

    def maybe(self, name: str, kind: type[T]) -> T | None:
        """Return the same, or ``None`` for ``null``."""
        return None if self.any(name) is None else self.get(name, kind)

    def count(self, name: str) -> int:
        """Return an integer of 0 or more."""
        value = self.get(name, int)
        if value < 0:
            self.refuse(f"{name!r} to be 0 or more", value)
        return value

    def one_of(self, name: str, choices: tuple[C, ...]) -> C:
        """Return one of some texts."""
        found = self.get(name, str)
        for choice in choices:
            if choice == found:
                return choice
        return self.refuse(f"{name!r} to be one of {', '.join(choices)}", found)

    def number(self, name: str) -> float:
        """Return a number; integers stay integers."""
        value = self.any(name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.refuse(f"{name!r} to be a number", value)
        return value

    def maybe_number(self, name: str) -> float | None:
        """Return the same, or ``None`` for ``null``."""
        return None if self.any(name) is None else self.number(name)

    def items(self, name: str) -> list[object]:
        """Return a list."""
        value = self.any(name)
        if not isinstance(value, list):
            self.refuse(f"{name!r} to be a list", value)
        return value

    def inner(self, name: str) -> Fields:
        """Return an object within."""
        return Fields(self.any(name), f"{self.where}: {name}")

    def maybe_inner(self, name: str) -> Fields | None:
        """Return the same, or ``None`` for ``null``."""
        return None if self.any(name) is None else self.inner(name)

    def any(self, name: str) -> object:
        """Return a member as it is."""
        if name not in self._members:
            self.refuse(f"a member {name!r}", sorted(self._members))
        return self._members[name]


_WORDS: Final = {str: "a text", int: "an integer", bool: "true or false"}
