"""Which cases a run was to measure: what the completeness of its report is held against."""

from __future__ import annotations

import re

from dataclasses import asdict
from dataclasses import dataclass
from typing import Any
from typing import Final


# "gpu" chooses the device, not among its cases.
_EVERY_CASE: Final = re.compile(r"\s*(not\s+)?(gpu)?\s*")


@dataclass(frozen=True, slots=True)
class Selection:
    """What was collected, and what was left out.

    Attributes:
        keyword: pytest's ``-k``, empty without.
        markers: pytest's ``-m``, empty without.
        narrowed: What else left cases out: files and node ids on the command line, ``--deselect``, ``--last-failed``.
        families: Those of the cases that remained.
        cases: Node ids of the cases that remained, in the order of running.
    """

    keyword: str
    markers: str
    narrowed: tuple[str, ...]
    families: tuple[str, ...]
    cases: tuple[str, ...]

    @property
    def is_whole(self) -> bool:
        """Whether every configuration of the families was to run."""
        return not self.keyword.strip() and not self.narrowed and _EVERY_CASE.fullmatch(self.markers) is not None

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON-ready built-ins."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}
