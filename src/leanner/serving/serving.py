"""How a configuration is served."""

from __future__ import annotations

import math

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any
from typing import Final


if TYPE_CHECKING:
    from leanner.serving.batching import DynamicBatching
    from leanner.serving.server import Server


#: What serves without HTTP: the floor that servers are compared with.
IN_PROCESS: Final = "in-process"
TORCHSERVE: Final = "torchserve"
MOSEC: Final = "mosec"

_EXTRAS: Final[Mapping[str, str]] = {TORCHSERVE: "leanner[torchserve]", MOSEC: "leanner[mosec]"}


@dataclass(frozen=True, slots=True)
class Serving:
    """A server, by name, and when its batches begin.

    Attributes:
        server: ``torchserve``, ``mosec`` or ``in-process``.
        batching: When requests that wait become a batch.

    Raises:
        ValueError: There is no such server.
    """

    server: str
    batching: DynamicBatching

    def __post_init__(self) -> None:
        if self.server != IN_PROCESS and self.server not in _EXTRAS:
            raise ValueError(f"expected one of {', '.join((IN_PROCESS, *_EXTRAS))}, found {self.server!r}")

    def describe(self) -> dict[str, Any]:
        """Return the parameters, ready for JSON."""
        return {"server": self.server, "batching": self.batching.describe()}

    def refusals(self) -> tuple[str, ...]:
        """Return the reasons for which a machine can not serve so."""
        extra = _EXTRAS.get(self.server)
        return () if extra is None else (f"{self.server} is not installed: pip install '{extra}'",)


def make_server(name: str, start_s: float = 120.0) -> Server:
    """Return a server with its default parameters but for the seconds that its start may take; ``in-process`` is none.

    Raises:
        ValueError: There is no server of this name.
    """
    # What others need is not imported for one.
    if name == TORCHSERVE:
        from leanner.serving.torchserve.server import TorchServe  # noqa: PLC0415

        return TorchServe(startup_timeout_s=math.ceil(start_s))
    if name == MOSEC:
        from leanner.serving.mosec.server import Mosec  # noqa: PLC0415

        return Mosec(start_timeout_s=start_s)
    raise ValueError(f"expected one of {', '.join(_EXTRAS)}, found {name!r}")
