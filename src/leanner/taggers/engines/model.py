"""Encoder and head as an engine has them before it runs them: what can be weighed, and written to files."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Protocol


if TYPE_CHECKING:
    from pathlib import Path

    from leanner.taggers.engines.deciding import Engine


class EngineModel(Protocol):
    """A graph made of :class:`~leanner.taggers.engines.graph.PaddedBert`, in an engine's own format."""

    @property
    def weight_bits(self) -> int | None:
        """Bits of a weight that is multiplied as an integer; ``None`` if all are float32."""
        ...

    def stored(self) -> dict[str, int]:
        """Return the bytes of the weights, by dtype; whole numbers of 32 and 64 bits are indices."""
        ...

    def save(self, folder: Path) -> None:
        """Write the engine's files into ``folder``: see :data:`~leanner.taggers.engines.support.FILES`."""
        ...

    def engine(self) -> Engine:
        """Return the engine over it, ready to run."""
        ...
