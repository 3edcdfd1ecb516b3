"""What every pass can do: a tagger in, a leaner tagger out."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any
from typing import Protocol


if TYPE_CHECKING:
    from leanner.taggers.protocol import Tagger


class Pass(Protocol):
    """A small callable with its parameters; it may change the tagger that it is given."""

    @property
    def name(self) -> str:
        """The field's name for it, as in the record."""
        ...

    def describe(self) -> dict[str, Any]:
        """Return ``name`` and the parameters, ready for JSON."""
        ...

    def __call__(self, tagger: Tagger) -> Tagger:
        """Return the leaner tagger.

        Raises:
            NotRunnable: This machine or device cannot run it; the message says why.
        """
        ...


class NotRunnable(RuntimeError):  # noqa: N818 - it is an outcome of a case, not a mistake
    """A pass cannot run on this machine or device; the case is recorded as ``not-run``."""


class WrongOrder(ValueError):  # noqa: N818 - it says which order
    """Passes that make no sense in this order; the message names them."""
