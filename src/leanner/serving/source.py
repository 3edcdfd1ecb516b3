"""Where a server's worker gets its tagger from: data, so that it can be told to another process."""

from __future__ import annotations

import importlib
import json

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from typing import TYPE_CHECKING
from typing import Any
from typing import Self


if TYPE_CHECKING:
    from leanner.taggers.protocol import Tagger


@dataclass(frozen=True, slots=True)
class Source:
    """A function that makes a tagger, and what it is called with.

    Attributes:
        factory: ``module:function``, importable where the worker runs.
        arguments: By name, ready for JSON.
    """

    factory: str
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def load(self) -> Tagger:
        """Return the tagger.

        Raises:
            ValueError: ``factory`` names no function.
        """
        module, _, name = self.factory.partition(":")
        if not (module and name):
            raise ValueError(f"expected module:function, found {self.factory!r}")
        made: Tagger = getattr(importlib.import_module(module), name)(**self.arguments)
        return made

    def to_json(self) -> str:
        """Return it as JSON."""
        return json.dumps({"factory": self.factory, "arguments": dict(self.arguments)})

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Return what ``to_json`` has written."""
        members = json.loads(text)
        return cls(members["factory"], members["arguments"])
