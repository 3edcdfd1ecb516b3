"""What every pass can do: a tagger in, a leaner tagger out."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any
from typing import Protocol
from typing import runtime_checkable

from leanner.taggers.libraries import LIBRARIES


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


@runtime_checkable
class Particular(Protocol):
    """What a pass has besides that may raise ``NotRunnable``: others run everywhere."""

    def refusals(self, device: str, gpu: str | None) -> tuple[str, ...]:
        """Return all messages that its ``NotRunnable`` can have.

        Args:
            device: Torch device.
            gpu: Name of the GPU, if the device is one.
        """
        ...


@runtime_checkable
class Foresighted(Protocol):
    """What a pass has besides that knows from the unchanged tagger whether it can run it."""

    def check(self, tagger: Tagger) -> None:
        """Look at the tagger before any pass.

        Raises:
            NotRunnable: As the pass itself would.
        """
        ...


def run_by_its_library(tagger: Tagger, name: str) -> None:
    """Refuse a pass, called ``name``, after one that took the tagger out of Flair or transformers.

    It might miss what that one keeps.

    Raises:
        WrongOrder: Neither of the two runs the tagger.
    """
    if tagger.runtime not in LIBRARIES:
        raise WrongOrder(f"{name} after {tagger.runtime}: the tagger has left its library already")


class NotRunnable(RuntimeError):  # noqa: N818 - it is an outcome of a case, not a mistake
    """A pass cannot run on this machine or device; the case is recorded as ``not-run``."""


class WrongOrder(ValueError):  # noqa: N818 - it says which order
    """Passes that make no sense in this order; the message names them."""
