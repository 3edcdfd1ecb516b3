"""What a section of the page is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from typing import Any


#: A figure as plotly.js takes it: ``data`` and ``layout``. Colours are names of CSS variables, resolved by the page.
Figure = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page.

    Attributes:
        name: Of its element, and of its template.
        title: Its heading.
        content: What its template takes.
        figures: By the name under which the template places them; unique on the page.
    """

    name: str
    title: str
    content: Mapping[str, Any]
    figures: Mapping[str, Figure] = field(default_factory=dict)
